"""Retention: what has been kept long enough goes. The ledger and what it counts stay.

Predictions and keys are removed in their owner's name: a service that may add to them may not take
from them. Whoever is not the owner asks :meth:`Retention.may_remove` first.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Engine

from jobchurn.store.engine import transaction
from jobchurn.store.partitions import Partitions
from jobchurn.store.runs import Run, run_of
from jobchurn.store.tables import Tables

_PIECE = 50_000
"""How many rows are removed in one transaction, with those that share the last one's time."""

_FILES = ("good", "bad", "reasons", "report")


class Retention:
    """The named queries about what is kept for a time."""

    def __init__(self, engine: Engine, tables: Tables, partitions: Partitions) -> None:
        self._engine = engine
        self._tables = tables
        self._partitions = partitions

    def may_remove(self) -> bool:
        """Whether this user may remove predictions, and write down what was removed."""
        tables = self._tables
        needed = {
            tables.predictions: "DELETE",
            tables.requests: "DELETE",
            tables.api_keys: "DELETE",
            tables.redactions: "INSERT",
        }
        rights = (sa.func.has_table_privilege(t.name, right) for t, right in needed.items())
        with transaction(self._engine) as connection:
            return bool(connection.scalar(sa.select(sa.and_(*rights))))

    def forget_predictions(self, before: datetime) -> int:
        """Remove the predictions of before a moment, and the requests; how many of the former.

        A key that is older may be used again. Months that are past go as a whole, the rest piece by
        piece, so that nothing waits for it.

        Raises:
            DatabaseLocked: a month's partition is in use, and was not let go of.
        """
        gone = self._partitions.drop(before) + self._forget_edge(before)
        self._forget_requests(before)
        return gone

    def forget_keys(self, before: datetime) -> int:
        """Remove the API's keys that expired before a moment; how many there were.

        Revoked ones stay: else a service that still has one could have it be known again.
        """
        keys = self._tables.api_keys
        with transaction(self._engine) as connection:
            return connection.execute(sa.delete(keys).where(keys.c.expires_at < before)).rowcount

    def runs_with_files(self, before: datetime) -> list[Run]:
        """The runs that were published before a moment and have files, the oldest first.

        One whose good rows are not predicted yet keeps them until they are.
        """
        runs, marked = self._tables.runs, self._tables.predicted_files
        predicted = sa.exists().where(marked.c.run_id == runs.c.run_id)
        wanted = (
            sa.select(runs)
            .where(runs.c.finished_at < before)
            .where(sa.or_(*(runs.c[name].is_not(None) for name in _FILES)))
            .where(runs.c.good.is_(None) | predicted)
            .order_by(runs.c.finished_at, runs.c.run_id)
        )
        with transaction(self._engine) as connection:
            return [run_of(row) for row in connection.execute(wanted)]

    def release_files(self, run_id: str) -> None:
        """Let the ledger say that a run has no files any more."""
        runs = self._tables.runs
        with transaction(self._engine) as connection:
            connection.execute(
                sa.update(runs).where(runs.c.run_id == run_id).values(dict.fromkeys(_FILES))
            )

    def _forget_edge(self, before: datetime) -> int:
        """The predictions of before a moment, the oldest first; how many there were."""
        predictions = self._tables.predictions
        moment = predictions.c.created_at
        ordered = sa.select(moment).where(moment < before).order_by(moment)
        forgotten = 0
        while True:
            with transaction(self._engine) as connection:
                last = connection.scalar(ordered.offset(_PIECE - 1).limit(1))
                piece = moment < before if last is None else moment <= last
                forgotten += connection.execute(sa.delete(predictions).where(piece)).rowcount
            if last is None:
                return forgotten

    def _forget_requests(self, before: datetime) -> None:
        """The requests of before a moment, which are the first by number.

        Their times have no index: numbers rise with them, save where the clock was set back; what
        is behind a whole piece of younger ones then waits for another day.
        """
        requests = self._tables.requests
        last, gone = 0, 1
        while gone:
            following = sa.select(requests.c.id).where(requests.c.id > last)
            piece = following.order_by(requests.c.id).limit(_PIECE).subquery()
            with transaction(self._engine) as connection:
                reached = connection.scalar(sa.select(sa.func.max(piece.c.id)))
                if reached is None:
                    return
                gone = connection.execute(
                    sa.delete(requests)
                    .where(requests.c.id.between(last + 1, reached))
                    .where(requests.c.created_at < before)
                ).rowcount
            last = reached
