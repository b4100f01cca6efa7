"""A file's cells become a verdict, run of rows by run of rows, in memory that has a bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from jobchurn.coded import Coded, coded
from jobchurn.contract import Contract
from jobchurn.quality.column import JudgedColumn
from jobchurn.verdict import Reason, RuleResult, StructureRule, Verdict

_WAITING = 50_000
"""How many doubtful cells and faults wait for a judgement, before it is asked for."""

_WAITING_BYTES = 16 * 1024 * 1024
"""How much memory the texts of the doubtful cells take before it is asked for sooner."""

Bad = tuple[int, tuple[Reason, ...]]
"""A bad row, and why."""


class Judge:
    """Says what a contract makes of a file's cells.

    A bad row has one reason for each column that it breaks: the first rule broken. Where required
    columns are missing every row is bad, which the verdict says once; the columns that are there
    are judged all the same, for the statistics.
    """

    def __init__(
        self,
        contract: Contract,
        columns: Collection[str],
        *,
        missing: Sequence[str] = (),
        known_levels: Mapping[str, Collection[str]] | None = None,
        listed: int | None = None,
        folder: Path | None = None,
    ) -> None:
        """Begin with no rows.

        Args:
            contract: what is promised.
            columns: those that the file has.
            missing: required columns that it lacks.
            known_levels: column name → the values that the model in charge has seen.
            listed: how many reasons of each kind the verdict lists; all by default.
            folder: where temporary files lie; by default where the system has them.

        Raises:
            ValueError: the arguments contradict each other.
        """
        for name in columns:
            if name not in contract.by_name:
                raise ValueError(f"{name} is no column of the contract")
        for column in contract.required:
            if (column.name in columns) == (column.name in missing):
                raise ValueError(f"{column.name} is required: it is either there or missing")
        known = known_levels or {}
        self.missing = tuple(missing)
        self._columns = [
            JudgedColumn(column, known.get(column.name), folder)
            for column in contract.columns
            if column.name in columns
        ]
        self._listed = listed
        self._rows = self._taken = 0
        self._asked_for = 0
        self._faults: list[Reason] = []
        self._broken: Counter[str] = Counter()
        self._kinds: Counter[tuple[str | None, str]] = Counter()
        self._bad: dict[int, tuple[Reason, ...]] = {}
        self._unlisted = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give temporary files back."""
        for column in self._columns:
            column.close()

    def take(
        self, cells: Mapping[str, Coded], rows: int, faults: Mapping[int, Reason]
    ) -> NDArray[np.int64]:
        """Take the next rows; return which of them may turn out to be bad, in order.

        Args:
            cells: of each column that the file has; :data:`~jobchurn.coded.NO_CELL` in rows whose
                structure is bad.
            rows: how many these are.
            faults: row number → what is wrong with its structure; its cells are not judged.
        """
        doubtful = [
            column.take(cells[column.column.name], self._rows + 1) for column in self._columns
        ]
        self._rows += rows
        self._taken = rows
        self._faults += faults.values()
        self._broken.update(reason.rule for reason in faults.values())
        return np.unique(np.concatenate([*doubtful, np.array([*faults], np.int64)]))

    @property
    def have_ids(self) -> NDArray[np.bool_]:
        """Which of the rows that were taken last have an id by which each is told again."""
        found = [column.have_ids for column in self._columns if column.have_ids is not None]
        return found[0] if found else np.zeros(self._taken, bool)

    @property
    def ids_recur(self) -> bool:
        """Whether an id occurs more than once in what was taken; no more is taken after this."""
        return any(column.recurring.values for column in self._columns)

    @property
    def is_due(self) -> bool:
        """Whether so much waits that :meth:`bad_rows` should be asked for."""
        held = sum(column.waiting_bytes for column in self._columns)
        return self._are_many or held > _WAITING_BYTES

    @property
    def _are_many(self) -> bool:
        waiting = len(self._faults) + sum(column.waiting for column in self._columns)
        return self._asked_for + waiting > _WAITING

    def bad_rows(self) -> Iterator[Bad]:
        """The bad ones, in order, of the rows since this was last asked for; ask to the end.

        None, where required columns are missing: then all are bad.

        Raises:
            JudgementFailed: a rule could not be evaluated, or the contract admits what it refuses.
        """
        # Long texts are asked for sooner, but not forgotten sooner: for how many of them a repair
        # is looked for is to depend on their number alone.
        is_round_over = self._are_many
        self._asked_for += len(self._faults) + sum(column.waiting for column in self._columns)
        reasons = self._faults
        for column in self._columns:
            reasons = reasons + column.reasons()
            if is_round_over:
                column.forget()
        if is_round_over:
            self._asked_for = 0
        self._faults = []
        if self.missing:
            return
        # Stable: the reasons of a row stay in the order of the columns.
        reasons.sort(key=lambda reason: reason.row or 0)
        for row, found in groupby(reasons, key=lambda reason: reason.row or 0):
            bad = row, tuple(found)
            self._list(*bad)
            yield bad

    def _list(self, row: int, reasons: tuple[Reason, ...]) -> None:
        kinds = [(reason.column, reason.rule) for reason in reasons]
        if self._listed is None or any(self._kinds[kind] < self._listed for kind in kinds):
            self._bad[row] = reasons
            self._kinds.update(kinds)
        else:
            self._unlisted += 1

    def verdict(self, notes: Iterable[str] = ()) -> Verdict:
        """What was found, once all bad rows were asked for.

        Args:
            notes: what was noticed about the file before.
        """
        structure = [
            *(
                RuleResult(name, StructureRule.MISSING_COLUMN, None, self._rows, self._rows)
                for name in self.missing
            ),
            *(
                RuleResult(None, rule, None, self._rows, failed)
                for rule, failed in self._broken.items()
            ),
        ]
        return Verdict(
            rows_total=self._rows,
            bad=self._bad,
            missing=self.missing,
            results=(*structure, *(result for one in self._columns for result in one.results())),
            notes=(*notes, *(note for one in self._columns for note in one.notes())),
            unlisted=self._unlisted,
        )


def judge(
    columns: Mapping[str, Sequence[str]],
    contract: Contract,
    *,
    rows: int,
    faults: Mapping[int, Reason] | None = None,
    missing: Sequence[str] = (),
    known_levels: Mapping[str, Collection[str]] | None = None,
    notes: Iterable[str] = (),
) -> Verdict:
    """What the contract says of a file's cells, all of which are at hand.

    Args:
        columns: name → the text of each row's cell; "" in rows whose structure is bad.
        contract: what is promised.
        rows: how many there are.
        faults: row number, from 1 → what is wrong with its structure; its cells are not judged.
        missing: required columns that the file lacks.
        known_levels: column name → the values that the model in charge has seen.
        notes: what was noticed about the file before.

    Raises:
        ValueError: the arguments contradict each other.
        JudgementFailed: a rule could not be evaluated, or the contract admits what it refuses.
    """
    faults = faults or {}
    for name, texts in columns.items():
        if len(texts) != rows:
            raise ValueError(f"{name} has {len(texts)} cells in {rows} rows")
    with closing(
        Judge(contract, columns.keys(), missing=missing, known_levels=known_levels)
    ) as asked:
        without = [row - 1 for row in faults]
        cells = {name: coded(texts, without) for name, texts in columns.items()}
        asked.take(cells, rows, faults)
        for _ in asked.bad_rows():
            pass
        return asked.verdict(notes)
