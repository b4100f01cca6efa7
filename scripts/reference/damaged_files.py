"""What happens to a damaged file: examples, and what the code says of each."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from scripts.reference.markdown import code, page, table

from jobchurn import files
from jobchurn.contract import JOB_CHANGE, Value, Violation

_NAMES = [column.name for column in JOB_CHANGE.columns]
_EXAMPLE: dict[str, Value] = {c.name: c.examples[0] for c in JOB_CHANGE.columns}
_ROWS = 3


def damaged_files_page() -> str:
    """``damaged-files.md``."""
    cut = [(words, files.cut_bytes(data, JOB_CHANGE)) for words, data in _files()]
    refused = [(words, sheet.refusal) for words, sheet in cut if sheet.refusal]
    lacking = [(words, sheet) for words, sheet in cut if sheet.missing]
    faulty = [(words, next(iter(s.faults.values()))) for words, s in cut if s.faults]
    accepted = [
        (words, sheet)
        for words, sheet in cut
        if not (sheet.refusal or sheet.missing or sheet.faults)
    ]
    return page(
        "What happens to a damaged file",
        "Each line below is an example that was really cut and judged when this page was made. "
        "Bytes are kept whatever happens: good rows, bad rows and refused files are written byte "
        "for byte as they came, and every record of a file ends in exactly one place.",
        "## The whole file is refused",
        "It goes to `bad_data/` as it is, with criticality high and the reason beside it.",
        _reasons((words, r.rule, r.message) for words, r in refused),
        "## Every row is bad",
        "Criticality high; what is there is judged all the same, for the statistics.",
        _reasons((words, "missing column", ", ".join(sheet.missing)) for words, sheet in lacking),
        "## One record is bad, the others are good",
        "Where a quote breaks the grammar, nothing is guessed: the record ends with its line, and "
        "the next line is read afresh. One stray quote costs one record, not the rest of the file.",
        _reasons((words, r.rule, r.message) for words, r in faulty),
        "## The file is accepted",
        "What was noticed stands in the run's notes and in the report.",
        table(
            ("found", "rows", "noted"),
            ((words, str(s.rows), " ".join(s.notes) or "nothing") for words, s in accepted),
        ),
        "## Values",
        "Where the structure is sound, values are judged by the [contract](contract.md). A repair "
        "is suggested, never made.",
        table(("found", "in", "outcome", "rule", "suggested repair"), map(_value, _values())),
        "Text that is a formula, HTML, Markdown or SQL is data. It is escaped in reports and "
        "alerts; in CSV exports a text that a spreadsheet would run gets an apostrophe.",
        "Rows that repeat another, and ids that occur again, are each accounted for and noted. A "
        "file whose content was ingested before, under any name, is a run with `duplicate_of`, "
        "and routes nothing. A file of a known name with new content is a new arrival.",
        "## Files that are never opened",
        "They stay in `raw_data/` as long as nobody renames them.",
        table(("file", "taken"), _names()),
        "A file is taken once nothing has changed in it for `SETTLE_SECONDS`. One that changes "
        "between being claimed and being moved is put back as a new arrival.",
    )


def _reasons(rows: Iterable[tuple[str, str, str]]) -> str:
    return table(
        ("found", "rule", "reason"), ((words, code(r), message) for words, r, message in rows)
    )


def _line(**changes: object) -> str:
    return ",".join(str(cell) for cell in (_EXAMPLE | changes).values())


def _file(
    header: str = ",".join(_NAMES), second: str = _line(enrollee_id=2), end: str = "\n"
) -> bytes:
    """A file of three rows, the second of which may be another."""
    lines = [header, _line(enrollee_id=1), second, _line(enrollee_id=3)]
    return "".join(line + end for line in lines).encode()


def _without(name: str) -> bytes:
    place = _NAMES.index(name)
    lines = [line.split(",") for line in _file().decode().splitlines()]
    return "".join(",".join(c[:place] + c[place + 1 :]) + "\n" for c in lines).encode()


def _swapped() -> bytes:
    lines = [line.split(",") for line in _file().decode().splitlines()]
    return "".join(",".join(reversed(cells)) + "\n" for cells in lines).encode()


def _files() -> Iterator[tuple[str, bytes]]:
    """What may be found, and a file in which it is."""
    good, names = _file(), ",".join(_NAMES)
    optional = next(c.name for c in JOB_CHANGE.columns if not c.required)
    required = next(c.name for c in JOB_CHANGE.features if c.required)
    cell = _line(enrollee_id=2, city='"city_21"')
    yield "no bytes at all", b""
    yield "nothing but blank lines", b"\n\n"
    yield "no header: the first line is a row", good.split(b"\n", 1)[1]
    yield "header names in another case", _file(names.upper())
    yield "semicolons for commas", good.replace(b",", b";")
    yield "a name twice in the header", _file(names.replace(optional, required))
    yield "more than 1,000 columns", _file(names + ",more" * 1_000)
    yield "UTF-16", good.decode().encode("utf-16")
    yield "compressed content", gzip.compress(good, mtime=0)
    yield "binary content", bytes(range(1, 32)) * 8
    yield "a required column missing", _without(required)
    yield "too few cells", _file(second="2,city_21")
    yield "too many cells", _file(second=_line(enrollee_id=2) + ",more")
    yield "bytes that are not UTF-8", good.replace(b"\n2,city", b"\n2,cit\xff", 1)
    yield "a NUL", _file(second=_line(enrollee_id=2, city="city\0"))
    yield "the header again", _file(second=names)
    yield "a cell of more than 64 kB", _file(second=_line(enrollee_id=2, city="c" * 70_000))
    yield "a quote that is never closed", _file(second=cell.replace('1"', "1"))
    yield "a quote inside an unquoted cell", _file(second=_line(enrollee_id=2, city='ci"ty'))
    yield "a header and no rows", f"{names}\n".encode()
    yield "an unknown column", b"".join(li + b",x\n" for li in good.splitlines())
    yield "an optional column absent", _without(optional)
    yield "columns in another order", _swapped()
    yield "blanks around the names", _file(names.replace(",", " , "))
    yield "a byte order mark", b"\xef\xbb\xbf" + good
    yield "CR LF line ends", _file(end="\r\n")
    yield "lone CR line ends", _file(end="\r")
    yield "no line end at the end", good.rstrip()
    yield "blank lines", good.replace(b"\n", b"\n\n")
    yield "quoted cells", _file(second=cell)
    yield "identical rows", _file(second=_line(enrollee_id=1))


def _values() -> Iterator[tuple[str, str, str]]:
    """Columns, texts that may stand in them, and what those are where it cannot be seen."""
    for text, words in {"": "", "city_999": "unknown to the model", "null": "", "=1+1": ""}.items():
        yield "city", text, words
    yield "city", "a\tb", "a tab"
    yield "city", "c" * 65, "65 characters"
    for text in ("inf", "NaN", "1e400", "0,92", "1.01", "-0.0", "9e-1"):
        yield "city_development_index", text, ""
    for text in ("36.0", "36.5", "1_000", "1,000", "0x1F", "True", "-1", "1001"):
        yield "training_hours", text, ""
    yield "training_hours", "\uff13\uff16", "full-width digits"
    yield "enrollee_id", str(2**63), "beyond the database's integers by one"
    for text in ("", "male", "NA"):
        yield "gender", text, ""
    yield "gender", "\uff2dale", "a full-width letter"
    yield "gender", "Ma\u200ble", "a zero-width space"
    yield "gender", "M\u0430le", "a Cyrillic letter"
    for text in ("Oct-49", "10/49"):
        yield "company_size", text, "an accepted spelling"
    yield "company_size", "10\u201349", "a dash for the hyphen"
    for text in ("1.0", "yes", ""):
        yield "target", text, ""


def _value(found: tuple[str, str, str]) -> tuple[str, str, str, str, str]:
    name, text, words = found
    shown = code(_shown(text)) if text else "blank"
    shown = f"{shown} ({words})" if words else shown
    try:
        value = JOB_CHANGE[name].read(text)
    except Violation as broken:
        repair = code(broken.repair) if broken.repair else ""
        return shown, code(name), "bad", code(broken.rule), repair
    kept = JOB_CHANGE[name].write(value)
    return shown, code(name), "good" if kept == text else f"good, as {code(kept)}", "", ""


def _shown(text: str) -> str:
    """Look-alikes told apart, invisible characters made visible, long texts cut."""
    told = "".join(c if c.isascii() and c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return told if len(told) <= 40 else f"{told[:8]}…"


def _names() -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        made: dict[str, tuple[str, Callable[[Path], object]]] = {
            "rows.csv.gz": ("a compressed name", Path.touch),
            ".rows.csv": ("a hidden name", Path.touch),
            "rows.csv.part": ("a temporary name", Path.touch),
            "rows.csv~": ("an editor's copy", Path.touch),
            "linked.csv": ("a symbolic link", lambda path: path.symlink_to("other.csv")),
            "pipe.csv": ("a named pipe", os.mkfifo),
            "folder.csv": ("a folder", Path.mkdir),
            "rows.csv": ("any other regular file", Path.touch),
        }
        for name, (_, make) in made.items():
            make(folder / name)
        taken = {path.name for path in files.arriving(folder)}
        for name, (words, _) in made.items():
            yield f"{words}: {code(name)}", "yes" if name in taken else "no"
