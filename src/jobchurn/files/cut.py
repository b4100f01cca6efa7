"""Cut: a CSV file's bytes become records, judged by their structure, and columns of cell texts.

The bytes are read once and kept; records are offsets into them, so that ``route`` writes what came.
No data frame stands in between. Cells are texts as they stand in the file, their quotes undone:
what they are worth is for ``quality`` to say.
"""

from __future__ import annotations

import csv
import hashlib
from bisect import bisect_left
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from jobchurn.contract import Contract
from jobchurn.files.cells import spans
from jobchurn.files.folders import open_regular
from jobchurn.files.header import Header, header_of, refusal_of_bytes
from jobchurn.files.scan import BOM, Offsets, Records, scan
from jobchurn.files.structure import fault, refusal
from jobchurn.verdict import Reason, StructureRule

MAX_CELL_BYTES = 64 * 1024
"""The most bytes of one cell, as it stands in the file."""

_CELLS_AT_ONCE = 262_144
"""How many cells are parted in one go: enough to be fast, few enough to be small."""

_MEMORISED = 50_000
"""Distinct texts of a column that are kept once for all rows."""

_BROKEN = {
    StructureRule.UNCLOSED_QUOTE: "a quote is opened and not properly closed",
    StructureRule.STRAY_QUOTE: "a quote stands where none may: write it twice, in a quoted cell",
    StructureRule.TOO_MANY_CELLS: "far more cells than the header has",
}


@dataclass(frozen=True, eq=False)
class Sheet:
    """A CSV file, cut.

    Attributes:
        data: the file's bytes.
        starts: the first byte of each record after the header, and the end of the file: record
            ``row`` is ``data[starts[row - 1]:starts[row]]``, blank lines after it included. What
            lies before the first is the header, with a byte order mark and blank lines around it.
        header: the names of all columns, without blanks and quotes around them.
        columns: column of the contract → the text of every row's cell, "" where the row's
            structure is bad; only for columns that the file has.
        faults: row, from 1 → what is wrong with its structure; in order of rows.
        refusal: why the file is refused as a whole; then there are no rows.
        missing: required columns that the file lacks; then every row is bad.
        notes: what was noticed and accepted, in words.
    """

    data: bytes = field(repr=False)
    starts: Offsets = field(repr=False)
    header: tuple[str, ...] = ()
    columns: dict[str, list[str]] = field(default_factory=dict, repr=False)
    faults: dict[int, Reason] = field(default_factory=dict, repr=False)
    refusal: Reason | None = None
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many records there are, good and bad."""
        return len(self.starts) - 1

    @property
    def head(self) -> bytes:
        """The header's bytes, and whatever blank lines stand before the first record."""
        return self.data[: self.starts[0]]

    def record(self, row: int) -> bytes:
        """A record's bytes, with its line end and the blank lines after it.

        Raises:
            IndexError: there is no such row.
        """
        if not 1 <= row <= self.rows:
            raise IndexError(f"row {row} of {self.rows}")
        return self.data[self.starts[row - 1] : self.starts[row]]

    @cached_property
    def sha256(self) -> str:
        """The hash of the bytes that were cut, whatever the file holds by now."""
        return hashlib.sha256(self.data).hexdigest()


def cut(path: Path, contract: Contract) -> Sheet:
    """Cut a CSV file into records; whatever it holds, the answer is a sheet.

    Raises:
        OSError: the file cannot be read.
        DataUnusable: it is no regular file.
    """
    with open_regular(path) as file:
        return cut_bytes(file.read(), contract)


def cut_bytes(data: bytes, contract: Contract) -> Sheet:
    """Cut a CSV file's bytes into records, as :func:`cut` does."""
    if refused := refusal_of_bytes(data):
        return _refused(data, refused)
    records = scan(data)
    if not len(records):
        return _refused(
            data, refusal(StructureRule.EMPTY, data, "The file holds nothing but blank lines.")
        )
    line = data[records.starts[0] : records.ends[0]].rstrip(b"\r\n")
    header = header_of(line, records.broken.get(0), contract, data)
    if isinstance(header, Reason):
        return _refused(data, header)
    faults = _faults(data, records)
    columns, repeats = _columns(data, records, header, faults)
    return Sheet(
        data=data,
        starts=np.append(records.starts[1:], len(data)),
        header=header.names,
        columns=columns,
        faults=dict(sorted(faults.items())),
        missing=header.missing,
        notes=(*header.notes, *_notes(data, records, repeats)),
    )


def _refused(data: bytes, reason: Reason) -> Sheet:
    return Sheet(data=data, starts=np.array([len(data)]), refusal=reason)


def _raws(data: bytes, records: Records, rows: range) -> list[bytes]:
    """Records without their line ends. The header is record 0, so that records count as rows do."""
    starts = records.starts[rows.start : rows.stop].tolist()
    ends = records.ends[rows.start : rows.stop].tolist()
    return [data[s:e].rstrip(b"\r\n") for s, e in zip(starts, ends, strict=True)]


def _raw(data: bytes, records: Records, row: int) -> bytes:
    return _raws(data, records, range(row, row + 1))[0]


def _faults(data: bytes, records: Records) -> dict[int, Reason]:
    """Row → what is wrong with it, whatever the header says; of several things the first.

    Record 0, the header, has been judged before.
    """
    faults: dict[int, Reason] = {}
    for find in (_nuls, _not_utf_8, _broken, _oversized):
        for row, rule, message in find(data, records, faults):
            if row:
                faults.setdefault(row, fault(row, rule, _raw(data, records, row), message))
    return faults


_Found = Iterator[tuple[int, StructureRule, str]]


