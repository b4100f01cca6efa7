"""Redactions: what was removed of people who asked for it, and of what had been kept long enough.

Nothing in them is personal: which file was rewritten or removed, its hash before and after, and
how many rows that concerned. The hashes of the ledger stay those of what had arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from jobchurn.store.engine import now_of, transaction
from jobchurn.store.names import decoded, encoded
from jobchurn.store.tables import Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """One removal.

    Attributes:
        rows: how many rows were emptied or removed; of a file that went as a whole, all it had.
        run_id: the run whose file or predictions it was; ``None`` where they belong to no run.
        file: the file's path below the home; ``None`` for rows of the database.
        sha256_before: of the file as it was, hexadecimal; ``None`` for rows of the database.
        sha256_after: of the file as it is; ``None`` where it is no more.
        at: when it was decided; just before the file was touched, or with the rows.
    """

    rows: int
    run_id: str | None = None
    file: str | None = None
    sha256_before: str | None = None
    sha256_after: str | None = None
    at: datetime | None = None


class Redactions:
    """The named queries about redactions."""

    def __init__(self, engine: Engine, tables: Tables) -> None:
        self._engine = engine
        self._tables = tables
        self._redactions = tables.redactions

    def record(self, entries: Sequence[Redaction]) -> None:
        """Write down what is about to be done to files.

        Before it is done: whoever is killed in between repeats it, and finds it written down. An
        entry that is a file's latest one already is not written again.
        """
        with transaction(self._engine) as connection:
            for entry in entries:
                if not self._is_latest(connection, entry):
                    self._insert(connection, entry)

    def of_run(self, run_id: str) -> list[Redaction]:
        """What was removed of a run's files and predictions, the oldest first."""
        redactions = self._redactions
        wanted = sa.select(redactions).where(redactions.c.run_id == run_id)
        with transaction(self._engine) as connection:
            rows = connection.execute(wanted.order_by(redactions.c.id)).all()
        return [_redaction(row) for row in rows]

    def _is_latest(self, connection: Connection, entry: Redaction) -> bool:
        redactions = self._redactions
        latest = connection.execute(
            sa.select(redactions)
            .where(redactions.c.file == encoded(entry.file or ""))
            .order_by(redactions.c.id.desc())
            .limit(1)
        ).first()
        return latest is not None and (latest.sha256_before, latest.sha256_after) == (
            entry.sha256_before,
            entry.sha256_after,
        )

    def _insert(self, connection: Connection, entry: Redaction) -> None:
        connection.execute(
            sa.insert(self._redactions).values(
                at=now_of(connection),
                run_id=entry.run_id,
                file=entry.file and encoded(entry.file),
                sha256_before=entry.sha256_before,
                sha256_after=entry.sha256_after,
                rows=entry.rows,
            )
        )


def _redaction(row: sa.Row[Any]) -> Redaction:
    return Redaction(
        rows=row.rows,
        run_id=row.run_id,
        file=row.file and decoded(row.file),
        sha256_before=row.sha256_before,
        sha256_after=row.sha256_after,
        at=row.at,
    )
