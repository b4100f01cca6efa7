"""Ids of a column as numbers, by which each is told again however it is spelt."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobchurn.coded import NUMBER, Coded
from jobchurn.contract import Column
from jobchurn.quality import suite

OFFSET = 2
"""Codes that stand for no text are -1 and -2."""


def key_of(column: Column, text: str) -> int:
    """The number of an admitted id: alike for all its spellings."""
    if not column.is_numeric:
        return hash(text) % 2**64
    number = suite.number_of(text)
    if number is None:  # blank
        return 0
    return (int(number) if number == int(number) else hash(number)) % 2**64


def ids_of(
    cells: Coded, doubtful: NDArray[np.bool_], keys: NDArray[np.uint64]
) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
    """Which rows have an id, and by which number it is told again."""
    found = keys[cells.codes + OFFSET]
    found[cells.codes == NUMBER] = cells.numbers.astype(np.uint64)
    blank = np.array([not text for text in cells.texts], bool)
    is_none = np.append([False, True], doubtful[OFFSET:] | blank)
    return ~is_none[cells.codes + OFFSET], found
