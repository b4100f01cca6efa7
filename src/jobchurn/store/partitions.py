"""Partitions: predictions lie in one partition a month, made before the month comes.

A row that falls into no month's partition goes to ``predictions_default``; it is moved when its
month's partition is made. A month that has been kept long enough goes as a whole.

Both take a lock that nobody can read or write beside, for as long as it takes to note it down. What
matters is how long they wait for it, since all who come after them wait too: so they wait a second,
let everybody pass, and try again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, text

from jobchurn.errors import DatabaseLocked
from jobchurn.store.columns import PREDICTIONS
from jobchurn.store.engine import MOMENT_SECONDS, driver_of, transaction

MONTHS_AHEAD = 2

_DEFAULT = f"{PREDICTIONS}_default"

_CHANGING = 7_310_586_213_021_468_213
"""The advisory lock that keeps apart who changes tables; any number that nobody else uses."""

_TRIES = 40
_PAUSE_SECONDS = 3.0
"""So often, and with such pauses, a lock is asked for: two minutes in all."""

_UPPER_BOUND = re.compile(r"TO \('([^']+)'\)")

T = TypeVar("T")


class Partition(NamedTuple):
    """A month's.

    Attributes:
        name: of its table.
        following: the moment from which on rows are no longer its.
    """

    name: str
    following: datetime


class Partitions:
    """The named queries about partitions; all but looking is for the tables' owner."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def make(self, now: datetime | None = None) -> list[str]:
        """Make the partitions of a month and the coming ones, and name those that were absent.

        Args:
            now: a moment of the first month; by default the present.

        Raises:
            DatabaseLocked: others did not let go of the table for two minutes.
        """
        moment = now or datetime.now(UTC)
        if not self.absent(moment, MONTHS_AHEAD):
            return []
        return self._with_short_waits(lambda connection: make_partitions(connection, moment))

    def absent(self, now: datetime | None = None, ahead: int = 1) -> list[str]:
        """The partitions that lack, of a month and so many coming ones.

        Args:
            now: a moment of the first month; by default the present.
            ahead: how many months after it are looked for.
        """
        with transaction(self._engine) as connection:
            months = _months(now or datetime.now(UTC), ahead)
            return [name for name, _, _ in months if not _is_there(connection, name)]

    def drop(self, before: datetime) -> int:
        """Remove the partitions whose rows are all from before a moment; how many rows they had.

        Raises:
            DatabaseLocked: others did not let go of the table for two minutes.
        """
        with transaction(self._engine) as connection:
            past = [one.name for one in partitions_of(connection) if one.following <= before]
        return sum(self._with_short_waits(partial(_dropped, name=name)) for name in past)

    def _with_short_waits(self, work: Callable[[Connection], T]) -> T:
        for left in reversed(range(_TRIES)):
            try:
                with transaction(
                    self._engine, seconds=0, lock_seconds=MOMENT_SECONDS
                ) as connection:
                    one_at_a_time(connection)
                    return work(connection)
            except DatabaseLocked:
                if not left:
                    raise
                time.sleep(_PAUSE_SECONDS)
        raise AssertionError("the last try returns or raises")


def one_at_a_time(connection: Connection) -> None:
    """Let those who change tables follow each other."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CHANGING})


def make_partitions(connection: Connection, now: datetime) -> list[str]:
    """Make the partitions of the month of ``now`` and of the months to come, where absent.

    Returns:
        The names of those that were made.
    """
    made = []
    for name, first, following in _months(now, MONTHS_AHEAD):
        if not _is_there(connection, name):
            _make(connection, name, first, following)
            made.append(name)
    return made


def partitions_of(connection: Connection) -> list[Partition]:
    """The months' partitions, the oldest first."""
    rows = connection.execute(
        text(
            "SELECT relname, pg_get_expr(relpartbound, pg_class.oid) FROM pg_inherits "
            "JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = to_regclass(:parent)"
        ),
        {"parent": PREDICTIONS},
    )
    found = [
        Partition(name, datetime.fromisoformat(bound[1]))
        for name, bounds in rows
        if (bound := _UPPER_BOUND.search(bounds or ""))  # it has none where it goes just now
    ]
    return sorted(found, key=lambda one: one.following)


def _dropped(connection: Connection, name: str) -> int:
    """Remove a partition, unless somebody else did; how many rows it had."""
    if not _is_there(connection, name):
        return 0
    # Before the lock beside which nobody reads; nobody adds to a month that is long past.
    counted = sa.select(sa.func.count()).select_from(sa.table(name))
    rows: int = connection.execute(counted).scalar_one()
    connection.exec_driver_sql(f"DROP TABLE {name}")
    return rows


def _months(now: datetime, ahead: int) -> list[tuple[str, datetime, datetime]]:
    """The name, the beginning and the end of each month's partition."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    months = []
    for _ in range(ahead + 1):
        following = _following(first)
        months.append((f"{PREDICTIONS}_{first:%Y_%m}", first, following))
        first = following
    return months


def _following(month: datetime) -> datetime:
    year, month_before = divmod(month.year * 12 + month.month, 12)
    return month.replace(year=year, month=month_before + 1)


def _is_there(connection: Connection, name: str) -> bool:
    return connection.scalar(sa.select(sa.func.to_regclass(name))) is not None


def _make(connection: Connection, name: str, first: datetime, following: datetime) -> None:
    """Make a month's partition, with the rows of that month that lie in the default one.

    Made apart and attached when it is filled: a partition cannot be attached while the default one
    holds rows that belong into it. Its rows may be older than the domain that new ones are held to.
    """
    connection.exec_driver_sql(
        f"CREATE TABLE {name} (LIKE {PREDICTIONS} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
    )
    connection.exec_driver_sql(f"LOCK TABLE {_DEFAULT} IN ACCESS EXCLUSIVE MODE")
    names = [column["name"] for column in sa.inspect(connection).get_columns(PREDICTIONS)]
    kept_open = _checks_of_new_rows(connection)
    for check, _ in kept_open:
        driver_of(connection).execute(f"ALTER TABLE {name} DROP CONSTRAINT {check}".encode())
    default, partition = (sa.table(t, *map(sa.column, names)) for t in (_DEFAULT, name))
    of_month = (default.c.created_at >= first) & (default.c.created_at < following)
    moved = sa.delete(default).where(of_month).returning(*default.c).cte()
    connection.execute(sa.insert(partition).from_select(names, sa.select(moved)))
    for check, definition in kept_open:
        added = f"ALTER TABLE {name} ADD CONSTRAINT {check} {definition}"
        driver_of(connection).execute(added.encode())  # in which a percent sign is one
    connection.exec_driver_sql(
        f"ALTER TABLE {PREDICTIONS} ATTACH PARTITION {name} "
        f"FOR VALUES FROM ('{first.isoformat()}') TO ('{following.isoformat()}')"
    )


def _checks_of_new_rows(connection: Connection) -> Sequence[tuple[str, str]]:
    """The constraints to which only coming rows are held: name, quoted, and definition."""
    return [
        (name, definition)
        for name, definition in connection.execute(
            text(
                "SELECT quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint "
                "WHERE conrelid = to_regclass(:table) AND contype = 'c' AND NOT convalidated"
            ),
            {"table": PREDICTIONS},
        )
    ]
