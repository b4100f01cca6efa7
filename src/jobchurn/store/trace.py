"""Trace: what the database knows of one file, one row or one prediction.

Nothing here is made for speed: these queries are asked by a person, about a single case.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine

from jobchurn.contract import Contract, Value
from jobchurn.store.engine import transaction
from jobchurn.store.names import decoded, encoded
from jobchurn.store.tables import Tables, record_of

_SECONDS = 600
"""How long a search may take: predictions are found by their number in all partitions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedArrival:
    """A file as it came, and how it fared.

    Attributes:
        run_id: its run; sorts by time of arrival.
        name: the raw file's name, as :func:`os.fsdecode` gives it.
        sha256: of the raw bytes, hexadecimal.
        size: in bytes.
        trigger: what started the run.
        arrived_at: when the file came, by its file system; ``None`` where that is not known.
        started_at: when it was first claimed.
        closed_at: when its run was published or withdrawn; ``None`` while it is under way.
        outcome: ``published``, ``withdrawn``, or ``None`` while it is under way.
        takeovers: how often one worker took it over from another.
        attempts: how many workers in a row have begun it; see ``store.arrivals``.
        holder: who has it, or had it last; empty where it was given back.
        lease_until: until when its holder may be silent.
        duplicate_of: the run that had this content first, or ``None``.
        routed_name: what its routed files are called, once that is known.
    """

    run_id: str
    name: str
    sha256: str
    size: int
    trigger: str
    arrived_at: datetime | None
    started_at: datetime
    closed_at: datetime | None
    outcome: str | None
    takeovers: int
    attempts: int
    holder: str
    lease_until: datetime
    duplicate_of: str | None
    routed_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedPrediction:
    """A stored prediction, with all that led to it.

    Attributes:
        id: its number.
        created_at: when it was stored.
        source: which door asked.
        probability: of the positive class.
        prediction: 0 or 1.
        model_version, policy_version: what decided.
        contract: the fingerprint of the contract that it was made by.
        run_id, file_name, row_number: the lineage, where the record comes from a file.
        position: the record's place in its request, from 0.
        request_key: the request's idempotency key, under which every retry is given this answer.
        record: the values of the contract's columns; ``None`` is blank.
    """

    id: int
    created_at: datetime
    source: str
    probability: float
    prediction: int
    model_version: str
    policy_version: str
    contract: str
    run_id: str | None
    file_name: str | None
    row_number: int | None
    position: int
    request_key: str | None
    record: dict[str, Value]


