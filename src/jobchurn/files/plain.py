"""Whole numbers that are spelt in the plainest way, read from a sheet's words all at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobchurn.contract import Column, Kind
from jobchurn.files.scan import Offsets
from jobchurn.files.words import MASKS, WORD, View, Words

_MOST_DIGITS = 16
_LEAST = np.array([2**63 - 1, 0] + [10**n for n in range(1, _MOST_DIGITS)], np.int64)
"""By number of digits: the least number that is spelt with so many and without leading zeros."""


def bounds_of(column: Column) -> tuple[int, int] | None:
    """Between which numbers whole ones are plain; ``None`` where the column is not of such."""
    if column.kind is not Kind.INTEGER or column.minimum is None or column.maximum is None:
        return None
    return max(int(column.minimum), 0), int(column.maximum)


def plain_numbers(
    view: View, starts: Offsets, stops: Offsets, bounds: tuple[int, int]
) -> NDArray[np.int64]:
    """The number that each cell spells in the plainest way, and within bounds; else -1."""
    lengths = stops - starts
    value, is_plain = _digits(view.ending(stops), np.minimum(lengths, WORD))
    if int(lengths.max(initial=0)) > WORD:
        long = np.flatnonzero(lengths > WORD)
        left = np.minimum(lengths[long] - WORD, WORD)
        upper, are_digits = _digits(view.ending(stops[long] - WORD), left)
        value[long] += upper * 10**WORD
        is_plain[long] &= are_digits
    is_plain &= lengths <= _MOST_DIGITS
    is_plain &= value >= _LEAST[np.minimum(lengths, _MOST_DIGITS)]
    is_plain &= (value >= bounds[0]) & (value <= bounds[1])
    value[~is_plain] = -1
    return value


def _digits(words: Words, lengths: Offsets) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The numbers that words end with, in so many digits; and whether they are digits.

    Source: D. Lemire, "Quickly parsing eight digits" (2018).
    """
    # What lies before the digits becomes zeros, whose value it then has, too.
    others = MASKS[WORD - lengths]
    zeros = np.uint64(0x3030303030303030)
    values = ((words & ~others) | (zeros & others)) ^ zeros
    are_digits = ((values + np.uint64(0x7676767676767676)) | values) & np.uint64(0x8080808080808080)
    values = values * np.uint64(2561) >> np.uint64(8)
    values = (values & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(6553601) >> np.uint64(16)
    values = (values & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(42949672960001) >> np.uint64(32)
    return values.astype(np.int64), are_digits == 0
