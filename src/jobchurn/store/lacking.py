"""What a database lacks of what ``roles`` has written, as the statements that would bring it.

Nothing is changed here: ``admission`` runs them, or has them printed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, LiteralString

from psycopg import sql
from psycopg.rows import dict_row

from jobchurn.roles import BUT_IDS, PUBLIC, READER, RIGHTS, ROLES, Role, rights_of
from jobchurn.store.columns import ID_MARK
from jobchurn.store.engine import Driver

_PERMITS_APART = 160_000
"""The PostgreSQL from which on it is a permission of its own that a member may become the role."""

_NAMES = [role.name for role in ROLES]

_ATTRIBUTES = {
    "rolsuper": sql.SQL("NOSUPERUSER"),
    "rolcreaterole": sql.SQL("NOCREATEROLE"),
    "rolcreatedb": sql.SQL("NOCREATEDB"),
    "rolreplication": sql.SQL("NOREPLICATION"),
    "rolbypassrls": sql.SQL("NOBYPASSRLS"),
}
"""What no role of ours has: the catalogue's name for it, and what takes it away."""


def lacking(driver: Driver) -> list[sql.Composed]:
    """What is lacking of roles and rights in this database, whose owner asks."""
    return [
        *roles_lacking(driver, driver.info.user),
        *_ways_lacking(driver),
        *_rights_lacking(driver),
    ]


def roles_lacking(driver: Driver, owner: str) -> Iterator[sql.Composed]:
    """What is lacking of the roles themselves, whichever database of the server is asked.

    Args:
        driver: the session.
        owner: who makes the tables, and may become the reader.
    """
    present = roles_found(driver)
    for role in ROLES:
        yield from _role_lacking(role, present.get(role.name))
    if not may_become_reader(driver, owner):
        yield _membership(driver, owner)
    yield from _memberships_lacking(driver)


def open_to_all(driver: Driver) -> Iterator[sql.Composed]:
    """What would close the database to all whom it was not opened to."""
    rows = driver.execute(
        "SELECT current_schema(), has_schema_privilege('public', current_schema(), 'CREATE'), "
        "has_database_privilege('public', current_database(), 'CONNECT, TEMPORARY')"
    )
    for schema, may_make, may_come in rows:
        if may_come:
            for name in _NAMES:  # who have come as everybody does so far
                yield formed("GRANT CONNECT ON DATABASE {} TO {}", driver.info.dbname, name)
            yield formed("REVOKE ALL ON DATABASE {} FROM PUBLIC", driver.info.dbname)
        if may_make:
            yield formed("REVOKE CREATE ON SCHEMA {} FROM PUBLIC", schema)


def roles_found(driver: Driver) -> dict[str, dict[str, Any]]:
    """Those of the roles that are there, as ``pg_roles`` has them."""
    with driver.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SELECT * FROM pg_roles WHERE rolname = ANY(%s)", [_NAMES])
        return {row["rolname"]: row for row in cursor}


def may_become_reader(driver: Driver, user: str) -> bool:
    """Whether a user may take on the reader's role."""
    permission = "SET" if driver.info.server_version >= _PERMITS_APART else "MEMBER"
    row = driver.execute(
        "SELECT pg_has_role(member.oid, role.oid, %s) FROM pg_roles AS member, pg_roles AS role "
        "WHERE member.rolname = %s AND role.rolname = %s",
        [permission, user, READER],
    )
    return row.fetchone() == (True,)


def formed(statement: LiteralString, *parts: str | sql.Composable) -> sql.Composed:
    """A statement; a part that is plain text is a name."""
    return sql.SQL(statement).format(
        *(sql.Identifier(part) if isinstance(part, str) else part for part in parts)
    )


