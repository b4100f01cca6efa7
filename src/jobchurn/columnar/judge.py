"""Columns judged by the contract: each distinct value once, and of numbers only the extremes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobchurn.columnar.series import Coded, Numbers, Series, array_of, coded
from jobchurn.contract import Column, Value, Violation

_LONGEST_INTEGER = 18
"""Digits of a text that is surely an integer of 64 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A column that was judged.

    Attributes:
        series: the canonical values; a blank where a value is refused, or where no row has it.
        refused: for each row whether its value is; ``None`` where none is.
    """

    series: Series
    refused: NDArray[np.bool_] | None = None


def judged(column: Column, values: Sequence[Any] | Series) -> Judged:
    """Typed values, as :meth:`Column.accept` judges each of them.

    Args:
        column: the contract's.
        values: one for each row.
    """
    if isinstance(values, Coded):
        return _judged(values, column.accept)
    array = None
    if isinstance(values, Numbers):
        array, values = values.array, values.to_list()
    elif column.is_numeric:
        array = array_of(values)
    if array is not None and column.is_numeric and (found := _numbers(column, array)) is not None:
        return found
    return _judged(coded(values), column.accept)


def judged_texts(column: Column, texts: Sequence[str] | Coded) -> Judged:
    """Texts of cells, as :meth:`Column.read` judges each of them."""
    if isinstance(texts, Coded):
        return _judged(texts, column.read)
    array = _integers_of(texts) if column.is_numeric else None
    if array is not None and (found := _numbers(column, array)) is not None:
        return found
    return _judged(coded(texts), column.read)


def _judged(series: Coded, judge: Callable[[Any], Value]) -> Judged:
    canonical: list[Value] = []
    refused: list[int] = []
    for place, value in enumerate(series.values):
        try:
            canonical.append(judge(value))
        except Violation:
            canonical.append(None)
            refused.append(place)
    found = Coded(canonical, series.codes)
    if not refused:
        return Judged(found)
    is_refused = np.zeros(len(canonical), bool)
    is_refused[refused] = True
    return Judged(found, is_refused[series.codes])


def _numbers(column: Column, array: NDArray[Any]) -> Judged | None:
    """Numbers of a numeric column, judged by the least and the greatest of them.

    What such a column admits is an interval: what lies between two that it admits is admitted.
    ``None`` where that does not tell.
    """
    if not len(array):
        return None
    try:
        ends = [column.accept(end) for end in (array.min().item(), array.max().item())]
    except Violation:
        return None
    if all(type(end) is float for end in ends):
        # Adding zero turns -0.0 into 0.0.
        return Judged(Numbers(array.astype(np.float64) + 0.0))
    return Judged(Numbers(array)) if array.dtype == np.int64 else None


def _integers_of(texts: Sequence[str]) -> NDArray[np.int64] | None:
    """Texts that are all plain digits, and not many, as an array; ``None`` for others."""
    joined = "".join(texts)
    plain = joined.isascii() and joined.isdecimal() and "" not in texts
    if not plain or max(map(len, texts)) > _LONGEST_INTEGER:
        return None
    return np.fromiter(map(int, texts), np.int64, len(texts))