class Trace:
    """The named queries about single cases."""

    def __init__(self, engine: Engine, tables: Tables, contract: Contract) -> None:
        self._engine = engine
        self._tables = tables
        self._contract = contract

    def arrivals_named(self, name: str) -> list[TracedArrival]:
        """The arrivals of a raw file's name, or of its routed files', the latest first."""
        arrivals = self._tables.arrivals
        stored = encoded(name)
        return self._arrivals((arrivals.c.name == stored) | (arrivals.c.routed_name == stored))

    def arrivals_of_content(self, sha256: str) -> list[TracedArrival]:
        """The arrivals of a content, whatever their names, the latest first."""
        return self._arrivals(self._tables.arrivals.c.sha256 == sha256)

    def arrival(self, run_id: str) -> TracedArrival | None:
        """The arrival of a run, or ``None`` where no such run is known."""
        found = self._arrivals(self._tables.arrivals.c.run_id == run_id)
        return found[0] if found else None

    def repeats_of(self, run_id: str) -> list[TracedArrival]:
        """The later arrivals of a run's content, the latest first."""
        return self._arrivals(self._tables.arrivals.c.duplicate_of == run_id)

    def prediction(self, number: int) -> TracedPrediction | None:
        """A prediction by its number, or ``None`` where there is none."""
        found = self._predictions(self._tables.predictions.c.id == number)
        return found[0] if found else None

    def predictions_of_row(self, run_id: str, row: int) -> list[TracedPrediction]:
        """The predictions of a row of a run's good file, the first first: one, if all is well.

        Of two good files of the same content one is predicted, and its predictions are also the
        other one's.

        Args:
            run_id: the run that routed the file.
            row: the row's number in the good file, from 1.
        """
        first = self._first_predicted(run_id)
        if first is None:
            return self._predictions_of_row(run_id, row)
        return self._predictions_of_row(run_id, row) or self._predictions_of_row(first, row)

    def predicted_at(self, run_id: str) -> datetime | None:
        """When a run's good file was found to be predicted; ``None`` where it was not yet."""
        marked = self._tables.predicted_files
        with transaction(self._engine) as connection:
            moment: datetime | None = connection.scalar(
                sa.select(marked.c.predicted_at).where(marked.c.run_id == run_id)
            )
        return moment

    def _predictions_of_row(self, run_id: str, row: int) -> list[TracedPrediction]:
        predictions, runs = self._tables.predictions, self._tables.runs
        own = (predictions.c.run_id == run_id) & (predictions.c.row_number == row)
        # What was predicted since the run's end is seldom much, and found by the primary key. Where
        # the clock was set back meanwhile it is found by looking everywhere.
        finished = sa.select(runs.c.finished_at).where(runs.c.run_id == run_id).scalar_subquery()
        since = predictions.c.created_at >= finished
        return self._predictions(own & since) or self._predictions(own)

    def _first_predicted(self, run_id: str) -> str | None:
        """The run whose good file of the same content was predicted first."""
        marked = self._tables.predicted_files
        content = sa.select(marked.c.sha256).where(marked.c.run_id == run_id).scalar_subquery()
        wanted = sa.select(marked.c.run_id).where(marked.c.sha256 == content)
        with transaction(self._engine) as connection:
            first: str | None = connection.scalar(wanted.order_by(marked.c.predicted_at).limit(1))
        return first

    def _predictions(self, condition: sa.ColumnElement[bool]) -> list[TracedPrediction]:
        predictions, requests = self._tables.predictions, self._tables.requests
        wanted = (
            sa.select(predictions, requests.c.key.label("request_key"))
            .outerjoin(requests, requests.c.id == predictions.c.request_id)
            .where(condition)
            .order_by(predictions.c.created_at, predictions.c.id)
        )
        with transaction(self._engine, seconds=_SECONDS) as connection:
            rows = connection.execute(wanted).all()
        return [
            TracedPrediction(
                id=row.id,
                created_at=row.created_at,
                source=row.source,
                probability=row.probability,
                prediction=row.prediction,
                model_version=row.model_version,
                policy_version=row.policy_version,
                contract=row.contract,
                run_id=row.run_id,
                file_name=row.file_name and decoded(row.file_name),
                row_number=row.row_number,
                position=row.position,
                request_key=row.request_key and decoded(row.request_key),
                record=record_of(row, self._contract),
            )
            for row in rows
        ]

    def _arrivals(self, condition: sa.ColumnElement[bool]) -> list[TracedArrival]:
        arrivals = self._tables.arrivals
        # Two may come in one second, which is all that their numbers tell of the time.
        latest = arrivals.c.started_at.desc(), arrivals.c.run_id.desc()
        wanted = sa.select(arrivals).where(condition).order_by(*latest)
        with transaction(self._engine, seconds=_SECONDS) as connection:
            return [_arrival(row) for row in connection.execute(wanted)]


def _arrival(row: sa.Row[Any]) -> TracedArrival:
    return TracedArrival(
        run_id=row.run_id,
        name=decoded(row.name),
        sha256=row.sha256,
        size=row.size,
        trigger=row.trigger,
        arrived_at=row.arrived_at,
        started_at=row.started_at,
        closed_at=row.closed_at,
        outcome=row.outcome,
        takeovers=row.token - 1,
        attempts=row.attempts,
        holder=row.holder,
        lease_until=row.lease_until,
        duplicate_of=row.duplicate_of,
        routed_name=row.routed_name and decoded(row.routed_name),
    )
