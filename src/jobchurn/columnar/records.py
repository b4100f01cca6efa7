"""Canonical records, kept column by column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import overload

import numpy as np

from jobchurn.columnar.series import Rows, Series, coded
from jobchurn.contract import Contract, Value


class Records(Sequence[Mapping[str, Value]]):
    """Canonical records, kept column by column; as a sequence, they are mappings.

    Args:
        columns: of every column of a contract, its values.
        count: how many records there are.
    """

    def __init__(self, columns: Mapping[str, Series], count: int) -> None:
        self.columns = columns
        self._count = count

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Value]], contract: Contract) -> Records:
        """Records that are given one by one, all canonical; an absent column is blank."""
        found = list(records)
        columns = {name: coded([record.get(name) for record in found]) for name in contract.by_name}
        return cls(columns, len(found))

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> dict[str, Value]: ...

    @overload
    def __getitem__(self, place: slice) -> Records: ...

    def __getitem__(self, place: int | slice) -> dict[str, Value] | Records:
        if isinstance(place, slice):
            return self.taken(place)
        place = range(self._count)[place]
        return {name: series.at(place) for name, series in self.columns.items()}

    def compact(self) -> Records:
        """The same records; among their columns' values are only those that a record has."""
        columns = {name: series.compact() for name, series in self.columns.items()}
        return Records(columns, self._count)

    def taken(self, rows: Rows) -> Records:
        """Some of the records."""
        columns = {name: series.of(rows) for name, series in self.columns.items()}
        return Records(columns, len(np.arange(self._count)[rows]))

    def to_list(self) -> list[dict[str, Value]]:
        """Each record as a mapping."""
        if not self.columns:
            return [{} for _ in range(self._count)]
        values = (series.to_list() for series in self.columns.values())
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*values, strict=True)]
