"""Keys of rows: for all bytes of a row one number of 64 bits, the sum of its cells' keys.

Each number goes into a cell's key under a seed that no other column, and no other part of a cell,
has: so cells that change places, or bytes that change cells, change the sum.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from jobchurn.files.words import LONGEST, WORD, Cells
from jobchurn.repeats import Keys, scrambled

_PARTS = LONGEST + 2


def keys_of_numbers(values: NDArray[np.int64], column: int) -> Keys:
    """A key for each whole number in the column of that place: no two numbers have the same."""
    return scrambled(values.astype(np.uint64) ^ _seeds_of(column)[0])


def keys_of_texts(texts: Iterable[bytes], column: int) -> Keys:
    """A key for each text in the column of that place."""
    # The seed is not that of the numbers: a blank hashes to 0, and is not the same as 0.
    return scrambled(_hashes_of(texts) ^ _seeds_of(column)[1])


def keys_of_cells(cells: Cells, data: bytes, column: int) -> Keys:
    """A key for each cell of a column that nobody reads, in which all of it is mixed.

    Args:
        cells: those of the column.
        data: the bytes in which they lie.
        column: its place in the header.
    """
    of_length, of_rest, of_first, *of_more = _seeds_of(column)
    found = scrambled(cells.first ^ of_first)
    found += scrambled(cells.lengths.astype(np.uint64) ^ of_length)
    for (which, words), seed in zip(cells.more, of_more, strict=False):
        found[which] += scrambled(words ^ seed)
    long = np.flatnonzero(cells.lengths > LONGEST * WORD)
    if len(long):
        starts = cells.starts[long]
        stops = (starts + cells.lengths[long]).tolist()
        rests = zip((starts + LONGEST * WORD).tolist(), stops, strict=True)
        found[long] += scrambled(_hashes_of(data[start:stop] for start, stop in rests) ^ of_rest)
    return found


def _seeds_of(column: int) -> Keys:
    """Numbers that belong to a column alone: scrambling never makes two numbers one."""
    first = column * _PARTS + 1
    return scrambled(np.arange(first, first + _PARTS, dtype=np.uint64))


def _hashes_of(texts: Iterable[bytes]) -> Keys:
    return np.array([hash(text) % 2**64 for text in texts], np.uint64)
