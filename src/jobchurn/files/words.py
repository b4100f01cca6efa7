"""A sheet's cells as words: eight bytes of each are one number of 64 bits, read at any offset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchurn.files.cut import Sheet
from jobchurn.files.layout import Layout, content_of
from jobchurn.files.scan import Offsets

Words = NDArray[np.uint64]

WORD = 8
"""In bytes."""

LONGEST = 8
"""In words: of longer cells no more is read."""

MASKS = np.array([(1 << (8 * size)) - 1 for size in range(WORD)] + [2**64 - 1], np.uint64)
"""By number of bytes: the first so many of a word."""

MULTIPLIERS = np.random.default_rng(20261128).integers(1, 2**63, 64).astype(np.uint64) * 2 + 1
"""Odd numbers, by which words are mixed."""

_PAD = bytes(WORD)


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of one column in the records without quotes, as words.

    Attributes:
        starts, lengths: of each cell, in bytes.
        first: the first eight bytes of each.
        more: for the second word and on, which cells reach there, and what they hold.
    """

    starts: Offsets
    lengths: Offsets
    first: Words
    more: tuple[tuple[Offsets, Words], ...]

    def hashed(self) -> Words:
        """A number for each, alike for alike cells, in whose upper bits the whole cell is mixed."""
        found: Words = self.first * MULTIPLIERS[0] + self.lengths.view(np.uint64) * MULTIPLIERS[1]
        for (cells, words), multiplier in zip(self.more, MULTIPLIERS[2:], strict=False):
            found[cells] += words * multiplier
        return found


class View:
    """A sheet's bytes, in which words are read at any offset."""

    def __init__(self, sheet: Sheet, layout: Layout) -> None:
        self.data = sheet.data
        self.rows = sheet.rows
        self.plain = layout.plain([row - sheet.first_row for row in sheet.faults])
        self.is_whole = self.plain.places is None
        self.places = np.arange(self.rows) if self.plain.places is None else self.plain.places
        padded = b"".join((_PAD, sheet.data, bytes(-len(sheet.data) % WORD), _PAD, _PAD))
        self._words: Words = np.frombuffer(padded, "<u8")

    def cells(self, starts: Offsets, stops: Offsets) -> Cells:
        """Cells between those bounds, left-aligned in words."""
        lengths = stops - starts
        first = self._beginning(starts) & MASKS.take(np.minimum(lengths, WORD))
        longest = int(lengths.max(initial=0))
        more = []
        for at in range(WORD, min(longest, LONGEST * WORD), WORD):
            cells = np.flatnonzero(lengths > at)
            left = np.minimum(lengths[cells] - at, WORD)
            more.append((cells, self._beginning(starts[cells] + at) & MASKS[left]))
        return Cells(starts, lengths, first, tuple(more))

    def _beginning(self, starts: Offsets) -> Words:
        """The eight bytes from each offset on."""
        return self.ending(starts + WORD)

    def ending(self, stops: Offsets) -> Words:
        """The eight bytes before each offset."""
        # Put together from two words that lie aligned: NumPy takes others three times as slowly.
        places = stops >> 3
        low = ((stops & 7) << 3).view(np.uint64)
        found: Words = self._words.take(places) >> low
        places += 1
        found |= self._words.take(places) << (np.uint64(64) - low)
        return found

    def spread(self, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The keys of all rows, of which those of the plain ones are known."""
        if self.is_whole:
            return keys
        every = np.zeros(self.rows, np.uint64)
        every[self.places] = keys
        layout = self.plain.layout
        for place in np.setdiff1d(np.arange(self.rows), self.places).tolist():
            every[place] = hash(content_of(layout.data, layout.records, place)) % 2**64
        return every
