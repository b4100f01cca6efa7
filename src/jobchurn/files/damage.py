"""What is wrong with the structure of single records: bytes, quotes, and the number of cells."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Container, Iterator, Mapping

import numpy as np

from jobchurn.files.cells import spans
from jobchurn.files.layout import Layout, content_of
from jobchurn.files.scan import MAX_RECORD_BYTES, Records
from jobchurn.files.structure import fault
from jobchurn.verdict import Reason, StructureRule

MAX_CELL_BYTES = 64 * 1024
"""The most bytes of one cell, as it stands in the file."""

_BROKEN = {
    StructureRule.UNCLOSED_QUOTE: "a quote is opened and not properly closed",
    StructureRule.STRAY_QUOTE: "a quote stands where none may: write it twice, in a quoted cell",
    StructureRule.TOO_MANY_CELLS: "far more cells than the header has",
    StructureRule.CELL_SIZE: "it holds quotes, and is longer than any record may be",
}

_Found = Iterator[tuple[int, StructureRule, str]]


def faults_of(
    layout: Layout, head: bytes, first_row: int
) -> tuple[dict[int, Reason], dict[int, list[str]]]:
    """What is wrong with records, of several things the first; and the cells of those in quotes.

    Args:
        layout: the records, and where their commas are.
        head: the header's bytes, without its line end.
        first_row: the first record's number.

    Returns:
        Row → reason, in order of rows. And place, from 0, of each record that holds quotes and is
        sound → its cells.
    """
    faults: dict[int, Reason] = {}
    for find in (_overlong, _nuls, _not_utf_8, _broken, _oversized):
        _note(faults, layout, find(layout.data, layout.records, faults))
    quoted = dict(_quoted(layout, faults))
    _note(faults, layout, _misfits(layout, quoted, head))
    sound = {place: cells for place, cells in quoted.items() if place not in faults}
    rows = {
        place + first_row: dataclasses.replace(faults[place], row=place + first_row)
        for place in sorted(faults)
    }
    return rows, sound


def _note(faults: dict[int, Reason], layout: Layout, found: _Found) -> None:
    for place, rule, message in found:
        if place not in faults:
            raw = content_of(layout.data, layout.records, place)
            faults[place] = fault(place, rule, raw, message)


def _overlong(_data: bytes, records: Records, _: Container[int]) -> _Found:
    for place in np.flatnonzero(records.ends - records.starts > MAX_RECORD_BYTES).tolist():
        message = f"a record of more than {MAX_RECORD_BYTES:,} bytes, which are the most"
        yield place, StructureRule.CELL_SIZE, message


def _nuls(data: bytes, records: Records, _: Container[int]) -> _Found:
    if b"\0" in data:
        for place in records.at(np.flatnonzero(np.frombuffer(data, np.uint8) == 0)):
            yield place, StructureRule.NUL, "it holds a NUL, which no text has"


def _not_utf_8(data: bytes, records: Records, _: Container[int]) -> _Found:
    if _is_utf_8(data):
        return
    for place in range(len(records)):
        try:
            content_of(data, records, place).decode()
        except UnicodeDecodeError as error:
            octet, number = error.object[error.start], error.start + 1
            yield place, StructureRule.ENCODING, f"byte {number} (0x{octet:02x}) is not UTF-8"


def _is_utf_8(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def _broken(_data: bytes, records: Records, _: Container[int]) -> _Found:
    for place, rule in records.broken.items():
        yield place, rule, _BROKEN[rule]


def _oversized(data: bytes, records: Records, faults: Container[int]) -> _Found:
    for place in np.flatnonzero(records.ends - records.starts > MAX_CELL_BYTES).tolist():
        if place in faults:
            continue
        size = longest_cell(content_of(data, records, place))
        if size > MAX_CELL_BYTES:
            message = f"a cell of {size:,} bytes, where {MAX_CELL_BYTES:,} are the most"
            yield place, StructureRule.CELL_SIZE, message


def longest_cell(record: bytes) -> int:
    """The bytes of a record's longest cell, its quotes included; 0 where the grammar is broken."""
    if b'"' not in record:
        # Of millions of cells none is made: each would take a hundred times its own bytes.
        commas = np.flatnonzero(np.frombuffer(record, np.uint8) == ord(","))
        return int(np.diff(commas, prepend=-1, append=len(record)).max()) - 1
    places = spans(record) or ()
    return max((stop - start for start, stop in places), default=0)


def _quoted(layout: Layout, faults: Container[int]) -> Iterator[tuple[int, list[str]]]:
    """The cells of those records that hold quotes and can be read."""
    places = [place for place in layout.records.quoted if place not in faults]
    lines = (content_of(layout.data, layout.records, place).decode() for place in places)
    return zip(places, csv.reader(lines), strict=True)


def _misfits(layout: Layout, quoted: Mapping[int, list[str]], head: bytes) -> _Found:
    """Records that are the header again, or have another number of cells than it."""
    if head in layout.data:
        for place in layout.of_length(len(head)):
            if content_of(layout.data, layout.records, place) == head:
                yield place, StructureRule.REPEATED_HEADER, "it repeats the header"
    if layout.fits:
        return
    counts = layout.counts.copy()
    for place, cells in quoted.items():
        counts[place] = len(cells)
    for place in np.flatnonzero(counts != layout.width).tolist():
        count = int(counts[place])
        rule = StructureRule.TOO_FEW_CELLS if count < layout.width else StructureRule.TOO_MANY_CELLS
        noun = "cell" if count == 1 else "cells"
        yield place, rule, f"{count:,} {noun} where the header has {layout.width:,}"
