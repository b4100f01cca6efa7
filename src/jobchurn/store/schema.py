"""The schema: brought from wherever it stands to this version, and looked at for readiness."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from jobchurn.contract import Contract
from jobchurn.errors import DatabaseOutdated
from jobchurn.store.admission import admit
from jobchurn.store.adoption import adopt, unadopted
from jobchurn.store.columns import PREDICTIONS
from jobchurn.store.engine import transaction
from jobchurn.store.partitions import make_partitions, one_at_a_time

OLDEST_POSTGRES = 15

_PATIENCE_SECONDS = 120
"""How long a migration waits for another one, or for a table that is in use."""


def migrate(engine: Engine, contract: Contract, passwords: Mapping[str, str]) -> None:
    """Bring the tables to this version and give them the contract's columns: all of it, or nothing.

    Args:
        engine: where.
        contract: whose columns.
        passwords: role of ``roles`` → with what it may log in.

    Raises:
        DatabaseOutdated: the server is too old, the tables are those of a newer version, or this
            user may not change them.
        ContractUnusable: a column of the contract cannot be stored.
    """
    with transaction(engine, seconds=0) as connection:
        if unfit := unfit_server(connection):
            raise DatabaseOutdated(unfit, "Use another database: set DATABASE_URL.")
        _must_be_the_owner(connection)
        connection.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE_SECONDS}s'"))
        one_at_a_time(connection)
        stranger = _stranger(connection)
        if stranger is not None:
            raise DatabaseOutdated(
                f"The database is at step {stranger}, which this version does not know.",
                "Update jobchurn, or use another database.",
            )
        command.upgrade(_config(connection), "head")
        adopt(connection, contract)
        make_partitions(connection, datetime.now(UTC))
        # Last, so that others who make the role at this moment wait for as short as can be.
        admit(connection, passwords)


def missing(connection: Connection, contract: Contract) -> list[str]:
    """What keeps the database from being ready for this version and contract, in words."""
    if unfit := unfit_server(connection):
        return [unfit]
    found, wanted = _revision(connection), head()
    if found != wanted:
        return [f"the tables are at step {found or 'none'}, not {wanted}: migrate"]
    return [
        f"the column {name} is not adopted as the contract has it: migrate"
        for name in unadopted(connection, contract)
    ]


def unfit_server(connection: Connection) -> str | None:
    """Why this server cannot be used at all, or ``None``."""
    version = int(connection.scalar(text("SHOW server_version_num")) or 0) // 10_000
    if version < OLDEST_POSTGRES:
        return f"The server is PostgreSQL {version}; {OLDEST_POSTGRES} or newer is needed."
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        return f"The database's encoding is {encoding}; UTF8 is needed."
    return None


@cache
def head() -> str:
    """The newest migration of this version."""
    found = _scripts().get_current_head()
    if found is None:
        raise AssertionError("there are no migrations")
    return found


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _must_be_the_owner(connection: Connection) -> None:
    """Refuse, before any change, whoever may not make them.

    Raises:
        DatabaseOutdated: the tables are another user's, or this one may not make any.
    """
    may = connection.scalar(
        text(
            "SELECT coalesce((SELECT pg_has_role(relowner, 'USAGE') FROM pg_class "
            "WHERE oid = to_regclass(:name)), has_schema_privilege(current_schema(), 'CREATE'))"
        ),
        {"name": PREDICTIONS},
    )
    if not may:
        user = connection.engine.url.username
        raise DatabaseOutdated(
            f"The tables are to be brought to this version, which {user} may not do.",
            "Run jobchurn db migrate with the DATABASE_URL of the tables' owner.",
        )


def _stranger(connection: Connection) -> str | None:
    """The database's revision where this version does not know it."""
    found = _revision(connection)
    known = {script.revision for script in _scripts().walk_revisions()}
    return found if found is not None and found not in known else None


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    # A percent sign would begin an interpolation.
    folder = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
