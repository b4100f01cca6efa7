"""A table of texts, in which all cells of a column are looked up at once by their words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jobchurn.coded import Codes
from jobchurn.files.scan import Offsets
from jobchurn.files.words import LONGEST, MULTIPLIERS, WORD, Cells

MISSING = -3
"""In place of a code: it is not in the table."""


class Table:
    """Texts, to be found by their words."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        short = [(code, text) for code, text in enumerate(texts) if len(text) <= LONGEST * WORD]
        self._codes = np.array([code for code, _ in short] or [MISSING], np.int32)
        padded = b"".join(text.ljust(LONGEST * WORD, b"\0") for _, text in short)
        padded = padded or bytes(LONGEST * WORD)
        self._words = np.frombuffer(padded, "<u8").reshape(-1, LONGEST).T.copy()
        self._lengths = np.array([len(text) for _, text in short] or [-1], np.int64)
        self._slots, self._shift, self._multiplier = self._placed()

    def look_up(self, cells: Cells) -> Codes:
        """The code of each cell; what is not found here may be known all the same."""
        places = (cells.hashed() * self._multiplier) >> self._shift
        entries = self._slots.take(places.view(np.int64))
        is_found = self._words[0].take(entries) == cells.first
        is_found &= self._lengths.take(entries) == cells.lengths
        for words, (which, theirs) in zip(self._words[1:], cells.more, strict=False):
            is_found[which] &= words[entries[which]] == theirs
        return np.where(is_found, self._codes.take(entries), np.int32(MISSING))

    def _placed(self) -> tuple[Offsets, np.uint64, np.uint64]:
        """Each entry in a slot, if possible of its own: by trying, as there is much room."""
        more = []
        for number in range(1, LONGEST):
            which = np.flatnonzero(self._lengths > number * WORD)
            more.append((which, self._words[number][which]))
        every = Cells(self._lengths, self._lengths, self._words[0], tuple(more)).hashed()
        least = int(self._lengths.size).bit_length() + 2
        fewest, best = len(every) + 1, (np.zeros(2, np.int64), np.uint64(63), np.uint64(0))
        for bits in range(least, least + 6):
            shift = np.uint64(64 - bits)
            for multiplier in MULTIPLIERS[:4]:
                places = (every * multiplier) >> shift
                slots = np.zeros(1 << bits, np.int64)
                slots[places[::-1]] = np.arange(len(places))[::-1]
                lost = int((slots[places] != np.arange(len(places))).sum())
                if lost < fewest:
                    fewest, best = lost, (slots, shift, multiplier)
                if not lost:
                    return best
        return best
