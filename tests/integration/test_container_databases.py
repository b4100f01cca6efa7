"""The databases of the containers: each user has its own, and can reach no other."""

import importlib.util
import socket
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from jobchurn.postgres.binaries import find_binaries
from jobchurn.postgres.identity import give, identity_for
from jobchurn.settings import Settings
from jobchurn.store import Store

INIT = Path(__file__).resolve().parents[2] / "deploy" / "init"


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, INIT / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    """Secrets as the containers make them, and a server like theirs behind their addresses."""
    root = tmp_path_factory.mktemp("secrets")
    readers = ("postgres", "owner", "api", "ingestion", "app", "webapp", "airflow", "grafana")
    for reader in readers:
        (root / reader).mkdir()
    loaded("make_secrets").main(root, demo=False)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for path in root.rglob("*"):
        if path.is_file():
            path.write_text(path.read_text().replace("@postgres:5432", f"@127.0.0.1:{port}"))

    home = tmp_path_factory.mktemp("server")
    binaries = find_binaries(Settings())
    password = home / "password"
    password.write_text((root / "postgres" / "POSTGRES_PASSWORD").read_text())
    identity = identity_for(home, binaries, home / "data")
    give(home, identity.owner)
    made = [str(binaries / "initdb"), "-D", str(home / "data"), "-U", "postgres", "--no-sync"]
    made += ["--auth=scram-sha-256", f"--pwfile={password}", "--no-locale", "--encoding=UTF8"]
    subprocess.run(identity.command(made), check=True, capture_output=True, cwd="/")
    options = [f"--port={port}", "--listen_addresses=127.0.0.1", "--unix_socket_directories="]
    command = [str(binaries / "postgres"), "-D", str(home / "data"), "--fsync=off", *options]
    log = home / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            identity.command(command, "INT"), stdout=output, stderr=output, cwd="/"
        )
    while b"ready to accept connections" not in log.read_bytes():
        assert server.poll() is None, log.read_text()
        time.sleep(0.02)
    yield root
    server.terminate()
    server.wait(timeout=30)
    assert not [
        path for path in root.rglob("*") if path.is_file() and path.read_text() in log.read_text()
    ]


@pytest.fixture(scope="module")
def addresses(secrets):
    """Who connects → the address of their own database."""
    make_databases = loaded("make_databases")
    make_databases.SECRETS = secrets
    make_databases.main()
    make_databases.main()  # again, as at each start
    app = (secrets / "owner" / "DATABASE_URL").read_text()
    airflow = (secrets / "airflow" / "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN").read_text()
    server = app.partition("@")[2]
    grafana = (secrets / "grafana" / "GRAFANA_DATABASE_PASSWORD").read_text()
    return {
        "app": app,
        "api": (secrets / "api" / "DATABASE_URL").read_text(),
        "ingestion": (secrets / "ingestion" / "DATABASE_URL").read_text(),
        "airflow": airflow.replace("+psycopg", ""),
        "grafana": f"postgresql://jobchurn_reader:{grafana}@{server}",
    }


# Whoever logs in may turn this off, so it is not what keeps anybody from changing anything.
WRITES = "-c default_transaction_read_only=off"


def run(address, statement):
    with psycopg.connect(address, connect_timeout=10, options=WRITES) as connection:
        return connection.execute(statement)


def test_each_owner_makes_tables_in_its_own_database(addresses):
    for owner in ("app", "airflow"):
        run(addresses[owner], "CREATE TABLE mine (number int)")
        run(addresses[owner], "DROP TABLE mine")


@pytest.mark.parametrize(
    ("user", "database"),
    [
        ("app", "airflow"),
        ("api", "airflow"),
        ("ingestion", "airflow"),
        ("airflow", "jobchurn"),
        ("grafana", "airflow"),
        ("app", "postgres"),
        ("api", "template1"),
    ],
)
def test_nobody_connects_to_the_database_of_another(addresses, user, database):
    address = addresses[user].rpartition("/")[0] + f"/{database}"
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        run(address, "SELECT 1")


@pytest.fixture(scope="module")
def store(addresses, contract):
    """The application's store, its tables made by itself."""
    opened = Store.connect(addresses["app"], contract)
    opened.migrate()
    yield opened
    opened.close()


def test_grafana_reads_what_the_application_makes_and_changes_nothing(addresses, store):
    assert store.missing() == []
    run(addresses["grafana"], "SELECT created_at, probability FROM predictions")
    for statement in (
        "INSERT INTO predictions (position) VALUES (1)",
        "DELETE FROM predictions",
        "DROP TABLE predictions",
        "CREATE TABLE theirs (number int)",
        "CREATE TEMPORARY TABLE theirs (number int)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(addresses["grafana"], statement)


@pytest.mark.parametrize("user", ["app", "api", "ingestion"])
def test_who_works_for_the_application_reads_its_panels_as_the_reader(
    addresses, store, contract, user
):
    reading = Store.connect(addresses[user], contract)
    assert reading.panels.read("SELECT current_user").rows == [("jobchurn_reader",)]
    reading.close()


def test_nothing_is_left_to_do_after_the_migration(store):
    found = store.roles()
    assert found.lacking == []
    assert found.open_to_all == []
    assert found.log_in == {"jobchurn_api", "jobchurn_ingestion", "jobchurn_reader"}


def test_a_session_of_grafana_s_can_only_read_and_not_for_long(addresses, store):
    with psycopg.connect(addresses["grafana"], autocommit=True) as connection:
        shown = {
            name: connection.execute(f"SHOW {name}").fetchone()[0]
            for name in ("default_transaction_read_only", "statement_timeout", "TimeZone")
        }
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET ROLE jobchurn")
    assert shown == {
        "default_transaction_read_only": "on",
        "statement_timeout": "30s",
        "TimeZone": "UTC",
    }


@pytest.mark.parametrize("user", ["app", "api", "ingestion", "airflow", "grafana"])
def test_no_user_rules_the_server(addresses, user):
    for statement in (
        "CREATE ROLE ruler SUPERUSER",
        "CREATE DATABASE another",
        "SELECT pg_read_file('/etc/hostname')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT lo_create(0)",
    ):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            psycopg.connect(addresses[user], autocommit=True, options=WRITES) as connection,
        ):
            connection.execute(statement)


def test_a_new_password_replaces_the_old_one_at_the_next_start(addresses, secrets):
    make_databases = loaded("make_databases")
    make_databases.SECRETS = secrets
    path = secrets / "grafana" / "GRAFANA_DATABASE_PASSWORD"
    old = path.read_text()
    path.chmod(0o600)
    path.write_text("another")
    make_databases.main()
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        run(addresses["grafana"], "SELECT 1")
    run(addresses["grafana"].replace(old, "another"), "SELECT 1")
    path.write_text(old)
    make_databases.main()
