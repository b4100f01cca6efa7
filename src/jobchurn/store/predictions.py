"""Predictions: read back in pages or as a stream, and which good files they cover."""

from __future__ import annotations

import base64
import struct
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import insert

from jobchurn.contract import Contract, Value
from jobchurn.errors import InvalidRequest
from jobchurn.store.bulk import BulkRequests
from jobchurn.store.engine import STATEMENT_SECONDS, now_of, transaction
from jobchurn.store.exports import Cells, copied, shown_cells, typed_cells
from jobchurn.store.gathered import GatheredRequests
from jobchurn.store.names import decoded, encoded
from jobchurn.store.requests import FORGOTTEN, Batch, Requests, Stored
from jobchurn.store.tables import Tables, record_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = struct.Struct("!qq")
"""Microseconds since 1970, and the row's number."""

CURSOR_PATTERN = "^[A-Za-z0-9_-]{21}[AQgw]==$"
"""How a cursor is written: 16 bytes, as base64 for addresses."""


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
class KnownRequest:
    """A request that was stored under an idempotency key.

    Attributes:
        n: of how many records its predictions were.
        fingerprint: of its content; ``None`` where something of it was removed on request since.
    """

    n: int
    fingerprint: str | None


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

    def __init__(
        self,
        engine: Engine,
        tables: Tables,
        contract: Contract,
        seconds: float = STATEMENT_SECONDS,
    ) -> None:
        self._engine = engine
        self._tables = tables
        self._predictions = tables.predictions
        self._contract = contract
        self._seconds = seconds
        self._requests = Requests(engine, tables, contract)
        self.bulk = BulkRequests(engine, tables, contract, self._requests)
        """Stores large requests."""

    def write(self, batch: Batch) -> Stored:
        """Store a request's predictions; see :meth:`Requests.write`."""
        return self._requests.write(batch)

    def gathered(self) -> GatheredRequests:
        """What stores many requests together, for one event loop; whoever asks closes it."""
        return GatheredRequests(self._engine, self._tables, self._contract, self._seconds)

    def page(
        self,
        start: date | None = None,
        end: date | None = None,
        source: str | None = None,
        limit: int = 200,
        cursor: str | None = None,
    ) -> tuple[list[Prediction], str | None]:
        """The newest predictions first, and the cursor of the next page where there is more.

        Whatever is stored between two pages, no prediction comes twice, and none that was there
        at the first page is left out.

        Args:
            start: the first day, in UTC.
            end: the last day, in UTC.
            source: which door asked; ``None`` for all.
            limit: the most rows of the page.
            cursor: what the page before answered.

        Raises:
            InvalidRequest: the cursor is not one of ours.
        """
        predictions = self._predictions
        wanted = self._newest_first(self._of(sa.select(predictions), start, end, source))
        if cursor is not None:
            then, number = read_cursor(cursor)
            # The first condition says nothing new, but tells PostgreSQL which partitions to spare.
            wanted = wanted.where(predictions.c.created_at <= then).where(
                sa.tuple_(predictions.c.created_at, predictions.c.id) < (then, number)
            )
        with transaction(self._engine) as connection:
            rows = connection.execute(wanted.limit(limit + 1)).all()
        found = [self._prediction(row) for row in rows[:limit]]
        more = len(rows) > limit and found
        return found, cursor_of(found[-1].created_at, found[-1].id) if more else None

    def csv(
        self, start: date | None = None, end: date | None = None, source: str | None = None
    ) -> Generator[bytes, None, None]:
        """All predictions of a period, newest first, as lines of a CSV file for people's programs.

        Which columns those are says :func:`~jobchurn.store.exports.exported_names`, how their cells
        are written :func:`~jobchurn.store.exports.shown_cells`. The lines are from one snapshot and
        come in blocks; a connection is held until they are exhausted or closed.

        Args:
            start: the first day, in UTC.
            end: the last day, in UTC.
            source: which door asked; ``None`` for all.
        """
        return self._copied(shown_cells(self._predictions, self._contract), start, end, source)

    def typed_csv(
        self, start: date | None = None, end: date | None = None, source: str | None = None
    ) -> Generator[bytes, None, None]:
        """As :meth:`csv`, for programs of ours: cells as the server writes them.

        A blank is an empty cell without quotes, an empty text one with quotes.
        """
        return self._copied(typed_cells(self._predictions, self._contract), start, end, source)

    def count(
        self, start: date | None = None, end: date | None = None, source: str | None = None
    ) -> int:
        """How many predictions a period holds; days and source as for :meth:`page`."""
        counting = sa.select(sa.func.count()).select_from(self._predictions)
        with transaction(self._engine) as connection:
            count: int = connection.execute(self._of(counting, start, end, source)).scalar_one()
        return count

    def unpredicted(self) -> list[GoodFile]:
        """The published files of good rows that are not marked as predicted, oldest first."""
        runs, marked = self._tables.runs, self._tables.predicted_files
        wanted = (
            sa.select(runs)
            .where(runs.c.finished_at.is_not(None))
            .where(runs.c.good.is_not(None))
            .where(~sa.exists().where(marked.c.run_id == runs.c.run_id))
            .order_by(runs.c.finished_at, runs.c.run_id)
        )
        with transaction(self._engine) as connection:
            return [
                GoodFile(
                    run_id=row.run_id,
                    path=decoded(row.good),
                    name=decoded(row.file),
                    rows=row.rows_valid,
                    finished_at=row.finished_at,
                )
                for row in connection.execute(wanted)
            ]

    def request(self, key: str) -> KnownRequest | None:
        """What was stored under an idempotency key; ``None`` where nothing was."""
        requests = self._tables.requests
        wanted = sa.select(requests.c.n, requests.c.fingerprint).where(
            requests.c.key == encoded(key)
        )
        with transaction(self._engine) as connection:
            row = connection.execute(wanted).first()
        if row is None:
            return None
        forgotten = row.fingerprint == FORGOTTEN
        return KnownRequest(n=row.n, fingerprint=None if forgotten else decoded(row.fingerprint))

    def is_predicted(self, sha256: str) -> bool:
        """Whether a good file of this content was predicted, under whatever name."""
        marked = self._tables.predicted_files
        with transaction(self._engine) as connection:
            found = sa.select(marked.c.run_id).where(marked.c.sha256 == sha256).limit(1)
            return connection.scalar(found) is not None

    def mark_predicted(
        self, sha256: str, name: str, mtime: float, rows: int, run_id: str
    ) -> PredictedFile:
        """Remember that a run's good file is predicted; a repeat changes nothing.

        Args:
            sha256: of the good file's content, hexadecimal.
            name: the good file's name.
            mtime: when it was last changed, in seconds since 1970.
            rows: how many rows it has.
            run_id: the run that routed it.
        """
        marked = self._tables.predicted_files
        kept = sa.select(marked).where(marked.c.sha256 == sha256).where(marked.c.run_id == run_id)
        with transaction(self._engine) as connection:
            connection.execute(
                insert(marked)
                .values(
                    sha256=sha256,
                    name=encoded(name),
                    mtime=mtime,
                    rows=rows,
                    run_id=run_id,
                    predicted_at=now_of(connection),
                )
                .on_conflict_do_nothing()
            )
            return _predicted_file(connection.execute(kept).one())

    def last_predicted(self) -> PredictedFile | None:
        """The file that was predicted last."""
        marked = self._tables.predicted_files
        latest = sa.select(marked).order_by(marked.c.predicted_at.desc()).limit(1)
        with transaction(self._engine) as connection:
            row = connection.execute(latest).first()
        return None if row is None else _predicted_file(row)

    def _of(
        self, wanted: sa.Select[Any], start: date | None, end: date | None, source: str | None
    ) -> sa.Select[Any]:
        predictions = self._predictions
        if start is not None:
            wanted = wanted.where(predictions.c.created_at >= _midnight(start))
        if end is not None and end < date.max:
            wanted = wanted.where(predictions.c.created_at < _midnight(end + timedelta(days=1)))
        if source is not None:
            wanted = wanted.where(predictions.c.source == source)
        return wanted

    def _copied(
        self, cells: Cells, start: date | None, end: date | None, source: str | None
    ) -> Generator[bytes, None, None]:
        wanted = self._newest_first(self._of(sa.select(*cells), start, end, source))
        return copied(self._engine, wanted)

    def _newest_first(self, wanted: sa.Select[Any]) -> sa.Select[Any]:
        predictions = self._predictions
        return wanted.order_by(predictions.c.created_at.desc(), predictions.c.id.desc())

    def _prediction(self, row: sa.Row[Any]) -> Prediction:
        return Prediction(
            id=row.id,
            created_at=row.created_at,
            source=row.source,
            model_version=row.model_version,
            policy_version=row.policy_version,
            probability=row.probability,
            prediction=row.prediction,
            record=record_of(row, self._contract),
            run_id=row.run_id,
            file_name=row.file_name and decoded(row.file_name),
            row_number=row.row_number,
        )


def cursor_of(then: datetime, number: int) -> str:
    """The opaque text that stands for a place in the order of predictions."""
    micros = (then - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(_CURSOR.pack(micros, number)).decode()


def read_cursor(cursor: str) -> tuple[datetime, int]:
    """The place that :func:`cursor_of` was given.

    Raises:
        InvalidRequest: the cursor is not one of ours.
    """
    try:
        micros, number = _CURSOR.unpack(base64.b64decode(cursor, altchars="-_", validate=True))
        then = _EPOCH + timedelta(microseconds=micros)
    except (ValueError, struct.error, OverflowError):
        raise InvalidRequest(
            "The cursor cannot be read.",
            "Pass on the value of next as it came, or leave the cursor out to begin anew.",
        ) from None
    return then, number


def _predicted_file(row: sa.Row[Any]) -> PredictedFile:
    return PredictedFile(**dict(row._mapping) | {"name": decoded(row.name)})


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
