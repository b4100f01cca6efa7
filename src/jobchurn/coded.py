"""A column's cells by number instead of by text, so that a million are judged like a hundred.

``files`` numbers the cells of a run of records, ``quality`` judges the distinct texts behind the
numbers. Texts that recur keep their number; whole numbers that are spelt in the plainest way, as
ids are, are no texts at all but the numbers themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]

NO_CELL = -1
"""In place of a code, where a row's structure is bad: its cells are not judged."""

NUMBER = -2
"""In place of a code, where the cell is a plain whole number: see :attr:`Coded.numbers`."""


@dataclass(frozen=True, eq=False)
class Coded:
    """The cells of one column in a run of rows.

    Attributes:
        codes: for each row the place of its text in ``texts``, or :data:`NO_CELL` or
            :data:`NUMBER`.
        texts: the distinct texts.
        kept: so many of the texts, from the first, keep their place in later runs; the others are
            of this run alone.
        numbers: the number of each row whose code is :data:`NUMBER`, in order of rows: spelt
            without sign, point and leading zeros, and within the bounds of the column.
        lasting: so many of the texts of this run alone, from the first, are too long to keep a
            place; they are to be known again all the same.
    """

    codes: Codes
    texts: Sequence[str]
    kept: int
    numbers: NDArray[np.int64]
    lasting: int = 0


def coded(texts: Sequence[str], without: Iterable[int] = ()) -> Coded:
    """The cells of one column, of which all are at hand.

    Args:
        texts: of each row.
        without: the places of rows whose cells are not judged.
    """
    places: dict[str, int] = {}
    left_out = set(without)
    codes = np.full(len(texts), NO_CELL, np.int32)
    for place, text in enumerate(texts):
        if place not in left_out:
            codes[place] = places.setdefault(text, len(places))
    return Coded(codes, list(places), len(places), np.zeros(0, np.int64))
