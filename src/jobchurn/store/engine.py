"""Connections: how the database is reached, for how long it is waited, and what its failures mean.

psycopg's and SQLAlchemy's exceptions end here: what an operator can cure leaves as a
:class:`~jobchurn.errors.JobchurnError`, what is a fault of ours leaves as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeAlias, cast

import psycopg
from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    exc,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy.engine import URL

from jobchurn.errors import DatabaseOutdated, DatabaseUnreachable, InvalidSettings, JobchurnError

Driver: TypeAlias = psycopg.Connection[tuple[Any, ...]]

STATEMENT_SECONDS = 60
"""How long a query may run; exports and migrations may take longer."""

LOCK_SECONDS = 15
"""How long a query may wait for another one's lock."""

IDLE_SECONDS = 120
"""How long a transaction may lie idle before the server ends it, so that it blocks nobody."""

_SESSION = f"""
SET TIME ZONE 'UTC';
SET statement_timeout = '{STATEMENT_SECONDS}s';
SET lock_timeout = '{LOCK_SECONDS}s';
SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s';
"""

# Seconds. A server that vanishes without a word is noticed within a minute and a half.
_CONNECTING = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "application_name": "jobchurn",
}

_DRIVERS = {"postgresql", "postgres", "postgresql+psycopg"}

# https://www.postgresql.org/docs/current/errcodes-appendix.html: connection exceptions, wrong user
# or password, no such database, insufficient resources, operator intervention (a shutdown), system
# errors.
_UNREACHABLE_CLASSES = {"08", "28", "3D", "53", "57", "58"}
_CANCELLED = "57014"
_DEADLOCK = "40P01"
_LOCK_NOT_AVAILABLE = "55P03"
_REFUSED = {"25006", "42501"}  # a read-only standby, a user without the right
_OUTDATED = {"42P01", "42703"}  # undefined table, undefined column


def engine_of(url: str, pool_size: int = 8) -> Engine:
    """An engine that connects when first used, and again when the database comes back.

    Args:
        url: ``postgresql://…`` or ``postgres://…``; libpq's parameters may follow as a query.
        pool_size: how many connections are kept; as many again are opened in a rush.

    Raises:
        InvalidSettings: the URL cannot be used.
    """
    parsed = _parsed(url)
    connecting = {name: value for name, value in _CONNECTING.items() if name not in parsed.query}
    engine = create_engine(
        parsed,
        connect_args=connecting,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_pre_ping=True,
    )
    event.listen(engine, "connect", _set_session)
    return engine


def _parsed(url: str) -> URL:
    cure = "Set DATABASE_URL to postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        # The text may hold a password, so it is not repeated.
        raise InvalidSettings("The database's URL cannot be read.", cure) from None
    if parsed.drivername not in _DRIVERS:
        raise InvalidSettings(f"The database is {parsed.drivername}, not PostgreSQL.", cure)
    return parsed.set(drivername="postgresql+psycopg")


def _set_session(connection: psycopg.Connection[Any], _record: object) -> None:
    autocommit = connection.autocommit
    connection.autocommit = True  # a SET inside a transaction is undone with it
    connection.execute(_SESSION)
    connection.autocommit = autocommit


@contextmanager
def transaction(engine: Engine, *, seconds: int | None = None) -> Iterator[Connection]:
    """A transaction: committed at the block's end, rolled back where the block raises.

    Args:
        engine: where.
        seconds: how long each statement may run, in place of the default; 0 for as long as it
            takes.

    Raises:
        DatabaseUnreachable: the database does not answer, or not in time.
        DatabaseOutdated: a table or column is not there.
    """
    with translated(engine), engine.begin() as connection:
        if seconds is not None:
            connection.execute(text(f"SET LOCAL statement_timeout = '{int(seconds)}s'"))
        yield connection


def driver_of(connection: Connection) -> Driver:
    """The driver's connection, for what SQLAlchemy has no words for; in the same transaction."""
    return cast("Driver", connection.connection.driver_connection)


def now_of(connection: Connection) -> datetime:
    """The database's time."""
    now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return now


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Turn the driver's failures into ours."""
    try:
        yield
    except exc.TimeoutError:
        raise DatabaseUnreachable(
            "All connections to the database are in use.",
            "Try again; if it stays so, run fewer workers or requests at once.",
        ) from None
    except exc.DBAPIError as error:
        raise _meaning(error.orig, engine, error.connection_invalidated) or error from error
    except psycopg.Error as error:
        raise _meaning(error, engine, lost=False) or error from error


def _meaning(error: BaseException | None, engine: Engine, lost: bool) -> JobchurnError | None:
    """What a failure means to an operator; ``None`` where it is a fault of ours."""
    state = error.sqlstate if isinstance(error, psycopg.Error) else None
    if state in _OUTDATED:
        return DatabaseOutdated(
            f"The database lacks a table or column: {_said(error, engine)}.",
            "Start jobchurn once (jobchurn up), which brings the tables up to this version.",
        )
    without_state = isinstance(error, psycopg.OperationalError) and state is None
    if state in (_CANCELLED, _DEADLOCK, _LOCK_NOT_AVAILABLE):
        return DatabaseUnreachable(
            f"The database did not answer in time: {_said(error, engine)}.",
            "Try again; if it stays so, look for long transactions in pg_stat_activity.",
        )
    unusable = state in _REFUSED or (state or "")[:2] in _UNREACHABLE_CLASSES
    if lost or without_state or unusable:
        where = f"{engine.url.host or 'the local socket'}:{engine.url.port or 5432}"
        return DatabaseUnreachable(
            f"The database at {where} cannot be used: {_said(error, engine)}.",
            "Check that it runs and that DATABASE_URL names it, its user and its password; "
            "jobchurn doctor looks closer.",
        )
    return None


def _said(error: BaseException | None, engine: Engine) -> str:
    """The server's own words in one line, never with the password."""
    words = " ".join(str(error).split()).rstrip(".")
    password = engine.url.password
    return words.replace(str(password), "***") if password else words
