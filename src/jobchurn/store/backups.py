"""Backups: one moment of the database, to which files that are on their way belong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Engine

from jobchurn.store.engine import transaction
from jobchurn.store.names import decoded, encoded
from jobchurn.store.tables import Tables

_MAINTENANCE = 600.0


@dataclass(frozen=True)
class Moment:
    """One moment of the database.

    Attributes:
        snapshot: its name, by which other sessions see the same.
        files: the paths of all files that published runs have routed.
        models: the versions that are registered.
    """

    snapshot: str
    files: tuple[str, ...]
    models: tuple[str, ...]


class Backups:
    """The named queries of backups and of what is restored from them."""

    def __init__(self, engine: Engine, tables: Tables) -> None:
        self._engine = engine
        self._tables = tables

    @contextmanager
    def moment(self, gather: Callable[[], None]) -> Iterator[Moment]:
        """A moment of the database, held until the block ends.

        ``gather`` is called just before it, and no file is claimed, published or given up from its
        call until the moment: what it finds on its way is what this moment has on its way.
        """
        runs, models = self._tables.runs, self._tables.models
        with transaction(self._engine, seconds=0) as connection:
            connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            with transaction(self._engine, seconds=_MAINTENANCE) as still:
                still.execute(sa.text("LOCK TABLE arrivals IN SHARE ROW EXCLUSIVE MODE"))
                gather()
                # Its first query: what is committed by now is what it sees until its end.
                snapshot = connection.execute(sa.select(sa.func.pg_export_snapshot())).scalar_one()
            published = sa.select(runs.c.good, runs.c.bad, runs.c.reasons, runs.c.report).where(
                runs.c.finished_at.is_not(None)
            )
            yield Moment(
                snapshot,
                tuple(
                    decoded(path)
                    for row in connection.execute(published)
                    for path in row
                    if path is not None
                ),
                tuple(connection.execute(sa.select(models.c.version)).scalars()),
            )

    def is_empty(self) -> bool:
        """Whether the database has no tables at all."""
        tables = sa.text(
            "SELECT NOT EXISTS (SELECT FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema'))"
        )
        with transaction(self._engine) as connection:
            return bool(connection.execute(tables).scalar_one())

    def relocate(self, former: str, present: str) -> None:
        """Have the ledger's files lie below one folder in place of another."""
        runs = self._tables.runs
        old, new = f"{encoded(former)}/", f"{encoded(present)}/"
        with transaction(self._engine, seconds=_MAINTENANCE) as connection:
            for column in (runs.c.good, runs.c.bad, runs.c.reasons, runs.c.report):
                connection.execute(
                    sa.update(runs)
                    .where(sa.func.starts_with(column, old))
                    .values({column: new + sa.func.substr(column, len(old) + 1)})
                )
