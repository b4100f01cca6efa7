"""Partitions: predictions lie in one partition a month, made before the month comes.

A row that falls into no month's partition goes to ``predictions_default``; it is moved when its
month's partition is made.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from jobchurn.store.columns import PREDICTIONS

MONTHS_AHEAD = 2

_DEFAULT = f"{PREDICTIONS}_default"


def make_partitions(connection: Connection, now: datetime) -> list[str]:
    """Make the partitions of the month of ``now`` and of the months to come, where absent.

    Returns:
        The names of those that were made.
    """
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    made = []
    for _ in range(MONTHS_AHEAD + 1):
        following = _following(first)
        name = f"{PREDICTIONS}_{first:%Y_%m}"
        if connection.scalar(sa.select(sa.func.to_regclass(name))) is None:
            _make(connection, name, first, following)
            made.append(name)
        first = following
    return made


def _following(month: datetime) -> datetime:
    year, month_before = divmod(month.year * 12 + month.month, 12)
    return month.replace(year=year, month=month_before + 1)


def _make(connection: Connection, name: str, first: datetime, following: datetime) -> None:
    """Make a month's partition, with the rows of that month that lie in the default one.

    Made apart and attached when it is filled: a partition cannot be attached while the default one
    holds rows that belong into it.
    """
    connection.exec_driver_sql(
        f"CREATE TABLE {name} (LIKE {PREDICTIONS} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
    )
    connection.exec_driver_sql(f"LOCK TABLE {_DEFAULT} IN ACCESS EXCLUSIVE MODE")
    names = [column["name"] for column in sa.inspect(connection).get_columns(PREDICTIONS)]
    default, partition = (sa.table(t, *map(sa.column, names)) for t in (_DEFAULT, name))
    of_month = (default.c.created_at >= first) & (default.c.created_at < following)
    moved = sa.delete(default).where(of_month).returning(*default.c).cte()
    connection.execute(sa.insert(partition).from_select(names, sa.select(moved)))
    connection.exec_driver_sql(
        f"ALTER TABLE {PREDICTIONS} ATTACH PARTITION {name} "
        f"FOR VALUES FROM ('{first.isoformat()}') TO ('{following.isoformat()}')"
    )
