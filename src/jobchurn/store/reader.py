"""The reading role: ``jobchurn_reader`` may look at every table and change nothing.

Panels are read in its name, by ourselves and by Grafana. Roles belong to a whole server, which
many databases may share, so several may be making this one at the same moment. Where this user may
not make roles, all that needs no panels works nevertheless, and an administrator is told what to
run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from sqlalchemy import Connection

from jobchurn.store.engine import Driver, driver_of

READER = "jobchurn_reader"

SETTINGS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    "TimeZone": "UTC",
    # To compile a panel's query takes longer than to run it.
    "jit": "off",
    # Predictions lie in the order of their times: a day of a month is read by its index.
    "random_page_cost": "1.1",
}
"""What a session begins with that logs in as the reader."""

_PERMITS_APART = 160_000
"""The PostgreSQL from which on it is a permission of its own that a member may become the role."""

_TRIES = 10

log = logging.getLogger(__name__)


def admit_reader(
    connection: Connection, tables: Iterable[str], password: str | None = None
) -> None:
    """Make the role where it is absent, and let it read ``tables``.

    What this user has no right to is left out, and logged where it is missed. A repeat changes
    nothing but the password.

    Args:
        connection: in a transaction that no other migration of this database overlaps.
        tables: the names of those that it may read; their partitions are read through them.
        password: with it the role may log in.
    """
    driver = driver_of(connection)
    if _exists(driver) or _try(driver, "CREATE ROLE {role}"):
        _let_read(driver, list(tables))
        _let_be_taken(driver)
        _give_settings(driver)
        _give_way(driver)
        if password is not None and not _give_password(driver, password):
            log.warning(
                "The password of %s is not set: have an administrator of the database set it.",
                READER,
            )
    if not can_be_taken(connection):
        log.warning("Panels cannot be read. %s", cure_of(connection))


def can_be_taken(connection: Connection) -> bool:
    """Whether this session may become the role."""
    driver = driver_of(connection)
    return _exists(driver) and _may_be_taken(driver)


def can_read(connection: Connection, tables: Iterable[str]) -> bool:
    """Whether the role may read all of ``tables``."""
    driver = driver_of(connection)
    return _exists(driver) and _may_read(driver, list(tables))


def cure_of(connection: Connection) -> str:
    """What is to be done where the role is missing, may not be taken, or may not read."""
    driver = driver_of(connection)
    cure = "Run jobchurn db migrate"
    if not (_exists(driver) and _may_be_taken(driver)):
        create = "" if _exists(driver) else f"CREATE ROLE {READER}; "
        user = sql.Identifier(driver.info.user).as_string(driver)
        cure = (
            f"Have an administrator of the database run {create}GRANT {READER} TO {user}; then run "
            "jobchurn db migrate"
        )
    return f"{cure}."


def _let_read(driver: Driver, tables: list[str]) -> None:
    if not _may_read(driver, tables):
        schema = sql.Identifier(_asked(driver, "SELECT current_schema()"))
        names = sql.SQL(", ").join(map(sql.Identifier, tables))
        _try(driver, "GRANT USAGE ON SCHEMA {schema} TO {role}", schema=schema)
        _try(driver, "GRANT SELECT ON {tables} TO {role}", tables=names)


def _may_read(driver: Driver, tables: list[str]) -> bool:
    return bool(
        _asked(
            driver,
            "SELECT has_schema_privilege(%(role)s, current_schema(), 'USAGE') AND bool_and("
            "has_table_privilege(%(role)s, quote_ident(name), 'SELECT')) "
            "FROM unnest(%(tables)s::text[]) AS name",
            role=READER,
            tables=tables,
        )
    )


def _let_be_taken(driver: Driver) -> None:
    if not _may_be_taken(driver):
        _try(
            driver,
            # Its rights are not wanted at other times.
            "GRANT {role} TO SESSION_USER WITH INHERIT FALSE, SET TRUE"
            if driver.info.server_version >= _PERMITS_APART
            else "GRANT {role} TO SESSION_USER",
        )


def _may_be_taken(driver: Driver) -> bool:
    permission = "SET" if driver.info.server_version >= _PERMITS_APART else "MEMBER"
    return bool(
        _asked(
            driver,
            "SELECT pg_has_role(session_user, %(role)s, %(permission)s)",
            role=READER,
            permission=permission,
        )
    )


def _give_settings(driver: Driver) -> None:
    found = _asked(driver, "SELECT rolconfig FROM pg_roles WHERE rolname = %(role)s", role=READER)
    for name, value in SETTINGS.items():
        if f"{name}={value}" not in (found or ()):
            _try(
                driver,
                "ALTER ROLE {role} SET {name} TO {value}",
                name=sql.Identifier(name),
                value=sql.Literal(value),
            )


def _give_way(driver: Driver) -> None:
    """Let a session that logs in as the role find the tables where they are not in ``public``."""
    schema = _asked(driver, "SELECT current_schema()")
    found = _asked(
        driver,
        "SELECT setconfig FROM pg_db_role_setting WHERE setrole = %(role)s::regrole "
        "AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())",
        role=READER,
    )
    if schema != "public" and not any(one.startswith("search_path=") for one in found or ()):
        _try(
            driver,
            "ALTER ROLE {role} IN DATABASE {name} SET search_path TO {schema}",
            name=sql.Identifier(driver.info.dbname),
            schema=sql.Identifier(schema),
        )


def _give_password(driver: Driver, password: str) -> bool:
    """Let the role log in; whether this user may see to that."""
    # The server is sent a verifier, so that no log of its can hold the password.
    verifier = driver.pgconn.encrypt_password(password.encode(), READER.encode(), b"scram-sha-256")
    may_connect = "SELECT has_database_privilege(%(role)s, current_database(), 'CONNECT')"
    if not _asked(driver, may_connect, role=READER):
        name = sql.Identifier(driver.info.dbname)
        _try(driver, "GRANT CONNECT ON DATABASE {name} TO {role}", name=name)
    return _try(
        driver,
        "ALTER ROLE {role} LOGIN PASSWORD {verifier}",
        verifier=sql.Literal(verifier.decode()),
    )


def _exists(driver: Driver) -> bool:
    found = _asked(
        driver, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %(role)s)", role=READER
    )
    return bool(found)


def _asked(driver: Driver, question: LiteralString, **values: Any) -> Any:
    """The one value that a query answers with."""
    row = driver.execute(question, values).fetchone()
    return row and row[0]


def _try(driver: Driver, statement: LiteralString, **parts: sql.Composable) -> bool:
    """Run a statement about the role; whether this user had the right to.

    What another database's migration has done meanwhile is done.
    """
    command = sql.SQL(statement).format(role=sql.Identifier(READER), **parts)
    for tries_left in reversed(range(_TRIES)):
        try:
            with driver.transaction():
                driver.execute(command)
        except psycopg.errors.InsufficientPrivilege:
            return False
        except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateObject):
            return True
        except psycopg.errors.InternalError_ as error:
            # PostgreSQL knows no better name for "tuple concurrently updated".
            if "concurrently" not in str(error) or not tries_left:
                raise
        else:
            return True
    raise AssertionError("the last try returns or raises")
