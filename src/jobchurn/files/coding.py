"""Code: the cells of a sheet by number, found in its bytes without making a text of each.

A cell of eight bytes is one number of 64 bits, so that all cells of a column are looked up at once
in a table of the texts that have come before; the bytes themselves are compared, not a hash of
them. What is not in the table is looked up one by one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from jobchurn.coded import NO_CELL, NUMBER, Coded
from jobchurn.contract import Column, Contract
from jobchurn.files.cut import Sheet
from jobchurn.files.plain import bounds_of, plain_numbers
from jobchurn.files.row_keys import keys_of_cells, keys_of_numbers, keys_of_texts
from jobchurn.files.scan import Offsets
from jobchurn.files.table import MISSING, Table
from jobchurn.files.words import View
from jobchurn.repeats import Keys

KEPT = 20_000
"""Distinct texts of a column that keep their code from sheet to sheet."""

KEPT_BYTES = 256
"""The longest text that does: one of 64 characters, as many as the contract admits, is no longer.

Of longer ones the digest is kept in its place.
"""

_TABLED = 4096
"""The most texts that are looked up in a table."""

_LEARNT = 500
"""From so many cells the first table is made, before the others of their sheet are looked up."""

_NO_NUMBERS = np.zeros(0, np.int64)


class Coder:
    """The codes of a file's columns, and of its rows, from sheet to sheet."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._columns: dict[str, _Coder] = {}

    def coded(self, sheet: Sheet) -> tuple[dict[str, Coded], Keys]:
        """The cells of each column of the contract; and for each row a number for all its bytes.

        Equal numbers stand for equal bytes, line ends left out; with other bytes they are equal
        once in 2**64, unless somebody is at pains to make them so.
        """
        if sheet.layout is None:
            return {}, np.zeros(0, np.uint64)
        view = View(sheet, sheet.layout)
        keys = np.zeros(len(view.places), np.uint64)
        found: dict[str, Coded] = {}
        for number in range(len(sheet.header)):
            name = _name_at(sheet, number)
            if name is None:
                keys += keys_of_cells(view.cells(*view.plain.column(number)), view.data, number)
                continue
            if name not in self._columns:
                self._columns[name] = _Coder(self._contract[name], number)
            quoted = {place: cells[number] for place, cells in sheet.quoted.items()}
            found[name], key = self._columns[name].coded(view, quoted)
            keys += key
        return found, view.spread(keys)


def _name_at(sheet: Sheet, number: int) -> str | None:
    return next((name for name, place in sheet.positions.items() if place == number), None)


class _Coder:
    """The codes of one column."""

    def __init__(self, column: Column, number: int) -> None:
        """Begin with no texts; the number is the column's place in the header."""
        self._number = number
        self._bounds = bounds_of(column)
        self._texts: list[str] = []
        self._codes: dict[bytes, int] = {}
        self._long: set[bytes] = set()
        self._keys = np.zeros(0, np.uint64)
        self._table: Table | None = None
        self._tabled = 0

    def coded(self, view: View, quoted: Mapping[int, str]) -> tuple[Coded, Keys]:
        """The cells of the column in a sheet; and a key for each of its plain ones."""
        starts, stops = view.plain.column(self._number)
        found, numbers = np.full(len(starts), MISSING, np.int32), _NO_NUMBERS
        keys = np.zeros(len(starts), np.uint64)
        if self._bounds is not None:
            values = plain_numbers(view, starts, stops, self._bounds)
            is_plain = values >= 0
            found[is_plain] = NUMBER
            numbers = values[is_plain]
            keys = keys_of_numbers(values, self._number)
        others = [(place, text.encode()) for place, text in quoted.items()]
        missing = np.flatnonzero(found == MISSING)
        if self._table is None and len(missing) > 2 * _LEARNT:
            self._begin(view, starts, stops, missing[:_LEARNT], others)
        if self._table is not None and len(missing):
            codes = self._table.look_up(view.cells(starts, stops))
            found = np.where(found == MISSING, codes, found) if len(numbers) else codes
            missing = np.flatnonzero(found == MISSING)
        texts = _texts_at(view, starts, stops, missing)
        places = view.places[missing].tolist()
        own, lasting = self._learn([*zip(places, texts, strict=True), *others])
        found[missing] = [self._code(text, own) for text in texts]
        if len(numbers) < len(found):
            known = np.append(self._keys, keys_of_texts(own, self._number))
            if len(numbers):
                is_text = found >= 0
                keys[is_text] = known[found[is_text]]
            else:
                keys = known.take(found)
        if len(missing) * 64 > len(found) and self._tabled < min(len(self._codes), _TABLED):
            self._tabulate()
        codes = found
        if not view.is_whole:
            codes = np.full(view.rows, NO_CELL, np.int32)
            codes[view.places] = found
            for place, text in others:
                codes[place] = self._code(text, own)
        every = [*self._texts, *(text.decode() for text in own)] if own else self._texts
        return Coded(codes, every, len(self._texts), numbers, lasting), keys

    def _begin(
        self,
        view: View,
        starts: Offsets,
        stops: Offsets,
        first: Offsets,
        quoted: Sequence[tuple[int, bytes]],
    ) -> None:
        """Learn the texts of the first cells, among which most of the others are found."""
        places = view.places[first].tolist()
        texts = _texts_at(view, starts, stops, first)
        before = [(place, text) for place, text in quoted if place < places[-1]]
        self._learn([*zip(places, texts, strict=True), *before])
        self._tabulate()

    def _tabulate(self) -> None:
        """Have the first texts found by a table from now on."""
        texts = [*self._codes][:_TABLED]
        self._table, self._tabled = Table(texts), len(texts)

    def _learn(self, cells: list[tuple[int, bytes]]) -> tuple[dict[bytes, int], int]:
        """Give new texts a code, in order of rows.

        Returns those that get one for this sheet alone, and of how many of them, from the first,
        the digest is kept.
        """
        new: list[bytes] = []
        own: dict[bytes, None] = {}
        lasting = 0
        for _, text in sorted(cells):
            if text in self._codes:
                continue
            is_room = len(self._codes) + len(self._long) < KEPT
            if is_room and len(text) <= KEPT_BYTES:
                self._codes[text] = len(self._codes)
                new.append(text)
                continue
            own[text] = None
            if is_room:
                self._long.add(hashlib.sha256(text).digest())
                lasting = len(own)
        self._texts += [text.decode() for text in new]
        self._keys = np.append(self._keys, keys_of_texts(new, self._number))
        return {text: code for code, text in enumerate(own, start=len(self._codes))}, lasting

    def _code(self, text: bytes, own: Mapping[bytes, int]) -> int:
        code = self._codes.get(text)
        return own[text] if code is None else code


def _texts_at(view: View, starts: Offsets, stops: Offsets, which: Offsets) -> list[bytes]:
    """Some cells of a column as they stand in the file."""
    bounds = zip(starts[which].tolist(), stops[which].tolist(), strict=True)
    return [view.data[start:stop] for start, stop in bounds]
