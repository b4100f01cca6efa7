"""The request log: how the API answered, for the panels that watch its health."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Engine

from jobchurn.store.copying import copy_rows
from jobchurn.store.engine import transaction
from jobchurn.store.names import encoded
from jobchurn.store.tables import Tables

_PIECE = 50_000
"""How many entries are removed in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One answered request, perhaps standing for others like it.

    Attributes:
        at: when it came, with its time zone.
        route: as the API's description has it, its parameters unfilled; ``-`` where no route took
            it.
        method: of HTTP.
        status: of HTTP.
        seconds: how long the answer took.
        records: how many were predicted for it.
        waiting: how many requests were under way or waiting when it came.
        weight: how many requests it stands for.
    """

    at: datetime
    route: str
    method: str
    status: int
    seconds: float
    records: int
    waiting: int
    weight: float


class RequestLog:
    """The named queries about the request log."""

    def __init__(self, engine: Engine, tables: Tables) -> None:
        self._engine = engine
        self._log = tables.request_log

    def write(self, entries: Sequence[LogEntry]) -> None:
        """Keep entries. A crash of the database's machine may cost those of the last second."""
        if not entries:
            return
        with transaction(self._engine) as connection:
            # Nobody waits for the log's way to the disk.
            connection.execute(sa.text("SET LOCAL synchronous_commit = off"))
            copy_rows(
                connection,
                self._log,
                {
                    "at": [entry.at for entry in entries],
                    "route": [encoded(entry.route) for entry in entries],
                    "method": [encoded(entry.method) for entry in entries],
                    "status": [entry.status for entry in entries],
                    "seconds": [entry.seconds for entry in entries],
                    "records": [entry.records for entry in entries],
                    "waiting": [entry.waiting for entry in entries],
                    "weight": [entry.weight for entry in entries],
                },
            )

    def forget(self, before: datetime) -> int:
        """Remove the entries of before a moment; how many there were.

        Piece by piece: after weeks in which nobody forgot anything, all at once would take longer
        than a statement may, again and again.
        """
        log, forgotten = self._log, 0
        oldest = sa.select(log.c.id).where(log.c.at < before).order_by(log.c.at).limit(_PIECE)
        while True:
            with transaction(self._engine) as connection:
                gone = connection.execute(sa.delete(log).where(log.c.id.in_(oldest))).rowcount
            forgotten += gone
            if gone < _PIECE:
                return forgotten
