"""A column of values: by its distinct ones, or as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

Codes: TypeAlias = NDArray[np.int32]
Rows: TypeAlias = slice | NDArray[Any]
"""Which rows: a slice, their places in order, or a truth value for each."""


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A column by its distinct values (dictionary encoding).

    Attributes:
        values: the values, in any order; one may stand twice.
        codes: of each row, the place of its value.
    """

    values: Sequence[Any]
    codes: Codes

    def __len__(self) -> int:
        return len(self.codes)

    def at(self, place: int) -> Any:
        """One row's value, at the same cost however many values there are."""
        return self.values[self.codes[place]]

    def of(self, rows: Rows) -> Coded:
        """The same column of some of the rows."""
        return Coded(self.values, self.codes[rows])

    def compact(self) -> Coded:
        """The same column without values that no row has."""
        is_used = np.bincount(self.codes, minlength=len(self.values)) > 0
        if is_used.all():
            return self
        values = [value for value, used in zip(self.values, is_used, strict=True) if used]
        return Coded(values, (np.cumsum(is_used, dtype=np.int32) - 1)[self.codes])

    def through(self, table: Sequence[Any]) -> list[Any]:
        """For each row, what ``table`` has in the place of its value."""
        array = np.empty(len(table), object)
        array[:] = table
        return cast("list[Any]", array[self.codes].tolist())

    def to_list(self) -> list[Any]:
        """Each row's value."""
        return self.through(self.values)


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A column of numbers, most of them distinct and none blank.

    Attributes:
        array: of int64 or float64, one for each row.
    """

    array: NDArray[Any]

    def __len__(self) -> int:
        return len(self.array)

    def at(self, place: int) -> Any:
        """One row's value."""
        return self.array[place].item()

    def of(self, rows: Rows) -> Numbers:
        """The same column of some of the rows."""
        return Numbers(self.array[rows])

    def compact(self) -> Numbers:
        """The same column."""
        return self

    def to_list(self) -> list[Any]:
        """Each row's value."""
        return cast("list[Any]", self.array.tolist())


Series: TypeAlias = Coded | Numbers


class _Places(dict[Any, int]):
    """Key → its place in the order in which keys came; a new one gets the next."""

    def __missing__(self, key: Any) -> int:
        place = self[key] = len(self)
        return place


def coded(values: Sequence[Any]) -> Coded:
    """Values by the distinct ones of them; 1, 1.0 and true are three."""
    places = _Places()
    try:
        codes = _codes(places, values)
    except TypeError:  # a list or an object, which no column admits: one stands for all
        places.clear()
        values = [value if value.__hash__ else _NO_VALUE for value in values]
        codes = _codes(places, values)
    # Numbers of several types may be equal, and then only the first of them was seen.
    if any(isinstance(value, int | float) for value in places) and len(set(map(type, values))) > 1:
        pairs = _Places()
        codes = _codes(pairs, list(zip(map(type, values), values, strict=True)))
        return Coded([value for _, value in pairs], codes)
    return Coded(list(places), codes)


_NO_VALUE = object()


def _codes(places: _Places, keys: Sequence[Any]) -> Codes:
    return np.fromiter(map(places.__getitem__, keys), np.int32, len(keys))


def few(array: NDArray[Any], most: int) -> Coded | None:
    """Numbers by the distinct ones of them; ``None`` where these are more than ``most``.

    Args:
        array: of int64 or float64, without not-a-number and negative zero.
        most: how many distinct numbers there may be.
    """
    distinct = np.unique(array[: 4 * most])
    for _ in range(2):
        if not 0 < len(distinct) <= most:
            return None
        codes = np.searchsorted(distinct, array)
        codes[codes == len(distinct)] = 0
        is_other = distinct[codes] != array
        if not is_other.any():
            return Coded(distinct.tolist(), codes.astype(np.int32))
        distinct = np.union1d(distinct, array[is_other])
    raise AssertionError("all were looked at")
