"""Cut: a CSV file's bytes become records, judged by their structure, and columns of cell texts.

Records are offsets into the bytes, so that ``route`` writes what came. No data frame stands in
between. Cells are texts as they stand in the file, their quotes undone: what they are worth is for
``quality`` to say.

A file of any size is read as a series of sheets (:mod:`jobchurn.files.reading`); here one sheet
holds all of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from jobchurn.contract import Contract
from jobchurn.files.damage import faults_of
from jobchurn.files.folders import open_regular
from jobchurn.files.header import Header, header_of, refusal_of_bytes
from jobchurn.files.layout import Layout, content_of
from jobchurn.files.noticed import Noticed
from jobchurn.files.scan import BOM, Offsets, Records, scan
from jobchurn.files.structure import refusal
from jobchurn.verdict import Reason, StructureRule

_CELLS_AT_ONCE = 262_144
"""How many cells are parted in one go: enough to be fast, few enough to be small."""

_MEMORISED = 50_000
"""Distinct texts of a column that are kept once for all rows."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """Consecutive records of a CSV file, cut: all of them, or some.

    Attributes:
        data: the bytes that hold them; the first sheet of a file begins with its header.
        starts: the first byte in ``data`` of each record, and the end of the last: record ``row``
            is ``data[starts[row - first_row]:starts[row - first_row + 1]]``, blank lines after it
            included. What lies before the first is the header, with a byte order mark and blank
            lines around it; or, in a later sheet, blank lines of the last record before.
        header: the names of all columns, without blanks and quotes around them.
        positions: column of the contract → its place in the header, if it is there.
        faults: row → what is wrong with its structure; in order of rows.
        refusal: why the file is refused as a whole; then there are no rows.
        missing: required columns that the file lacks; then every row is bad.
        first_row: the number of the first record, from 1 in a file.
        offset: where in the file ``data`` begins.
        layout: where cells lie; ``None`` in a refused file.
        quoted: place among these records, from 0 → the cells of a sound one that holds quotes.
    """

    data: bytes = field(repr=False)
    starts: Offsets = field(repr=False)
    header: tuple[str, ...] = ()
    positions: dict[str, int] = field(default_factory=dict, repr=False)
    faults: dict[int, Reason] = field(default_factory=dict, repr=False)
    refusal: Reason | None = None
    missing: tuple[str, ...] = ()
    first_row: int = 1
    offset: int = 0
    layout: Layout | None = field(default=None, repr=False)
    quoted: dict[int, list[str]] = field(default_factory=dict, repr=False)
    noticed: Noticed = field(default_factory=Noticed, repr=False)

    @property
    def rows(self) -> int:
        """How many records there are, good and bad."""
        return len(self.starts) - 1

    @property
    def head(self) -> bytes:
        """What lies before the first record: the header, in the first sheet of a file."""
        return self.data[: self.starts[0]]

    def record(self, row: int) -> bytes:
        """A record's bytes, with its line end and the blank lines after it.

        Raises:
            IndexError: there is no such row.
        """
        place = row - self.first_row
        if not 0 <= place < self.rows:
            raise IndexError(f"row {row} of {self.rows} from {self.first_row} on")
        return self.data[self.starts[place] : self.starts[place + 1]]

    @cached_property
    def columns(self) -> dict[str, list[str]]:
        """Column of the contract → the text of every record's cell, "" where its structure is bad.

        Only of columns that the file has.
        """
        return _columns(self)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What was noticed in these records and accepted, in words."""
        if self.layout is None:
            return ()
        data, records = self.layout.data, self.layout.records
        contents = {hash(content_of(data, records, place)) for place in range(self.rows)}
        return self.noticed.notes(repeats=self.rows - len(contents))

    @cached_property
    def sha256(self) -> str:
        """The hash of the bytes that were cut, whatever the file holds by now."""
        return hashlib.sha256(self.data).hexdigest()


def cut(path: Path, contract: Contract) -> Sheet:
    """Cut a CSV file into records, all in one sheet; whatever it holds, the answer is a sheet.

    Raises:
        OSError: the file cannot be read.
        DataUnusable: it is no regular file.
    """
    with open_regular(path) as file:
        return cut_bytes(file.read(), contract)


