"""What the tests stand on: the contracts, the real data, and a PostgreSQL of their own."""

import os
import tempfile
import uuid
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

from airflow_house import Airflow
from jobchurn.contract import JOB_CHANGE
from jobchurn.postgres import serving
from jobchurn.settings import Settings
from jobchurn.store import Store
from ports import free_port
from toy import TOY

# A busy machine is slow now and then, which is no fault; what CI tries is the same every time.
settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("house")

REAL_CSV = Path(__file__).parents[2] / "shared" / "data" / "job.csv"


@pytest.fixture(scope="session")
def contract():
    """The contract of the job-change data."""
    return JOB_CHANGE


@pytest.fixture(scope="session")
def toy():
    """A contract of another domain: three features and an outcome."""
    return TOY


@pytest.fixture(scope="session")
def real_csv():
    """The real data set, where it lies beside the repository."""
    if not REAL_CSV.exists():
        pytest.skip("../shared/data/job.csv is absent")
    return REAL_CSV


@pytest.fixture(scope="session")
def open_folder():
    """A folder that every user can reach; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="jobchurn-tests-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres_server(open_folder):
    """The URL of an empty database on an embedded PostgreSQL of this test session."""
    home = open_folder / "home"
    with serving(settings_at(home)) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            # No test pulls the machine's plug, and hundreds of databases are made and dropped.
            for setting in ("fsync", "full_page_writes"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
        yield url


@pytest.fixture(scope="session")
def template_database(postgres_server):
    """The name of a database that is migrated, and has the contract's columns."""
    name = f"template_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrated = Store.connect(at(postgres_server, name), JOB_CHANGE)
    migrated.migrate()
    migrated.close()
    return name


@pytest.fixture
def database(postgres_server, template_database):
    """The URL of a fresh database, migrated; dropped after the test."""
    yield from cloned(postgres_server, template_database)


@pytest.fixture
def empty_database(postgres_server):
    """The URL of a fresh database without any table; dropped after the test."""
    yield from cloned(postgres_server, "template1")


@pytest.fixture
def store(database, contract):
    """A store on a fresh database."""
    opened = Store.connect(database, contract)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def airflow(postgres_server, tmp_path_factory):
    """An Airflow on a database of its own; its DAGs are run when asked."""
    running = Airflow(postgres_server, tmp_path_factory.mktemp("airflow"))
    yield running
    running.end()


def settings_at(home):
    """Settings of an embedded database under ``home``, on a free port."""
    return Settings(jobchurn_home=home, database_url=None, postgres_port=free_port())


def at(url, database):
    """The URL of another database on the same server."""
    return f"{url.rpartition('/')[0]}/{database}"


def cloned(server, template):
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        yield at(server, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
