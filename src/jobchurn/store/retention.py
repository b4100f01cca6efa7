"""Retention: what has been kept long enough goes. The ledger and what it counts stay.

Predictions and keys are removed in their owner's name: a service that may add to them may not take
from them. Whoever is not the owner asks :meth:`Retention.may_remove` first.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Engine

from jobchurn.store.engine import transaction
from jobchurn.store.runs import Run, run_of
from jobchurn.store.tables import Tables

_PIECE = 50_000
"""How many rows are removed in one transaction."""

_FILES = ("good", "bad", "reasons", "report")


class Retention:
    """The named queries about what is kept for a time."""

    def __init__(self, engine: Engine, tables: Tables) -> None:
        self._engine = engine
        self._tables = tables

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

        A key that is older may be used again. Piece by piece, so that nothing waits for it.
        """
        predictions, requests = self._tables.predictions, self._tables.requests
        gone = self._piece_by_piece(predictions, predictions.c.created_at, before)
        self._piece_by_piece(requests, requests.c.created_at, before)
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

    def _piece_by_piece(
        self, table: sa.Table, moment: sa.ColumnElement[datetime], before: datetime
    ) -> int:
        keys = tuple(table.primary_key.columns)
        oldest = sa.select(*keys).where(moment < before).limit(_PIECE)
        forgotten = 0
        while True:
            with transaction(self._engine) as connection:
                gone = connection.execute(
                    sa.delete(table).where(moment < before).where(sa.tuple_(*keys).in_(oldest))
                ).rowcount
            forgotten += gone
            if gone < _PIECE:
                return forgotten