def cut_bytes(data: bytes, contract: Contract, records: Records | None = None) -> Sheet:
    """Cut a CSV file's bytes into records, as :func:`cut` does.

    Args:
        data: the bytes.
        contract: whose names are looked for.
        records: what :func:`scan` finds in them, where that was done.
    """
    records, noticed = scan(data) if records is None else records, Noticed()
    noticed.look_at(data, records)
    return first_sheet(data, records, contract, data, noticed)[0]


def first_sheet(
    data: bytes, records: Records, contract: Contract, sample: bytes, noticed: Noticed
) -> tuple[Sheet, Header | None]:
    """The sheet of a file's first records, the header among them; and what the header says.

    Args:
        data: the bytes.
        records: what was found in them.
        contract: whose names are looked for.
        sample: the file's first bytes, which tell text from what is none.
        noticed: what was noticed so far; learns of the header.
    """
    if refused := refusal_of_bytes(sample):
        return refused_sheet(data, refused), None
    if not len(records):
        blank = refusal(StructureRule.EMPTY, data, "The file holds nothing but blank lines.")
        return refused_sheet(data, blank), None
    line = content_of(data, records, 0)
    header = header_of(line, records.broken.get(0), contract, sample)
    if isinstance(header, Reason):
        return refused_sheet(data, header), None
    noticed.of_header = header.notes
    noticed.has_mark = sample.startswith(BOM)
    return sheet_of(data, records.without_first(), header, line, noticed=noticed), header


def sheet_of(
    data: bytes,
    records: Records,
    header: Header,
    head: bytes,
    *,
    noticed: Noticed,
    first_row: int = 1,
    offset: int = 0,
) -> Sheet:
    """The sheet of some records.

    Args:
        data: the bytes that hold them.
        records: where they lie.
        header: the file's.
        head: the header's bytes, without its line end.
        noticed: what was noticed in the file so far.
        first_row: the first record's number.
        offset: where in the file ``data`` begins.
    """
    layout = Layout(data, records, len(header.names))
    faults, quoted = faults_of(layout, head, first_row)
    return Sheet(
        data=data,
        starts=np.append(records.starts, records.stop),
        header=header.names,
        positions=header.positions,
        faults=faults,
        missing=header.missing,
        first_row=first_row,
        offset=offset,
        layout=layout,
        quoted=quoted,
        noticed=noticed,
    )


def refused_sheet(data: bytes, reason: Reason) -> Sheet:
    """The sheet of a file that is refused as a whole."""
    return Sheet(data=data, starts=np.array([len(data)]), refusal=reason)


def _columns(sheet: Sheet) -> dict[str, list[str]]:
    """Records without quotes are joined by commas and parted all at once.

    The others are read one by one; they, and the bad ones, lie blank among the joined ones.
    """
    columns: dict[str, list[str]] = {name: [] for name in sheet.positions}
    if sheet.layout is None:
        return columns
    width = sheet.layout.width
    blank = b"," * (width - 1)
    memory: dict[str, dict[str, str]] = {name: {} for name in columns}
    at_once = max(_CELLS_AT_ONCE // width, 1)
    apart = sorted({*sheet.quoted, *(row - sheet.first_row for row in sheet.faults)})
    for first in range(0, sheet.rows, at_once):
        stop = min(first + at_once, sheet.rows)
        pieces = _contents(sheet.layout, first, stop)
        these = [place for place in apart if first <= place < stop]
        for place in these:
            pieces[place - first] = blank
        joined = b",".join(pieces).decode().split(",")
        for name, number in sheet.positions.items():
            part = joined[number::width]
            for place in these:
                if place in sheet.quoted:
                    part[place - first] = sheet.quoted[place][number]
            if len(memory[name]) < _MEMORISED:
                part = list(map(memory[name].setdefault, part, part))
            columns[name] += part
    return columns


def _contents(layout: Layout, first: int, stop: int) -> list[bytes]:
    """Some records without their line ends."""
    starts = layout.records.starts[first:stop].tolist()
    ends = layout.records.ends[first:stop].tolist()
    return [layout.data[s:e].rstrip(b"\r\n") for s, e in zip(starts, ends, strict=True)]
