"""A house in which workers live and die."""

import time

import psycopg
import pytest

from api_house import open_house
from faults.crashes import Scene
from faults.nursery import Nursery
from faults.servers import Postgres
from jobchurn.contract import JOB_CHANGE
from jobchurn.store import Store

FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def figures(request):
    """Takes what was measured down; all of it is shown when the tests have ended."""

    def take_down(of, **measured):
        found = ", ".join(f"{name} {value}" for name, value in measured.items())
        request.config.stash.setdefault(FIGURES, []).append(f"{of}: {found}")

    return take_down


@pytest.fixture(scope="module")
def postgres(open_folder):
    """A PostgreSQL that may be killed, stopped or cut off."""
    server = Postgres(open_folder / f"own-{time.monotonic_ns()}")
    yield server
    server.end()


@pytest.fixture
def own_database(postgres):
    """The URL of a migrated database on it."""
    name = f"own_{time.monotonic_ns()}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = f"{postgres.url.rpartition('/')[0]}/{name}"
    store = Store.connect(url, JOB_CHANGE)
    store.migrate()
    store.close()
    return url


@pytest.fixture
def own_home(own_database, tmp_path):
    """A home over that database, with a model in charge."""
    store = Store.connect(own_database, JOB_CHANGE)
    open_house(store, tmp_path / "home")
    store.close()
    return tmp_path / "home"


def pytest_terminal_summary(terminalreporter, config):
    """Show what was measured."""
    for line in config.stash.get(FIGURES, []):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def nursery():
    opened = Nursery()
    yield opened
    opened.close()


@pytest.fixture
def scene(nursery, database, tmp_path):
    """A home with a model in charge, and a database; nothing has arrived yet."""
    store = Store.connect(database, JOB_CHANGE)
    open_house(store, tmp_path / "home")
    store.close()
    return Scene(nursery, tmp_path / "home", database)
