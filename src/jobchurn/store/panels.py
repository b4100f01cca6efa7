"""Panels: whatever monitoring asks of the database, asked so that nothing can be changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import psycopg
from psycopg.types.numeric import FloatLoader
from sqlalchemy import Engine

from jobchurn.errors import QueryRefused, ReaderMissing
from jobchurn.roles import READER, READER_SETTINGS
from jobchurn.store.admission import can_be_taken, can_read, cure_of
from jobchurn.store.engine import Driver, driver_of, transaction

_FAULTS = (
    psycopg.DataError,
    psycopg.NotSupportedError,
    psycopg.ProgrammingError,
    psycopg.errors.ReadOnlySqlTransaction,
)
"""What the server answers where the query itself is at fault."""

_OUTDATED = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)
"""These are our own queries: what they name is there, unless the database is of another version."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a query answers.

    Attributes:
        columns: their names.
        rows: each with one value for each column; numbers of any precision come as floats.
        more: whether there are further rows, which were not read.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    more: bool


class _NoRight(Exception):
    """The database lacks the role, or a right is missing."""


class Panels:
    """Asks in the name of the role that can only read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self, sql: str, *, seconds: float = 5, rows: int = 5_000) -> Frame:
        """Ask one query, in a transaction that can only read.

        Args:
            sql: one query, to be run as it stands: a percent sign is a percent sign.
            seconds: how long it may take.
            rows: the most rows that are read.

        Raises:
            ReaderMissing: there is no role that can only read; the cure says what to do.
            QueryRefused: it is no query, or not a right one.
            DatabaseUnreachable: it takes too long, or the database does not answer.
        """
        try:
            with transaction(self._engine, seconds=seconds) as connection:
                driver = driver_of(connection)
                _become_reader(driver)
                frame = _frame(driver, sql, rows)
                # An older server lets a query make large objects even where it can only read.
                driver.rollback()
                return frame
        except _NoRight as error:
            self._explain(error)

    def _explain(self, error: _NoRight) -> NoReturn:
        with transaction(self._engine) as connection:
            if can_be_taken(connection) and can_read(connection):
                raise _refused(str(error)) from error
            raise ReaderMissing(
                f"Panels are read in the name of the role {READER}, which may not: {error}.",
                cure_of(connection),
            ) from error


def _become_reader(driver: Driver) -> None:
    """For this transaction: read only, in the role's name."""
    # A path that begins with "$user" would lead another role elsewhere, so it is fixed before.
    try:
        driver.execute(
            f"""
            SET TRANSACTION READ ONLY;
            SELECT set_config('search_path', quote_ident(current_schema()), true);
            SET LOCAL jit = {READER_SETTINGS["jit"]};
            SET LOCAL random_page_cost = {READER_SETTINGS["random_page_cost"]};
            SET LOCAL ROLE {READER};
            """.encode()
        )
    except (psycopg.errors.InvalidParameterValue, psycopg.errors.InsufficientPrivilege) as error:
        raise _NoRight(_words(error)) from error


def _frame(driver: Driver, query: str, rows: int) -> Frame:
    # Inside another query nothing but a query can stand; and nothing can follow it, as what has a
    # parameter is sent in the protocol's form for one statement.
    inner = query.strip().removesuffix(";")
    only = f"SELECT * FROM (\n{inner}\n) AS asked LIMIT $1"  # noqa: S608
    # Raw: it leaves percent signs alone.
    cursor = psycopg.RawCursor(driver)
    cursor.adapters.register_loader("numeric", FloatLoader)
    try:
        found = cursor.execute(only.encode(), [rows + 1], prepare=False).fetchall()
    except psycopg.errors.InsufficientPrivilege as error:
        raise _NoRight(_words(error)) from error
    except _OUTDATED:
        raise
    except _FAULTS as error:
        raise _refused(_words(error)) from error
    columns = tuple(column.name for column in cursor.description or ())
    return Frame(columns, found[:rows], more=len(found) > rows)


def _refused(words: str) -> QueryRefused:
    return QueryRefused(
        f"The database refuses the query: {words}.",
        "This is a fault of the query, not of yours: tell those who look after it.",
    )


def _words(error: psycopg.Error) -> str:
    """The server's own words, in one line."""
    said = ". ".join(filter(None, (error.diag.message_primary, error.diag.message_hint)))
    return " ".join((said or str(error)).split()).rstrip(".")
