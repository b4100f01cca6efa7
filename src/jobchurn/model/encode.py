"""Encode: canonical values become the numbers that the trees see. No data frame is involved.

A number stays itself; a level of a closed category becomes its place in the contract's order, a
level of an open text its place among the levels that training saw, from the most to the least
frequent; a blank becomes NaN, which the trees treat as a value of its own. A text that training
did not see gets the place after the rarest: it is treated as the rare ones are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from jobchurn.columnar import Coded, Records, Series
from jobchurn.contract import Column, Contract, Kind, Value

Record = Mapping[str, Value]
"""Canonical values by column name; an absent column is blank, extra keys are ignored."""

Levels = Mapping[str, Sequence[str]]
"""Open text column → the levels that training saw, in the order of their codes."""

BLANK = float("nan")


def levels_of(records: Iterable[Record], contract: Contract) -> dict[str, tuple[str, ...]]:
    """The levels of the open text features, from the most to the least frequent.

    Frequency is a meaning that a tree can cut by, and does not look at outcomes.
    """
    counts = {c.name: Counter[str]() for c in contract.features if c.kind is Kind.TEXT}
    for record in records:
        for name, seen in counts.items():
            if (value := record.get(name)) is not None:
                seen[str(value)] += 1
    return {
        name: tuple(sorted(seen, key=lambda level: (-seen[level], level)))
        for name, seen in counts.items()
    }


class Encoder:
    """Canonical records → rows of float64, one column for each feature in the contract's order.

    Args:
        contract: names the features; no other column is looked at.
        levels: see :data:`Levels`; a text column that it lacks has no known level.
    """

    def __init__(self, contract: Contract, levels: Levels) -> None:
        self.names = tuple(column.name for column in contract.features)
        self._codes = tuple(
            (column.name, _code_of(column, levels.get(column.name, ())))
            for column in contract.features
        )

    def row(self, record: Record) -> list[float]:
        """One record's numbers.

        Raises:
            ValueError: a value is not a canonical one of its column.
        """
        get = record.get
        return [code(get(name)) for name, code in self._codes]

    def matrix(self, records: Sequence[Record]) -> NDArray[np.float64]:
        """Many records' numbers, of shape (records, features), row after row in memory.

        Raises:
            ValueError: a value is not a canonical one of its column.
        """
        matrix = np.empty((len(records), len(self._codes)))
        if isinstance(records, Records):
            for place, (name, code) in enumerate(self._codes):
                matrix[:, place] = _encoded(records.columns[name], code)
            return matrix
        for place, (name, code) in enumerate(self._codes):
            values = [record.get(name) for record in records]
            matrix[:, place] = np.fromiter(map(code, values), np.float64, len(values))
        return matrix


def _encoded(series: Series, code: Callable[[Value], float]) -> NDArray[np.float64]:
    if isinstance(series, Coded):
        table = np.fromiter(map(code, series.values), np.float64, len(series.values))
        return table[series.codes]
    for end in (series.array.min(), series.array.max()) if len(series.array) else ():
        code(end.item())  # what lies between two numbers of a column is one of it
    return series.array.astype(np.float64)


def _code_of(column: Column, levels: Sequence[str]) -> Callable[[Value], float]:
    if column.is_numeric:
        return _number_of(column)
    codes = _Codes(column, column.levels if column.is_closed else levels)
    return codes.__getitem__


class _Codes(dict[Value, float]):
    """Level → code. Looking up a known level costs one look-up and no call of ours."""

    def __init__(self, column: Column, levels: Sequence[str]) -> None:
        super().__init__(zip(levels, map(float, range(len(levels))), strict=True))
        self._column = column
        self._unseen = float(len(levels))
        if not column.required:
            self[None] = BLANK

    def __missing__(self, value: Value) -> float:
        if self._column.is_closed or not self._column.admits(value):
            raise _not_canonical(self._column, value)
        return self._unseen


def _number_of(column: Column) -> Callable[[Value], float]:
    lowest = -np.inf if column.minimum is None else column.minimum
    highest = np.inf if column.maximum is None else column.maximum
    kinds: tuple[type, ...] = (int,) if column.kind is Kind.INTEGER else (int, float)

    def number(value: Value) -> float:
        # The exact type, since True is an int to isinstance().
        if type(value) in kinds and lowest <= value <= highest:  # type: ignore[operator]
            return float(value)  # type: ignore[arg-type]
        if value is None and not column.required:
            return BLANK
        raise _not_canonical(column, value)

    return number


def _not_canonical(column: Column, value: object) -> ValueError:
    return ValueError(f"{value!r} is not a canonical value of {column.name}")
