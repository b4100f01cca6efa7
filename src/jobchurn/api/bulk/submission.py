"""A request's records as they came, judged column by column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchurn.api.faults import Fault
from jobchurn.api.records import Reading, Refusals
from jobchurn.api.schema import asked
from jobchurn.columnar import Coded, Judged, Records
from jobchurn.contract import Contract

Described = tuple[list[Fault], int]
"""What is wrong with a record, and how many of its fields were not looked at."""


@dataclass(frozen=True, slots=True)
class Submission:
    """Records that were judged by columns.

    Attributes:
        count: how many there are.
        columns: column → its values; a column of the contract that no record has is absent.
        unfit: for each record whether it is refused whatever its values are; ``None``: none is.
        describe: given the place of a record that is refused, from 0, and whether the first thing
            is enough, what is wrong with it.
    """

    count: int
    columns: Mapping[str, Judged]
    unfit: NDArray[np.bool_] | None
    describe: Callable[[int, bool], Described]

    def reading(self, contract: Contract) -> Reading[Records]:
        """The records, accepted or refused."""
        refused = np.zeros(self.count, bool) if self.unfit is None else self.unfit.copy()
        columns = {}
        for column in asked(contract):
            judged = self.columns.get(column.name)
            if judged is None:
                judged = Judged(Coded([None], np.zeros(self.count, np.int32)))
                refused |= column.required
            elif judged.refused is not None:
                refused |= judged.refused
            columns[column.name] = judged.series
        records = Records(columns, self.count)
        if not refused.any():
            return Reading(records.compact(), [], 0)
        refusals = Refusals()
        for place in np.flatnonzero(refused).tolist():
            errors, uncounted = self.describe(place, refusals.are_many)
            if not errors:
                raise AssertionError("what is refused by columns is refused by itself")
            refusals.add(place + 1, errors, uncounted)
        return Reading(records.taken(~refused).compact(), refusals.refused, refusals.errors)
