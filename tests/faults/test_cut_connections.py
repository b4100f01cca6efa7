"""Connections are cut, muted and delayed at random, between client and API and PostgreSQL."""

import os
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from api_house import RECORD
from faults.promises import broken_promises
from faults.proxy import Harm, Proxy
from faults.servers import Api
from faults.writers import Writers

OPERATIONS = int(os.environ.get("TORTURE_OPERATIONS", "9000"))
"""How many requests, each with its retries, the long form sends through the proxies."""

TO_DATABASE = {"every": 60, "silent": 8}
"""How the way to PostgreSQL is harmed. A request with its answer is some ten messages."""

TO_API = {"every": 12, "silent": 6}
"""How the way to the API is harmed."""

OF_EXPORTS = {"every": 200, "silent": 8}
"""How both ways are harmed while exports go through, of some hundred messages each."""

TO_WORKER = {"every": 150, "silent": 8}
"""How a worker's way to PostgreSQL is harmed. A file takes it some two hundred messages."""

FILES = int(os.environ.get("TORTURE_CUT_FILES", "100"))
"""How many files the long form takes in over connections that are cut."""

MOST_LIVES = 20
"""How many workers in a row may fail before one file is taken in."""

LONGEST_TROUBLE = 120


def through(proxy, url):
    """The URL of the same database, by way of a proxy."""
    found = urlsplit(url)
    there = f"{found.netloc.rpartition(':')[0]}:{proxy.port}"
    return found._replace(netloc=there, query="connect_timeout=2").geturl()


@contextmanager
def cut_off(database, home, plants=(), *, seed=0, harmed=(TO_API, TO_DATABASE)):
    """An API behind a proxy, and the database behind another: the API's and both proxies."""
    with ExitStack() as stack:
        to_database = stack.enter_context(Proxy(urlsplit(database).port, seed=seed, **harmed[1]))
        to_database.calm = True  # who finds no database at the start does not start
        api = Api(through(to_database, database), home, plants, DATABASE_SECONDS="2")
        stack.callback(api.end)
        to_database.calm = False
        to_api = stack.enter_context(Proxy(api.port, seed=seed + 1, **harmed[0]))
        yield api, to_api, to_database


def write_through(database, home, operations, figures):
    with cut_off(database, home, seed=operations) as (api, to_api, to_database):
        begun = time.monotonic()
        with Writers(f"http://127.0.0.1:{to_api.port}", threads=12, patience=10) as writers:
            while writers.books.answers[200] < operations:
                writers.wait_for(1)
        seconds = time.monotonic() - begun
        books, harms = writers.books, {"API": to_api.harms, "PostgreSQL": to_database.harms}
        assert httpx.get(f"{api.address}/health").status_code == httpx.codes.OK
    lost, doubled = books.lost_and_doubled(database)
    figures(
        f"{books.answers[200]} operations over connections cut at random",
        acknowledged=len(books.acknowledged),
        retries=books.retries,
        replayed=books.replayed,
        answers=dict(books.answers),
        harms={way: {str(harm): count for harm, count in of.items()} for way, of in harms.items()},
        lost=lost,
        doubled=doubled,
        seconds=f"{seconds:.0f}",
    )
    assert (lost, doubled) == (0, 0)
    assert not books.open
    assert books.answers.keys() <= {200, 503}
    return books, harms


def test_a_few_operations_over_cut_connections_lose_and_double_nothing(
    own_database, own_home, figures
):
    write_through(own_database, own_home, 150, figures)


@pytest.mark.torture
def test_many_operations_over_cut_connections_lose_and_double_nothing(
    own_database, own_home, figures
):
    books, harms = write_through(own_database, own_home, OPERATIONS, figures)
    assert books.replayed  # some answers were lost on their way
    assert all(set(of) == set(Harm) for of in harms.values())


@pytest.mark.parametrize("plant", ["the idempotency key is dropped", "a commit comes too late"])
def test_a_fault_planted_in_the_api_is_noticed(own_database, own_home, plant):
    with cut_off(own_database, own_home, [plant]) as (_, to_api, _):
        end = time.monotonic() + LONGEST_TROUBLE
        lost = doubled = 0
        while not (lost or doubled) and time.monotonic() < end:
            with Writers(f"http://127.0.0.1:{to_api.port}", patience=10) as writers:
                writers.wait_for(200)
            lost, doubled = writers.books.lost_and_doubled(own_database)
            with psycopg.connect(own_database, autocommit=True) as connection:
                connection.execute("TRUNCATE predictions, requests")
    assert lost if plant == "a commit comes too late" else doubled


def take_in(scene, files, figures):
    """Let files be taken in and scored over harmed connections, by as many workers as it takes."""
    with Proxy(urlsplit(scene.database).port, seed=files, **TO_WORKER) as proxy:
        url, failures = through(proxy, scene.database), 0
        for _ in range(files):
            scene.deliver()
            for _ in range(MOST_LIVES):
                life = scene.nursery.live(scene.home, url, database_seconds=2)
                if life.code == 0:
                    break
                failures += 1
                *_, last = life.said.splitlines()
                assert last.startswith("jobchurn.errors.DatabaseUnreachable"), life.said
            else:
                pytest.fail(f"no worker has come through: {life.said}")
    assert scene.live().code == 0  # on a sound connection
    figures(
        f"{files} files taken in and scored over connections cut at random",
        workers_failed=failures,
        harms={str(harm): count for harm, count in proxy.harms.items()},
    )
    assert broken_promises(scene.home, scene.database, scene.deliveries) == []


def test_a_few_files_over_cut_connections_are_taken_in_once(scene, figures):
    take_in(scene, 2, figures)


@pytest.mark.torture
def test_many_files_over_cut_connections_are_taken_in_once(scene, figures):
    take_in(scene, FILES, figures)


@pytest.fixture
def many_rows(own_database, own_home):
    """So many predictions are stored that an export of them takes several messages."""
    count = 20_000
    api = Api(own_database, own_home)
    httpx.post(f"{api.address}/predict", json={"records": [RECORD] * 100}, timeout=60)
    api.end()
    with psycopg.connect(own_database, autocommit=True) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "SELECT column_name::text FROM information_schema.columns"
                " WHERE table_name = 'predictions' AND column_name <> 'id'"
            )
        ]
        listed = ", ".join(f'"{name}"' for name in names)
        connection.execute(
            f"INSERT INTO predictions ({listed}) SELECT {listed} FROM predictions,"
            f" generate_series(2, {count // 100})"
        )
    return count


def test_an_export_over_cut_connections_is_whole_or_seen_to_be_torn(
    own_database, own_home, many_rows, figures
):
    outcomes, end = Counter(), time.monotonic() + LONGEST_TROUBLE
    with cut_off(own_database, own_home, harmed=(OF_EXPORTS, OF_EXPORTS)) as (_, to_api, _):
        while not (outcomes["torn"] and outcomes[200]) and time.monotonic() < end:
            try:
                answer = httpx.get(
                    f"http://127.0.0.1:{to_api.port}/past-predictions?format=csv", timeout=15
                )
            except httpx.TransportError:
                outcomes["torn"] += 1
                continue
            outcomes[answer.status_code] += 1
            if answer.status_code == httpx.codes.OK:
                assert answer.text.count("\n") == 1 + many_rows
    figures("exports over connections cut at random", outcomes=dict(outcomes))
    assert outcomes.keys() <= {"torn", 200, 503}
    assert outcomes["torn"]
    assert outcomes[200]
