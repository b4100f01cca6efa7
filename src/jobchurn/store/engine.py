"""Connections: how the database is reached, for how long it is waited, and what its failures mean.

psycopg's and SQLAlchemy's exceptions end here: what an operator can cure leaves as a
:class:`~jobchurn.errors.JobchurnError`, what is a fault of ours leaves as it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeAlias, TypeVar, cast

import psycopg
from psycopg.abc import PQGen
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

from jobchurn.errors import (
    DatabaseLocked,
    DatabaseOutdated,
    DatabaseUnreachable,
    InvalidSettings,
    JobchurnError,
)

Driver: TypeAlias = psycopg.Connection[tuple[Any, ...]]

T = TypeVar("T")

STATEMENT_SECONDS = 30.0
"""How long a query may run where nothing else is said; migrations may take longer."""

GRACE_SECONDS = 5.0
"""How much longer an answer is waited for: the server ends a query that takes too long, and says
so, unless it is stopped, or nothing it says gets here any more."""

WORD_SECONDS = 5.0
"""How long a server may take to say that it is there."""

LOCK_SECONDS = 15
"""How long a query may wait for another one's lock."""

MOMENT_SECONDS = 1.0
"""How long it waits where there is something else to do: long enough for whoever is awake."""

IDLE_SECONDS = 120
"""How long a transaction may lie idle before the server ends it, so that it blocks nobody."""

# Seconds, but for the last. Who waits for an answer does not wait for these.
_CONNECTING = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
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


class _Bounded(psycopg.Connection[tuple[Any, ...]]):
    """A connection that waits for no answer for ever.

    The server's own timeouts hold only for as long as the server runs and is heard. One that is
    stopped, or cut off without a word, keeps its sockets, and nothing else would ever end the wait.

    Attributes:
        patience: for how many seconds an answer is waited for; ``None`` for as long as it takes.
    """

    patience: float | None = WORD_SECONDS

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """As psycopg waits; what was asked last may or may not have been done when this raises."""
        if timeout is not None or self.patience is None:
            return super().wait(gen, interval, timeout)
        begun = time.monotonic()
        try:
            return super().wait(gen, interval, self.patience)
        except psycopg.OperationalError as error:
            if error.sqlstate is not None or time.monotonic() - begun < self.patience:
                raise
            self.close()  # whatever came now would be the answer to an older question
            raise psycopg.OperationalError(f"no answer within {self.patience:g} s") from None


def engine_of(url: str, pool_size: int = 8, seconds: float = STATEMENT_SECONDS) -> Engine:
    """An engine that connects when first used, and again when the database comes back.

    Args:
        url: ``postgresql://…`` or ``postgres://…``; libpq's parameters may follow as a query.
        pool_size: how many connections are kept; as many again are opened in a rush.
        seconds: how long a query may run.

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

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: object, _record: object, words: Any, named: dict[str, Any]) -> _Bounded:
        return _Bounded.connect(*words, **named)

    @event.listens_for(engine, "connect")
    def _begin_session(connection: _Bounded, _record: object) -> None:
        _set_session(connection, seconds)

    # The pool's question whether a connection still lives comes before its check-out.
    @event.listens_for(engine, "checkout")
    def _take_time(connection: _Bounded, _record: object, _proxy: object) -> None:
        connection.patience = seconds + GRACE_SECONDS

    @event.listens_for(engine, "checkin")
    def _hurry(connection: _Bounded | None, _record: object) -> None:
        if connection is not None:
            connection.patience = WORD_SECONDS

    return engine


def account_of(url: str) -> tuple[str, str]:
    """The user and the password that a database's URL holds; empty where it holds none.

    Raises:
        InvalidSettings: the URL cannot be used.
    """
    parsed = _parsed(url)
    return parsed.username or "", str(parsed.password or "")


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


def _set_session(connection: _Bounded, seconds: float) -> None:
    autocommit = connection.autocommit
    connection.autocommit = True  # a SET inside a transaction is undone with it
    connection.execute(
        f"""
        SET TIME ZONE 'UTC';
        SET statement_timeout = {_milliseconds(seconds)};
        SET lock_timeout = {_milliseconds(LOCK_SECONDS)};
        SET idle_in_transaction_session_timeout = {_milliseconds(IDLE_SECONDS)};
        """.encode()
    )
    connection.autocommit = autocommit


def _milliseconds(seconds: float) -> int:
    """As a timeout is set; 0 stays 0, which is none."""
    return max(1, round(1000 * seconds)) if seconds else 0


@contextmanager
def transaction(
    engine: Engine,
    *,
    seconds: float | None = None,
    lock_seconds: float | None = None,
    part_seconds: float | None = None,
) -> Iterator[Connection]:
    """A transaction: committed at the block's end, rolled back where the block raises.

    Args:
        engine: where.
        seconds: how long each statement may run, in place of the default; 0 for as long as it
            takes.
        lock_seconds: how long each may wait for another one's lock, in place of the default.
        part_seconds: how long the next part of an answer is waited for that comes in parts; by
            default as long as the statement may run.

    Raises:
        DatabaseUnreachable: the database does not answer, or not in time.
        DatabaseLocked: another one holds what a statement needs, and does not let go of it.
        DatabaseOutdated: a table or column is not there.
    """
    with translated(engine), engine.begin() as connection:
        if seconds is not None:
            connection.execute(text(f"SET LOCAL statement_timeout = {_milliseconds(seconds)}"))
            longest = seconds if part_seconds is None else part_seconds
            driver = cast("_Bounded", driver_of(connection))
            driver.patience = longest + GRACE_SECONDS if longest else None
        if lock_seconds is not None:
            connection.execute(text(f"SET LOCAL lock_timeout = {_milliseconds(lock_seconds)}"))
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
        locked = state == _LOCK_NOT_AVAILABLE
        return (DatabaseLocked if locked else DatabaseUnreachable)(
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
