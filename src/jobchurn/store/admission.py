"""Brings a database in line with ``roles``: who is there, who may do what, and who no longer may.

Roles belong to a whole server, which many databases may share, so several may be making them at the
same moment. Where this user may not make roles everything works nevertheless, in this user's own
name; panels alone need their role, and an administrator is told what to run.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from sqlalchemy import Connection

from jobchurn.roles import READER, rights_of
from jobchurn.store.engine import Driver, driver_of
from jobchurn.store.lacking import (
    formed,
    lacking,
    may_become_reader,
    open_to_all,
    roles_found,
)

_TRIES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the roles of a database stand.

    Attributes:
        database: which.
        schema: where its tables are, quoted.
        present: which roles there are.
        log_in: which of them may log in.
        lacking: the statements that would bring roles and rights in line.
        open_to_all: the statements that would close the database to all whom it was not opened
            to; no business of a migration's, as others may share the database.
    """

    database: str
    schema: str
    present: frozenset[str]
    log_in: frozenset[str]
    lacking: Sequence[str]
    open_to_all: Sequence[str]


log = logging.getLogger(__name__)


def admit(connection: Connection, passwords: Mapping[str, str]) -> None:
    """Make the roles where they are absent, with the rights that they are to have and no others.

    What this user has no right to is left out, and logged where it is missed. A repeat changes
    nothing but the passwords.

    Args:
        connection: in a transaction that no other migration of this database overlaps.
        passwords: role → with what it may log in from now on; others stay as they are.
    """
    driver = driver_of(connection)
    for statement in lacking(driver):
        attempt(driver, statement)
    for role, password in passwords.items():
        if not give_password(driver, role, password) and role not in _who_may_log_in(driver):
            log.warning(
                "The password of %s is not set: have an administrator of the database set it.",
                role,
            )
    if not can_be_taken(connection):
        log.warning("Panels cannot be read. %s", cure_of(connection))


def standing(connection: Connection) -> Standing:
    """How the roles stand."""
    driver = driver_of(connection)
    return Standing(
        database=driver.info.dbname,
        schema=sql.Identifier(_schema(driver)).as_string(driver),
        present=frozenset(roles_found(driver)),
        log_in=_who_may_log_in(driver),
        lacking=[f"{statement.as_string(driver)};" for statement in lacking(driver)],
        open_to_all=[f"{statement.as_string(driver)};" for statement in open_to_all(driver)],
    )


def can_be_taken(connection: Connection) -> bool:
    """Whether this session may become the reader."""
    driver = driver_of(connection)
    return may_become_reader(driver, driver.info.user)


def can_read(connection: Connection) -> bool:
    """Whether the reader may read all that it is to read."""
    row = driver_of(connection).execute(
        "SELECT has_schema_privilege(oid, current_schema(), 'USAGE') AND "
        "(SELECT bool_and(has_any_column_privilege(oid, quote_ident(name), 'SELECT')) "
        "FROM unnest(%s::text[]) AS name) FROM pg_roles WHERE rolname = %s",
        [list(rights_of(READER)), READER],
    )
    return row.fetchone() == (True,)


def cure_of(connection: Connection) -> str:
    """What is to be done where the reader is missing, may not be taken, or may not read."""
    driver = driver_of(connection)
    cure = "Run jobchurn db migrate"
    if not can_be_taken(connection):
        create = "" if READER in roles_found(driver) else f"CREATE ROLE {READER}; "
        user = sql.Identifier(driver.info.user).as_string(driver)
        cure = (
            f"Have an administrator of the database run {create}GRANT {READER} TO {user}; then run "
            "jobchurn db migrate"
        )
    return f"{cure}."


def give_password(driver: Driver, role: str, password: str) -> bool:
    """Let a role log in; whether this user may see to that."""
    # The server is sent a verifier, so that no log of its can hold the password.
    verifier = driver.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    verified = sql.Literal(verifier.decode())
    return attempt(driver, formed("ALTER ROLE {} LOGIN PASSWORD {}", role, verified))


def attempt(driver: Driver, statement: sql.Composed) -> bool:
    """Run a statement about roles; whether this user had the right to.

    What another database's migration has done meanwhile is done.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            with driver.transaction():
                driver.execute(statement)
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedObject):
            return False  # the latter: of a role that could not be made
        except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateObject):
            return True
        except psycopg.errors.InternalError_ as error:
            # PostgreSQL knows no better name for "tuple concurrently updated".
            if "concurrently" not in str(error) or not tries_left:
                raise
        else:
            return True
    raise AssertionError("the last try returns or raises")


def _schema(driver: Driver) -> str:
    row = driver.execute("SELECT current_schema()").fetchone()
    return str(row[0]) if row and row[0] else "public"


def _who_may_log_in(driver: Driver) -> frozenset[str]:
    return frozenset(name for name, row in roles_found(driver).items() if row["rolcanlogin"])