def _role_lacking(role: Role, found: Mapping[str, Any] | None) -> Iterator[sql.Composed]:
    if found is None:
        yield formed("CREATE ROLE {}", role.name)
        found = {"rolinherit": True, "rolconfig": None}
    if role.reads_panels and found["rolinherit"]:
        # On PostgreSQL 15 the member itself says whether it has another role's rights at all times.
        yield formed("ALTER ROLE {} NOINHERIT", role.name)
    for attribute, taken_away in _ATTRIBUTES.items():
        if found.get(attribute):
            yield formed("ALTER ROLE {} {}", role.name, taken_away)
    for name, value in role.settings.items():
        if f"{name}={value}" not in (found["rolconfig"] or ()):
            yield formed("ALTER ROLE {} SET {} TO {}", role.name, name, sql.Literal(value))


def _membership(driver: Driver, member: str) -> sql.Composed:
    if driver.info.server_version >= _PERMITS_APART:
        # The reader's rights are not wanted at other times.
        return formed("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE", READER, member)
    return formed("GRANT {} TO {}", READER, member)


def _memberships_lacking(driver: Driver) -> Iterator[sql.Composed]:
    """The roles may become the reader, where they read panels, and nobody else."""
    as_wanted = "true"
    if driver.info.server_version >= _PERMITS_APART:
        as_wanted = "bool_or(set_option) AND NOT bool_or(inherit_option)"
    rows = driver.execute(
        f"SELECT member::regrole::text, pg_get_userbyid(roleid), {as_wanted} "  # noqa: S608
        "FROM pg_auth_members WHERE member = ANY("
        "SELECT oid FROM pg_roles WHERE rolname = ANY(%s)) GROUP BY 1, 2 ORDER BY 1, 2",
        [_NAMES],
    ).fetchall()
    wanted = [role.name for role in ROLES if role.reads_panels]
    for member, role, _ in rows:
        if role != READER or member not in wanted:
            yield formed("REVOKE {} FROM {}", role, member)
    done = {member for member, role, as_it_is_to_be in rows if role == READER and as_it_is_to_be}
    for member in wanted:
        if member not in done:
            yield _membership(driver, member)


def _ways_lacking(driver: Driver) -> Iterator[sql.Composed]:
    """To the database and its tables, wherever these are."""
    database = driver.info.dbname
    rows = driver.execute(
        # 0 is everybody: a role that is not there will be able to do what they are.
        "SELECT name, current_schema(), setconfig, "
        "has_database_privilege(coalesce(role.oid, 0::oid), current_database(), 'CONNECT'), "
        "has_schema_privilege(coalesce(role.oid, 0::oid), current_schema(), 'USAGE') "
        "FROM unnest(%s::text[]) AS name LEFT JOIN pg_roles AS role ON rolname = name "
        "LEFT JOIN pg_db_role_setting ON setrole = role.oid AND setdatabase = "
        "(SELECT oid FROM pg_database WHERE datname = current_database())",
        [_NAMES],
    ).fetchall()
    for role, schema, session, may_connect, may_use in rows:
        if not may_connect:
            yield formed("GRANT CONNECT ON DATABASE {} TO {}", database, role)
        if not may_use:
            yield formed("GRANT USAGE ON SCHEMA {} TO {}", schema, role)
        led = any(one.startswith("search_path=") for one in session or ())
        if schema != "public" and not led:
            way = "ALTER ROLE {} IN DATABASE {} SET search_path TO {}"
            yield formed(way, role, database, schema)
    yield from _ways_to_close(driver)


def _ways_to_close(driver: Driver) -> Iterator[sql.Composed]:
    """Nobody but the owner makes anything."""
    rows = driver.execute(
        "SELECT DISTINCT 'DATABASE', datname::text, grantee::regrole::text FROM pg_database, "
        "aclexplode(datacl) WHERE datname = current_database() AND privilege_type <> 'CONNECT' "
        "AND pg_get_userbyid(grantee) = ANY(%(names)s) UNION "
        "SELECT 'SCHEMA', nspname::text, grantee::regrole::text FROM pg_namespace, "
        "aclexplode(nspacl) WHERE nspname = current_schema() AND privilege_type <> 'USAGE' "
        "AND pg_get_userbyid(grantee) = ANY(%(names)s)",
        {"names": _NAMES},
    ).fetchall()
    for kind, name, role in rows:
        rights = "CREATE, TEMPORARY" if kind == "DATABASE" else "CREATE"
        yield formed("REVOKE {} ON {} {} FROM {}", sql.SQL(rights), sql.SQL(kind), name, role)


