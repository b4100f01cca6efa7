"""What only an administrator of the server can do: let roles in, and keep databases apart.

The embedded server and the containers' are ours alone, so each database is closed to all whom it
was not opened to. What the roles may do in a database is the business of its migration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql
from sqlalchemy import make_url

from jobchurn.roles import ROLES
from jobchurn.store.admission import attempt, give_password
from jobchurn.store.engine import Driver, driver_of, engine_of, translated
from jobchurn.store.lacking import formed, roles_lacking

_COMMON = ("postgres", "template1")
"""Databases that every server has, and nobody but its administrator needs."""

_LARGE_OBJECTS = ("lo_creat(integer)", "lo_create(oid)", "lo_from_bytea(oid, bytea)")
"""What makes objects without asking for any right."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A database whose owner has it, and all that is in it, for itself.

    Attributes:
        database: its name.
        owner: its owner's.
        guests: roles that may connect to it and use its schema.
    """

    database: str
    owner: str
    guests: tuple[str, ...] = ()


APPLICATION = Tenant("jobchurn", "jobchurn", tuple(role.name for role in ROLES))
AIRFLOW = Tenant("airflow", "airflow")


def administer(url: str, passwords: Mapping[str, str]) -> None:
    """Make roles and databases, or bring them in line; a repeat changes nothing but passwords.

    Args:
        url: of any database of the server, with the name of an administrator.
        passwords: role → with what it may log in; one that is not there is made.

    Raises:
        DatabaseUnreachable: the server does not answer, or this user is no administrator.
    """
    with _session(url) as driver:
        for role in passwords:
            if not _asked(driver, "SELECT true FROM pg_roles WHERE rolname = %s", role):
                _run(driver, "CREATE ROLE {}", role)
        for statement in roles_lacking(driver, APPLICATION.owner):
            attempt(driver, statement)
        for role, password in passwords.items():
            give_password(driver, role, password)
        for database in _COMMON:
            _run(driver, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
        for tenant in (APPLICATION, AIRFLOW):
            _let_in(driver, tenant)
    for tenant in (APPLICATION, AIRFLOW):
        with _session(url, tenant.database) as driver:
            _hand_over(driver, tenant.owner)
            _close(driver, tenant)


def _let_in(driver: Driver, tenant: Tenant) -> None:
    """Its owner, and its guests; nobody else."""
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s"
    found = _asked(driver, owner, tenant.database)
    if found is None:
        _run(driver, "CREATE DATABASE {} OWNER {}", tenant.database, tenant.owner)
    elif found != tenant.owner:
        _run(driver, "ALTER DATABASE {} OWNER TO {}", tenant.database, tenant.owner)
    _run(driver, "REVOKE ALL ON DATABASE {} FROM PUBLIC", tenant.database)
    for guest in tenant.guests:
        _run(driver, "GRANT CONNECT ON DATABASE {} TO {}", tenant.database, guest)


def _hand_over(driver: Driver, owner: str) -> None:
    """Give the owner what another one made in its database."""
    rows = driver.execute(
        "SELECT 'TABLE', relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND relkind IN ('r', 'p', 'v', 'm', 'S') AND pg_get_userbyid(relowner) <> %(owner)s "
        # A column's sequence goes with its table.
        "AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid "
        "AND classid = 'pg_class'::regclass AND deptype IN ('a', 'i') AND relkind = 'S') "
        "UNION ALL SELECT 'TYPE', typname FROM pg_type WHERE typnamespace = 'public'::regnamespace "
        "AND typtype IN ('d', 'e') AND pg_get_userbyid(typowner) <> %(owner)s",
        {"owner": owner},
    ).fetchall()
    for kind, name in rows:
        _run(driver, "ALTER {} {} OWNER TO {}", sql.SQL(kind), name, owner)


def _close(driver: Driver, tenant: Tenant) -> None:
    """Let nobody make anything but the owner."""
    for guest in tenant.guests:
        _run(driver, "GRANT USAGE ON SCHEMA public TO {}", guest)
    _run(driver, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
    for function in _LARGE_OBJECTS:
        _run(driver, "REVOKE ALL ON FUNCTION pg_catalog.{} FROM PUBLIC", sql.SQL(function))


@contextmanager
def _session(url: str, database: str | None = None) -> Iterator[Driver]:
    """A session of the administrator's, in which each statement stands alone."""
    parsed = make_url(url)
    if database is not None:
        parsed = parsed.set(database=database)
    engine = engine_of(parsed.render_as_string(hide_password=False))
    try:
        with translated(engine), engine.connect() as connection:
            driver = driver_of(connection)
            driver.autocommit = True
            yield driver
    finally:
        engine.dispose()


def _asked(driver: Driver, question: LiteralString, value: str) -> object:
    row = driver.execute(question, [value]).fetchone()
    return row and row[0]


def _run(driver: Driver, statement: LiteralString, *parts: str | sql.Composable) -> None:
    driver.execute(formed(statement, *parts))
