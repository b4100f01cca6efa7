"""Predictions: written once, whatever is retried, and read back in pages or as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from jobchurn.contract import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The predictions of one request, to be stored together or not at all.

    Attributes:
        records: one mapping of canonical values per record; an absent column is blank.
        probabilities: of the positive class, 0 to 1.
        decisions: 0 or 1.
        source: which door asked.
        model_version, policy_version: what decided.
        key: the idempotency key, or ``None``.
        fingerprint: of the request's content; two requests with one key must agree in it.
        positions: each record's place in the request, from 0; by default 0, 1, 2, …
        refused: what was refused of the request, made of JSON's types; part of the answer.
        run_id, file_name, row_numbers: the lineage, where the records come from a file.
    """

    records: Sequence[Mapping[str, Value]]
    probabilities: Sequence[float]
    decisions: Sequence[int]
    source: str
    model_version: str
    policy_version: str
    key: str | None = None
    fingerprint: str = ""
    positions: Sequence[int] | None = None
    refused: Any = None
    run_id: str | None = None
    file_name: str | None = None
    row_numbers: Sequence[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is stored of a request: the answer to it, and to each retry of it.

    Attributes:
        replayed: the request had been stored before; all else here is the first answer's.
        created_at: the database's time of storing, one for the whole request.
        ids: one per stored record, in order of position.
        positions, records, probabilities, decisions: in order of position.
        model_version, policy_version: what decided.
        refused: as the batch gave it.
    """

    replayed: bool
    created_at: datetime
    ids: list[int]
    positions: list[int]
    records: list[Mapping[str, Value]]
    probabilities: list[float]
    decisions: list[int]
    model_version: str
    policy_version: str
    refused: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One stored prediction.

    Attributes:
        id: its number.
        created_at: when it was stored, UTC.
        source: which door asked.
        model_version, policy_version: what decided.
        probability: of the positive class.
        prediction: 0 or 1.
        record: the values of all the contract's columns; ``None`` is blank.
        run_id, file_name, row_number: the lineage, where the record comes from a file.
    """

    id: int
    created_at: datetime
    source: str
    model_version: str
    policy_version: str
    probability: float
    prediction: int
    record: dict[str, Value]
    run_id: str | None
    file_name: str | None
    row_number: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodFile:
    """A published file of good rows that is not predicted yet.

    Attributes:
        run_id: the run that routed it.
        path: its absolute path.
        name: the raw file's name.
        rows: how many good rows the run counted.
        finished_at: when the run was published.
    """

    run_id: str
    path: str
    name: str
    rows: int
    finished_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedFile:
    """A file of good rows that has been predicted."""

    sha256: str
    name: str
    mtime: float
    rows: int
    run_id: str
    predicted_at: datetime


class Predictions:
    """The named queries about predictions."""

    def write(self, batch: Batch) -> Stored:
        """Store a request's predictions in one transaction; committed when this returns.

        Raises:
            IdempotencyConflict: the key was used for a request of another fingerprint.
        """
        raise NotImplementedError

    def page(
        self,
        start: date | None = None,
        end: date | None = None,
        source: str | None = None,
        limit: int = 200,
        cursor: str | None = None,
    ) -> tuple[list[Prediction], str | None]:
        """The newest predictions first, and the cursor of the next page where there is more.

        Args:
            start: the first day, in UTC.
            end: the last day, in UTC.
            source: which door asked; ``None`` for all.
            limit: the most rows of the page.
            cursor: what the page before answered.

        Raises:
            InvalidRequest: the cursor is not one of ours.
        """
        raise NotImplementedError

    def stream(
        self,
        start: date | None = None,
        end: date | None = None,
        source: str | None = None,
        chunk: int = 5_000,
    ) -> Iterator[Prediction]:
        """All predictions of a period, newest first, fetched in chunks from one snapshot."""
        raise NotImplementedError

    def count(
        self, start: date | None = None, end: date | None = None, source: str | None = None
    ) -> int:
        """How many predictions a period holds."""
        raise NotImplementedError

    def unpredicted(self) -> list[GoodFile]:
        """The published files of good rows that are not marked as predicted, oldest first."""
        raise NotImplementedError

    def is_predicted(self, sha256: str) -> bool:
        """Whether a good file of this content was predicted, under whatever name."""
        raise NotImplementedError

    def mark_predicted(
        self, sha256: str, name: str, mtime: float, rows: int, run_id: str
    ) -> PredictedFile:
        """Remember that a run's good file is predicted; a repeat changes nothing."""
        raise NotImplementedError

    def last_predicted(self) -> PredictedFile | None:
        """The file that was predicted last."""
        raise NotImplementedError
