"""Drift: which predictions were compared with training, window by window, and what that found.

A window is a run of predictions of one source and one model version, in the order in which they
were stored; the next one begins where the last one ended, so that each prediction is judged once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from jobchurn.contract import Contract, Value
from jobchurn.store.engine import now_of, transaction
from jobchurn.store.names import decoded, encoded
from jobchurn.store.tables import Tables

if TYPE_CHECKING:
    from jobchurn.drift import FeatureDrift

_NOW = sa.func.clock_timestamp()

_SAVING = 3_402_986_118_267_415_902
"""The advisory lock for saving a window; any number that nobody else uses."""

_RIPE = timedelta(seconds=5)
"""How old a prediction must be: one that is stored earlier may be committed later."""

_BACKLOG = 20
"""Into how many windows more than so many are made, so that a backlog is worked off in time."""

_LARGEST = 500_000
"""The most rows of a window that a backlog enlarges: they are held in memory."""

_SECONDS = 300
"""How long a query may run: a backlog may be long."""

_CHUNK = 5_000

_PAIRS = sa.text("""
WITH RECURSIVE pairs AS (
  (SELECT source, model_version FROM predictions ORDER BY source, model_version LIMIT 1)
  UNION ALL
  SELECT following.source, following.model_version
  FROM pairs CROSS JOIN LATERAL (
    SELECT source, model_version FROM predictions
    WHERE (source, model_version) > (pairs.source, pairs.model_version)
    ORDER BY source, model_version LIMIT 1
  ) AS following
)
SELECT source, model_version FROM pairs
""")
"""Each source and model version, by as many steps in the index: DISTINCT would read all rows."""

_WRITERS = sa.text("""
SELECT min(xact_start), array_agg(backend_xid::text) FILTER (WHERE xact_start IS NULL)
FROM pg_stat_activity
WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()
""")
"""When the oldest transaction began that may still commit what it wrote; and which of them are of
other users, whose beginnings are not shown to us."""

_WRITE_STILL = sa.text("""
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock'
AND transactionid::text = ANY(:writers))
""")
"""Whether one of these transactions has not ended: until then each holds a lock on itself."""

_PATIENCE_SECONDS, _POLL_SECONDS = 5.0, 0.02
"""For how long other users' transactions are waited for: they take milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Predictions to be compared with training.

    Attributes:
        source: which door asked.
        model_version: what predicted.
        rows: how many they are.
        first_at, last_at: when the first and the last of them were stored, UTC.
        last_id: the last one's number.
        columns: each input of the contract → one canonical value per row; ``None`` is blank.
        scores: the probabilities, one per row.
        previous: the number of the window before, or ``None`` where this is the first.
    """

    source: str
    model_version: str
    rows: int
    first_at: datetime
    last_at: datetime
    last_id: int
    columns: dict[str, list[Value]]
    scores: list[float]
    previous: int | None = None


class Drift:
    """The named queries about drift."""

    def __init__(self, engine: Engine, tables: Tables, contract: Contract) -> None:
        self._engine = engine
        self._predictions = tables.predictions
        self._windows = tables.drift_windows
        self._metrics = tables.drift_metrics
        self._inputs = [column.name for column in contract.inputs]

    def sources(self) -> list[tuple[str, str]]:
        """Each source and model version of which there are predictions that no window holds."""
        with transaction(self._engine, seconds=_SECONDS) as connection:
            pairs = connection.execute(_PAIRS).all()
            return [
                (source, version)
                for source, version in pairs
                if self._waits(connection, source, version)
            ]

    def next_window(
        self,
        source: str,
        model_version: str,
        *,
        rows: int,
        fewest: int = 100,
        wait: timedelta,
        now: datetime | None = None,
    ) -> Window | None:
        """The predictions after the last window; ``None`` where these do not make one yet.

        A window holds ``rows`` predictions. It holds fewer where at least ``fewest`` are there of
        which the first has waited for ``wait``, and more where so many are there that they would
        make more than 20 windows: then they make 20, of at most half a million rows.

        Predictions whose predecessors may still be about to be committed are left for later.

        Args:
            source: which door asked.
            model_version: what predicted.
            rows: how many predictions a window holds.
            fewest: without so many there is no window.
            wait: for how long a window may be filled up.
            now: the time; by default the database's.
        """
        with transaction(self._engine, seconds=_SECONDS) as connection:
            now = now or now_of(connection)
            previous = self._latest(connection, source, model_version)
            settled = _settled(connection, now)
            if settled is None:
                return None
            ripe = self._after(source, model_version, previous) & (
                self._predictions.c.created_at < settled
            )
            size = self._size(connection, ripe, previous, rows, fewest, now - wait)
            if not size:
                return None
            return self._read(connection, ripe, size, source, model_version, previous)

    def drifted_before(self, source: str, model_version: str) -> set[tuple[str, str]]:
        """What was found to drift, at least a little, in the latest window: (kind, feature)."""
        metrics = self._metrics
        with transaction(self._engine) as connection:
            latest = self._latest(connection, source, model_version)
            drifted = connection.execute(
                sa.select(metrics.c.kind, metrics.c.feature)
                .where(metrics.c.window_id == (None if latest is None else latest.id))
                .where(metrics.c.decision >= 1)
            )
            return {(kind, decoded(feature)) for kind, feature in drifted}

    def save(
        self, window: Window, metrics: Sequence[FeatureDrift], *, unseen: int, decision: int
    ) -> bool:
        """Keep what was found of a window; whether it was this call that did.

        Args:
            window: as :meth:`next_window` gave it.
            metrics: what was found of each input and of the score.
            unseen: how many rows have a level that the model has not seen.
            decision: the gravest of the metrics' decisions.
        """
        with transaction(self._engine) as connection:
            # Of two that have read the same predictions, the second one sees the first one's.
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SAVING)))
            latest = self._latest(connection, window.source, window.model_version)
            if (None if latest is None else latest.id) != window.previous:
                return False
            number = connection.scalar(
                sa.insert(self._windows)
                .values(
                    source=window.source,
                    model_version=window.model_version,
                    rows=window.rows,
                    first_at=window.first_at,
                    last_at=window.last_at,
                    last_id=window.last_id,
                    unseen=unseen,
                    decision=int(decision),
                    decided_at=_NOW,
                )
                .returning(self._windows.c.id)
            )
            if metrics:
                connection.execute(
                    sa.insert(self._metrics), [_values(number, metric) for metric in metrics]
                )
            return True

    def _latest(self, connection: Connection, source: str, version: str) -> sa.Row[Any] | None:
        windows = self._windows
        return connection.execute(
            sa.select(windows)
            .where(windows.c.source == source)
            .where(windows.c.model_version == version)
            .order_by(windows.c.last_at.desc(), windows.c.last_id.desc())
            .limit(1)
        ).first()

    def _after(
        self, source: str, version: str, previous: sa.Row[Any] | None
    ) -> sa.ColumnElement[bool]:
        """Which predictions come after a window, or are there at all."""
        predictions = self._predictions
        found = [predictions.c.source == source, predictions.c.model_version == version]
        if previous is not None:
            place = sa.tuple_(predictions.c.created_at, predictions.c.id)
            # The first says nothing new, but tells PostgreSQL which partitions to spare.
            found.append(predictions.c.created_at >= previous.last_at)
            found.append(place > (previous.last_at, previous.last_id))
        return sa.and_(*found)

    def _waits(self, connection: Connection, source: str, version: str) -> bool:
        latest = self._latest(connection, source, version)
        found = sa.exists().where(self._after(source, version, latest))
        return bool(connection.scalar(sa.select(found)))

    def _size(
        self,
        connection: Connection,
        ripe: sa.ColumnElement[bool],
        previous: sa.Row[Any] | None,
        rows: int,
        fewest: int,
        due: datetime,
    ) -> int:
        """How many predictions the next window takes; 0 where it has to wait."""
        moment = self._predictions.c.created_at
        counted = sa.select(sa.func.count(), sa.func.min(moment)).where(ripe)
        waiting: int
        waiting, first_at = connection.execute(counted).one()
        if waiting < rows:
            return waiting if waiting >= fewest and first_at <= due else 0
        size = math.ceil(waiting / _BACKLOG)
        if previous is not None and previous.rows > size and first_at <= previous.decided_at:
            # What it left over is worked off as it was begun.
            size = min(previous.rows, waiting)
        return max(rows, min(size, _LARGEST))

    def _read(
        self,
        connection: Connection,
        ripe: sa.ColumnElement[bool],
        size: int,
        source: str,
        version: str,
        previous: sa.Row[Any] | None,
    ) -> Window:
        predictions = self._predictions
        place = predictions.c.created_at, predictions.c.id
        wanted = (
            sa.select(*place, predictions.c.probability, *(predictions.c[n] for n in self._inputs))
            .where(ripe)
            .order_by(*place)
            .limit(size)
        )
        read: list[list[Any]] = [[] for _ in wanted.selected_columns]
        # Few of the values differ: each is kept once.
        kept: list[dict[Any, Any]] = [{} for _ in read]
        result = connection.execution_options(yield_per=_CHUNK).execute(wanted)
        for rows in result.partitions():
            for values, known, found in zip(read, kept, zip(*rows, strict=True), strict=True):
                values.extend(map(known.setdefault, found, found))
        moments, numbers, scores, *columns = read
        return Window(
            source=source,
            model_version=version,
            rows=len(numbers),
            first_at=moments[0],
            last_at=moments[-1],
            last_id=numbers[-1],
            columns=dict(zip(self._inputs, columns, strict=True)),
            scores=scores,
            previous=None if previous is None else previous.id,
        )


def _settled(connection: Connection, now: datetime) -> datetime | None:
    """The moment of before which no further prediction can come to light; ``None`` for no moment.

    To be asked before the predictions are: what is committed in between is then seen.
    """
    oldest, hidden = connection.execute(_WRITERS).one()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while hidden and connection.scalar(_WRITE_STILL, {"writers": hidden}):
        if time.monotonic() > deadline:
            return None
        time.sleep(_POLL_SECONDS)
    return min(now - _RIPE, oldest or now)


def _values(window: int, metric: FeatureDrift) -> dict[str, Any]:
    return asdict(metric) | {
        "window_id": window,
        "feature": encoded(metric.feature),
        "decision": int(metric.decision),
    }
