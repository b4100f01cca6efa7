"""Makes the databases and their users, or brings them in line with the secrets.

The application and Airflow each own a database and cannot connect to the other's. The role that can
only read, which Grafana logs in as and the application reads its panels as, may connect to the
application's; what it may read there is the migration's business. Running this again changes
nothing but a password that its secret has left.
"""

from __future__ import annotations

from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from jobchurn.store.reader import READER, SETTINGS

Connection = psycopg.Connection[tuple[object, ...]]

SECRETS = Path("/secrets")


def main() -> None:
    """Make roles, databases and grants."""
    admin = _secret("postgres", "POSTGRES_PASSWORD")
    app = urlsplit(_secret("app", "DATABASE_URL"))
    airflow = urlsplit(_secret("airflow", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"))
    host = app.hostname or "postgres"
    server = make_conninfo(host=host, port=app.port, user="postgres", password=admin)
    with psycopg.connect(server, dbname="postgres", autocommit=True) as connection:
        _role(connection, "jobchurn", app.password or "")
        _role(connection, "airflow", airflow.password or "")
        _role(connection, READER, _secret("grafana", "GRAFANA_DATABASE_PASSWORD"))
        for name, value in SETTINGS.items():
            connection.execute(
                sql.SQL("ALTER ROLE {} SET {} TO {}").format(
                    sql.Identifier(READER), sql.Identifier(name), sql.Literal(value)
                )
            )
        _run(connection, "GRANT {} TO {}", READER, "jobchurn")
        _database(connection, "jobchurn")
        _database(connection, "airflow")
        _run(connection, "GRANT CONNECT ON DATABASE {} TO {}", "jobchurn", READER)


def _role(connection: Connection, name: str, password: str) -> None:
    """A role that can log in with ``password`` and do nothing else of note."""
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    if not known:
        _run(connection, "CREATE ROLE {} LOGIN", name)
    # The server is sent a verifier, so that no log of its can hold the password.
    verifier = connection.pgconn.encrypt_password(
        password.encode(), name.encode(), b"scram-sha-256"
    ).decode()
    connection.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(verifier))
    )


def _database(connection: Connection, name: str) -> None:
    """A database that its owner, of the same name, has for itself."""
    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    if not known:
        _run(connection, "CREATE DATABASE {} OWNER {}", name, name)
    _run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", name)


def _run(connection: Connection, statement: LiteralString, *names: str) -> None:
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _secret(reader: str, name: str) -> str:
    return (SECRETS / reader / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
