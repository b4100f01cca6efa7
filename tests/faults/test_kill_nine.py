"""The API and PostgreSQL are killed under eight writers: what was acknowledged is stored, once."""

import os
import random
import time

import psycopg
import pytest

from faults.servers import Api
from faults.writers import Writers

KILLS = int(os.environ.get("TORTURE_KILLS", "50"))
"""How often the long form kills each of the two."""


@pytest.fixture
def api(own_database, own_home):
    served = Api(own_database, own_home)
    yield served
    served.end()


def recovery_times(kinds, kills, writers, api):
    """Kill servers in turn, that many times each; how long each took to be back at work."""
    chance = random.Random(kills)
    taken = {kind: [] for kind in kinds}
    for _ in range(kills):
        for kind, server in kinds.items():
            writers.wait_for(8)
            time.sleep(chance.uniform(0, 0.2))
            server.kill()
            begun = time.monotonic()
            server.begin()
            while not api.is_ready():
                time.sleep(0.01)
            taken[kind].append(time.monotonic() - begun)
    writers.wait_for(8)
    return taken


def kill_under_writers(api, postgres, database, kills, figures):
    with Writers(api.address) as writers:
        taken = recovery_times({"API": api, "PostgreSQL": postgres}, kills, writers, api)
    books = writers.books
    figures(
        f"{kills} × kill -9 of the API and of PostgreSQL under 8 writers",
        acknowledged=len(books.acknowledged),
        retries=books.retries,
        answers=dict(books.answers),
        seconds={kind: f"{sorted(t)[len(t) // 2]:.1f} / {max(t):.1f}" for kind, t in taken.items()},
    )
    assert books.lost_and_doubled(database) == (0, 0)
    assert not books.open
    assert books.answers.keys() <= {200, 503}


def test_three_kills_of_each_lose_and_double_nothing(api, postgres, own_database, figures):
    kill_under_writers(api, postgres, own_database, 3, figures)


@pytest.mark.torture
def test_many_kills_of_each_lose_and_double_nothing(api, postgres, own_database, figures):
    kill_under_writers(api, postgres, own_database, KILLS, figures)


def noticed(api, database, kill, *, tries=10):
    """What is lost and what is doubled by kills under writers, until both are or the last try."""
    lost = doubled = 0
    for _ in range(tries):
        with Writers(api.address) as writers:
            writers.wait_for(40)
            kill()
        once_more = writers.books.lost_and_doubled(database)
        lost, doubled = lost + once_more[0], doubled + once_more[1]
        if lost and (doubled or not api.plants):
            break
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("TRUNCATE predictions, requests")
    return lost, doubled


def test_faults_planted_in_the_api_are_noticed(own_database, own_home):
    api = Api(own_database, own_home, ["a commit comes too late", "the idempotency key is dropped"])

    def kill():
        api.kill()
        api.begin()

    try:
        lost, doubled = noticed(api, own_database, kill)
    finally:
        api.end()
    assert lost  # by the first fault
    assert doubled  # by the second one


def test_a_commit_that_does_not_wait_for_the_disk_is_noticed(api, postgres, own_database):
    with psycopg.connect(own_database, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        connection.execute("SELECT pg_reload_conf()")

    def kill():
        postgres.kill()
        postgres.begin()

    try:
        kill()  # so that every connection is one with the new settings
        lost, _ = noticed(api, own_database, kill)
    finally:
        with psycopg.connect(own_database, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM RESET wal_writer_delay")
            connection.execute("SELECT pg_reload_conf()")
    assert lost