def _rights_lacking(driver: Driver) -> Iterator[sql.Composed]:
    """First what is too much goes, with what else the role may do there; then all is given."""
    found = _rights_found(driver)
    wanted = {
        (role, table): _by_column(driver, table, rights)
        for role in _NAMES
        for table, rights in rights_of(role).items()
    }
    too_much = [place for place in found if found[place] - wanted.get(place, frozenset())]
    yield from _by_role("REVOKE ALL PRIVILEGES ON {} FROM {} CASCADE", too_much)
    missing = defaultdict(list)
    for place, rights in wanted.items():
        held = frozenset() if place in too_much else found.get(place, frozenset())
        if not rights <= held:
            missing[rights].append(place)
    for rights, places in missing.items():
        given = sql.SQL(", ").join(sql.SQL(right) for right in sorted(rights))
        yield from _by_role("GRANT {rights} ON {} TO {}", places, rights=given)


def _by_column(driver: Driver, table: str, rights: frozenset[str]) -> frozenset[str]:
    """Rights as they are granted, by the columns that the table has now."""
    if BUT_IDS not in rights:
        return rights
    rows = driver.execute(
        "SELECT format('SELECT (%%I)', attname) FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped "
        "AND NOT coalesce(col_description(attrelid, attnum), '') LIKE '%%' || %s",
        [table, ID_MARK],
    )
    return (rights - {BUT_IDS}) | {right for (right,) in rows}


def _by_role(
    statement: LiteralString, places: list[tuple[str, str]], **parts: sql.Composable
) -> Iterator[sql.Composed]:
    """A statement for each role, about all of its tables together, and all of its sequences."""
    grouped = defaultdict(list)
    for role, name in places:
        grouped[role, name.endswith("_seq")].append(sql.Identifier(name))
    for (role, are_sequences), names in grouped.items():
        listed = sql.SQL(", ").join(names)
        what = sql.SQL("SEQUENCE {}").format(listed) if are_sequences else listed
        who = sql.SQL("PUBLIC") if role == PUBLIC else sql.Identifier(role)
        yield sql.SQL(statement).format(what, who, **parts)


def _rights_found(driver: Driver) -> dict[tuple[str, str], frozenset[str]]:
    """What the roles, and everybody, may do with what the tables' owner has: (role, name) → rights.

    The owner's views are the owner's to show.
    """
    rows = driver.execute(
        "WITH ours AS (SELECT oid, relname, relacl FROM pg_class WHERE relkind IN ('r', 'p', 'S') "
        "AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) "
        "AND relowner = (SELECT relowner FROM pg_class WHERE oid = to_regclass(%s))), "
        "given AS (SELECT relname, grantee, privilege_type, is_grantable FROM ours, "
        "aclexplode(relacl) UNION ALL SELECT relname, grantee, format('%%s (%%I)', "
        "privilege_type, attname), is_grantable FROM ours "
        "JOIN pg_attribute ON attrelid = ours.oid, aclexplode(attacl)) "
        # None is to be passed on.
        "SELECT coalesce(rolname, %s), relname, array_agg(privilege_type || "
        "CASE WHEN is_grantable THEN ' to pass on' ELSE '' END) FROM given "
        "LEFT JOIN pg_roles ON pg_roles.oid = grantee "
        "WHERE rolname = ANY(%s) OR grantee = 0 GROUP BY 1, 2 ORDER BY 1, 2",
        [next(iter(RIGHTS)), PUBLIC, _NAMES],
    )
    return {(role, name): frozenset(rights) for role, name, rights in rows}
