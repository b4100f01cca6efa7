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


_NUMBERS = 256
"""Up to so many distinct numbers of a column are looked up as they are.

Anybody can compute Python's hash of a number, and so send many that meet in one place of a
dictionary, where each is compared with all before it. That of a text is drawn anew in each process.
"""


class _ManyNumbers(Exception):
    """A column has more distinct numbers than are looked up as they are."""


class _Places(dict[Any, int]):
    """Key → its place in the order in which keys came; a new one gets the next."""

    def __missing__(self, key: Any) -> int:
        place = self[key] = len(self)
        if place >= _NUMBERS and type(key) not in (str, bytes):
            raise _ManyNumbers
        return place


def coded(values: Sequence[Any]) -> Coded:
    """Values by the distinct ones of them; 1, 1.0 and true are three."""
    places = _Places()
    try:
        codes = _codes(places, values)
    except TypeError:  # a list or an object, which no column admits: one stands for all
        return coded([value if value.__hash__ else _NO_VALUE for value in values])
    except _ManyNumbers:
        return _sorted(values) or _spelt(values)
    # Numbers of several types may be equal, and then only the first of them was seen.
    if any(isinstance(value, int | float) for value in places) and len(set(map(type, values))) > 1:
        return _spelt(values)
    return Coded(list(places), codes)


_NO_VALUE = object()


def _sorted(values: Sequence[Any]) -> Coded | None:
    """Numbers of one type, by sorting them; ``None`` for others."""
    array = array_of(values)
    if array is None:
        return None
    # By their bits: zero and negative zero are two.
    distinct, codes = np.unique(array.view(np.int64), return_inverse=True)
    return Coded(distinct.view(array.dtype).tolist(), codes.astype(np.int32))


def _spelt(values: Sequence[Any]) -> Coded:
    """Values of several types, by a text for each; equal ones of two types have two."""
    places = _Places()
    # Numbers as bytes, which equal no text. Python refuses to spell long ones in decimal digits.
    keys = [
        value
        if type(value) is str
        else b"%x" % value
        if type(value) is int
        else repr(value).encode()
        for value in values
    ]
    codes = _codes(places, keys)
    distinct: list[Any] = [None] * len(places)
    for place, value in zip(codes.tolist(), values, strict=True):
        distinct[place] = value
    return Coded(distinct, codes)


def _codes(places: _Places, keys: Sequence[Any]) -> Codes:
    return np.fromiter(map(places.__getitem__, keys), np.int32, len(keys))


def array_of(values: Sequence[Any]) -> NDArray[Any] | None:
    """Values that are all integers of 64 bits, or all floats; ``None`` for others."""
    match set(map(type, values)):
        case kinds if kinds == {int}:
            try:
                return np.fromiter(values, np.int64, len(values))
            except OverflowError:
                return None
        case kinds if kinds == {float}:
            return np.fromiter(values, np.float64, len(values))
    return None


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
