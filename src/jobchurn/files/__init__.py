"""Files as bytes: find them, cut them into records, judge their structure, route, all atomic.

What is written here is whole or absent, and survives a crash; what is read here never makes a
reader fail, whatever it holds.
"""

from jobchurn.files.atomic import (
    copy,
    copy_beside,
    make_folder,
    move,
    put_back,
    remove,
    sweep,
    sync_folders,
    write_atomically,
    write_copy,
    written_atomically,
)
from jobchurn.files.cells import spliced, without
from jobchurn.files.coding import Coder
from jobchurn.files.cut import Sheet, cut, cut_bytes
from jobchurn.files.damage import MAX_CELL_BYTES
from jobchurn.files.folders import Folders, arriving, open_regular, settled, sha256_of
from jobchurn.files.formula import without_formula
from jobchurn.files.names import free_name, from_printable, printable, shortened
from jobchurn.files.reading import Reading, reading
from jobchurn.files.redact import dropped, emptied, held
from jobchurn.files.route import Split, refuse, route
from jobchurn.files.scan import MAX_COLUMNS, scan
from jobchurn.files.structure import missing_column, shown
from jobchurn.verdict import StructureRule

__all__ = [
    "MAX_CELL_BYTES",
    "MAX_COLUMNS",
    "Coder",
    "Folders",
    "Reading",
    "Sheet",
    "Split",
    "StructureRule",
    "arriving",
    "copy",
    "copy_beside",
    "cut",
    "cut_bytes",
    "dropped",
    "emptied",
    "free_name",
    "from_printable",
    "held",
    "make_folder",
    "missing_column",
    "move",
    "open_regular",
    "printable",
    "put_back",
    "reading",
    "refuse",
    "remove",
    "route",
    "scan",
    "settled",
    "sha256_of",
    "shortened",
    "shown",
    "spliced",
    "sweep",
    "sync_folders",
    "without",
    "without_formula",
    "write_atomically",
    "write_copy",
    "written_atomically",
]
