"""Connections are cut, muted and delayed at random, between client and API and PostgreSQL."""

import os
import time
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from faults.proxy import Harm, Proxy
from faults.servers import Api
from faults.writers import Writers

OPERATIONS = int(os.environ.get("TORTURE_OPERATIONS", "9000"))
"""How many requests, each with its retries, the long form sends through the proxies."""

TO_DATABASE = {"every": 60, "silent": 8}
"""How the way to PostgreSQL is harmed. A request with its answer is some ten messages."""

TO_API = {"every": 12, "silent": 6}
"""How the way to the API is harmed."""

LONGEST_TROUBLE = 120


def through(proxy, url):
    """The URL of the same database, by way of a proxy."""
    found = urlsplit(url)
    there = f"{found.netloc.rpartition(':')[0]}:{proxy.port}"
    return found._replace(netloc=there, query="connect_timeout=2").geturl()


@contextmanager
def cut_off(database, home, plants=(), *, seed=0):
    """An API behind a proxy, and the database behind another: the API's and both proxies."""
    with ExitStack() as stack:
        to_database = stack.enter_context(Proxy(urlsplit(database).port, seed=seed, **TO_DATABASE))
        to_database.calm = True  # who finds no database at the start does not start
        api = Api(through(to_database, database), home, plants, DATABASE_SECONDS="2")
        stack.callback(api.end)
        to_database.calm = False
        to_api = stack.enter_context(Proxy(api.port, seed=seed + 1, **TO_API))
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