def _nuls(data: bytes, records: Records, _: Container[int]) -> _Found:
    if b"\0" in data:
        for row in records.at(np.flatnonzero(np.frombuffer(data, np.uint8) == 0)):
            yield row, StructureRule.NUL, "it holds a NUL, which no text has"


def _not_utf_8(data: bytes, records: Records, _: Container[int]) -> _Found:
    if _is_utf_8(data):
        return
    for row, raw in enumerate(_raws(data, records, range(len(records)))):
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            octet, place = error.object[error.start], error.start + 1
            yield row, StructureRule.ENCODING, f"byte {place} (0x{octet:02x}) is not UTF-8"


def _is_utf_8(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def _broken(_data: bytes, records: Records, _: Container[int]) -> _Found:
    for row, rule in records.broken.items():
        yield row, rule, _BROKEN[rule]


def _oversized(data: bytes, records: Records, faults: Container[int]) -> _Found:
    for row in np.flatnonzero(records.ends - records.starts > MAX_CELL_BYTES).tolist():
        if row in faults:
            continue
        places = spans(_raw(data, records, row)) or ()
        size = max((stop - start for start, stop in places), default=0)
        if size > MAX_CELL_BYTES:
            message = f"a cell of {size:,} bytes, where {MAX_CELL_BYTES:,} are the most"
            yield row, StructureRule.CELL_SIZE, message


def _columns(
    data: bytes, records: Records, header: Header, faults: dict[int, Reason]
) -> tuple[dict[str, list[str]], int]:
    """Column → its cells' texts, and how many rows repeat another; adds what the cells tell.

    Records without quotes are joined by commas and parted all at once. The others are read one by
    one; they, and the bad ones, lie blank among the joined ones.
    """
    width = len(header.names)
    blank = b"," * (width - 1)
    head = _raw(data, records, 0)
    columns: dict[str, list[str]] = {name: [] for name in header.positions}
    memory: dict[str, dict[str, str]] = {name: {} for name in header.positions}
    seen: set[int] = set()
    at_once = max(_CELLS_AT_ONCE // width, 1)
    for first in range(1, len(records), at_once):
        rows = range(first, min(first + at_once, len(records)))
        pieces = _raws(data, records, rows)
        seen.update(map(hash, pieces))
        quoted = _quoted(records, rows, pieces, faults)
        for row, rule, message in _misfits(rows, pieces, quoted, head, width):
            if row not in faults:
                faults[row] = fault(row, rule, pieces[row - first], message)
        for row in [row for row in rows if row in quoted or row in faults]:
            pieces[row - first] = blank
        joined = b",".join(pieces).decode().split(",")
        sound = [row for row in quoted if row not in faults]
        for name, place in header.positions.items():
            part = joined[place::width]
            for row in sound:
                part[row - first] = quoted[row][place]
            if len(memory[name]) < _MEMORISED:
                part = list(map(memory[name].setdefault, part, part))
            columns[name] += part
    return columns, len(records) - 1 - len(seen)


def _quoted(
    records: Records, rows: range, pieces: list[bytes], faults: Container[int]
) -> dict[int, list[str]]:
    """Row → cells, of those rows that hold quotes and can be read."""
    first, stop = (bisect_left(records.quoted, row) for row in (rows.start, rows.stop))
    readable = [row for row in records.quoted[first:stop] if row not in faults]
    lines = (pieces[row - rows.start].decode() for row in readable)
    return dict(zip(readable, csv.reader(lines), strict=True))


def _misfits(
    rows: range, pieces: list[bytes], quoted: dict[int, list[str]], head: bytes, width: int
) -> _Found:
    """Rows that are the header again, or have another number of cells than it."""
    if head in pieces:
        for row, piece in zip(rows, pieces, strict=True):
            if piece == head:
                yield row, StructureRule.REPEATED_HEADER, "it repeats the header"
    counts = [piece.count(b",") + 1 for piece in pieces]
    for row, cells in quoted.items():
        counts[row - rows.start] = len(cells)
    if counts.count(width) == len(counts):
        return
    for row, count in zip(rows, counts, strict=True):
        if count != width:
            rule = StructureRule.TOO_FEW_CELLS if count < width else StructureRule.TOO_MANY_CELLS
            yield row, rule, f"{_counted(count, 'cell')} where the header has {width:,}"


def _notes(data: bytes, records: Records, repeats: int) -> Iterator[str]:
    """What was noticed about the bytes, and accepted."""
    if data.startswith(BOM):
        yield "The file begins with a byte order mark."
    if records.blank_lines:
        yield f"{_counted(records.blank_lines, 'blank line')}, counted as no row."
    if (kinds := _line_ends(data, records)).keys() - {"LF"}:
        yield f"Lines end with {', '.join(f'{kind} ({n:,})' for kind, n in kinds.items())}."
    if not data.endswith((b"\n", b"\r")):
        yield "The last line has no line end: the file may have been cut off."
    if repeats:
        yield f"Byte for byte the same as another: {_counted(repeats, 'row')}."


def _line_ends(data: bytes, records: Records) -> dict[str, int]:
    """Line end → how many records end with it."""
    octets = np.frombuffer(data, np.uint8)
    last, before = octets[records.ends - 1], octets[np.maximum(records.ends - 2, 0)]
    line_feed, both = last == ord("\n"), (last == ord("\n")) & (before == ord("\r"))
    counted = {
        "CR LF": int(both.sum()),
        "LF": int((line_feed & ~both).sum()),
        "CR": int((last == ord("\r")).sum()),
    }
    return {kind: count for kind, count in counted.items() if count}


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
