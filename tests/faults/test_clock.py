"""Somebody sets the clock a day forward or back: before, between and in the midst of work.

It is the workers' clock, PostgreSQL's, or that of the machine on which both run.
"""

import os
import signal
import time
import uuid
from pathlib import Path

import httpx
import pytest

from api_house import RECORD
from faults.boundaries import Death
from faults.clock import Clock, sweep
from faults.crashes import Scene, spread
from faults.nursery import Nursery
from faults.promises import broken_promises
from faults.servers import Api, Postgres
from faults.writers import Writers
from jobchurn.contract import JOB_CHANGE
from jobchurn.store import Store

DAYS = (1, -1)
LEASE = 120


class Clocks:
    """The clock of the workers and of the API, and that of PostgreSQL."""

    def __init__(self, folder: Path) -> None:
        self.workers = Clock(folder / f"workers-{time.monotonic_ns()}")
        self.database = Clock(folder / f"database-{time.monotonic_ns()}")

    def move(self, whose, days):
        for name in ("workers", "database"):
            if whose in (name, "machine"):
                getattr(self, name).move(days)

    def put_right(self):
        self.move("machine", 0)


@pytest.fixture(scope="module")
def clocks(open_folder):
    yield Clocks(open_folder)
    sweep()


@pytest.fixture(scope="module")
def postgres(open_folder, clocks):
    """A PostgreSQL that believes in a clock of its own."""
    environment = clocks.database.environment
    server = Postgres(open_folder / f"clock-{time.monotonic_ns()}", **environment)
    yield server
    server.end()


@pytest.fixture(scope="module")
def timed_nursery(clocks):
    opened = Nursery(**clocks.workers.environment)
    yield opened
    opened.close()


@pytest.fixture
def scene(timed_nursery, own_database, own_home, clocks):
    yield Scene(timed_nursery, own_home, own_database)
    clocks.put_right()


def has_stopped(worker):
    """Whether a worker sleeps, or has ended without."""
    state = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0]
    return state in "TZ"


def fall_asleep(scene, number):
    """A worker that sleeps just after a boundary."""
    death = Death(number, after=True, asleep=True)
    worker = scene.nursery.begin(scene.home, scene.database, death, lease_seconds=LEASE)
    while not has_stopped(worker):
        time.sleep(0.01)
    return worker


def wake(scene, worker):
    os.kill(worker, signal.SIGCONT)
    return scene.nursery.end_of(worker)


def before(scene, move, _):
    """The clock is set, then a file is taken in."""
    move()
    return [scene.live()]


def between(scene, move, number):
    """A worker is killed, and the clock is set before the next one comes."""
    killed = scene.live(Death(number, after=True))
    assert killed.code in (0, -signal.SIGKILL), killed.said
    move()
    return [scene.live()]


def amidst(scene, move, number):
    """The clock is set while a worker is at work."""
    worker = fall_asleep(scene, number)
    move()
    return [wake(scene, worker)]


def overtaken(scene, move, number):
    """The clock is set while a worker sleeps, and another one comes before it wakes up."""
    worker = fall_asleep(scene, number)
    move()
    return [scene.live(), wake(scene, worker), scene.live()]


WHEN = [before, between, amidst, overtaken]


def broken_by_move(scene, clocks, whose, days, when, number):
    """What does not hold after the clock was set, and again once it was put right."""
    one = scene.deliver()
    lives = when(scene, lambda: clocks.move(whose, days), number)
    broken = [f"a worker failed: {life.said}" for life in lives if life.code != 0]
    broken += broken_promises(scene.home, scene.database, [one])
    clocks.put_right()
    if (life := scene.live()).code != 0:
        broken.append(f"a worker failed once the clock was right: {life.said}")
    return broken + broken_promises(scene.home, scene.database, [one])


def told(scene, clocks, cases):
    return {
        f"{whose} {days:+d} {when.__name__} {number}": found
        for whose, days, when, number in cases
        if (found := broken_by_move(scene, clocks, whose, days, when, number))
    }


def every_case(numbers):
    return [
        (whose, days, when, number)
        for whose in ("workers", "database", "machine")
        for days in DAYS
        for when in WHEN
        for number in (numbers if when is not before else numbers[:1])
    ]


@pytest.fixture
def numbers(scene):
    """The boundaries of taking in and scoring one file."""
    scene.trace()
    return range(1, len(scene.trace()) + 1)


def test_files_are_taken_in_once_whoever_sets_the_clock(scene, clocks, numbers):
    cases = every_case([numbers[len(numbers) // 2]])[::5]  # five is no factor of their kinds
    assert told(scene, clocks, cases) == {}


@pytest.mark.torture
def test_files_are_taken_in_once_whenever_the_clock_is_set(scene, clocks, numbers, figures):
    cases = every_case(spread(numbers, 16))
    broken = told(scene, clocks, cases)
    figures("clocks set a day forward or back under ingestion and scoring", times=len(cases))
    assert broken == {}


def test_a_file_that_never_settles_is_noticed(scene, clocks):
    plant = "a file from the future never settles"
    clocks.move("workers", -1)
    one = scene.deliver()
    assert scene.live(plant=plant).code == 0
    assert broken_promises(scene.home, scene.database, [one])


@pytest.mark.parametrize("days", DAYS)
def test_the_lease_of_a_worker_elsewhere_ends_though_the_clock_was_set(own_database, clocks, days):
    store = Store.connect(own_database, JOB_CHANGE)
    arrival = {"name": "a.csv", "sha256": "a" * 64, "size": 1, "inode": 1, "trigger": "cli"}
    store.arrivals.claim(**arrival, holder="elsewhere:1:1", lease_seconds=LEASE)
    clocks.move("database", days)
    try:
        taken = store.arrivals.take_up("here", LEASE, lambda _: False)
    finally:
        clocks.put_right()
        store.close()
    assert taken is not None


@pytest.fixture
def start(own_database, own_home, clocks):
    """Starts the API by the workers' clock, with faults planted in it; ends it with the test."""
    started = []

    def begin(*plants):
        started.append(Api(own_database, own_home, plants, **clocks.workers.environment))
        return started[-1]

    yield begin
    clocks.put_right()
    for api in started:
        api.end()


def write_while_clocks_jump(api, clocks, database, jumps, figures):
    with Writers(api.address) as writers:
        for whose in ("workers", "database", "machine") * jumps:
            for days in (1, -1, 0):
                writers.wait_for(8)
                clocks.move(whose, days)
        writers.wait_for(8)
    books = writers.books
    figures(
        f"clocks set {9 * jumps} times under 8 writers",
        acknowledged=len(books.acknowledged),
        answers=dict(books.answers),
    )
    assert books.lost_and_doubled(database) == (0, 0)
    assert not books.open
    assert books.answers.keys() <= {200, 503}
    assert sorted(pages(api)) == sorted(books.acknowledged.values())


def pages(api):
    """The numbers of all past predictions, page by page."""
    found, cursor = [], {}
    while cursor is not None:
        answer = httpx.get(
            f"{api.address}/past-predictions", params={"limit": 7, **cursor}, timeout=60
        ).json()
        found += [row["id"] for row in answer["rows"]]
        cursor = {"cursor": answer["next"]} if answer["next"] else None
    return found


def test_writers_lose_and_double_nothing_while_the_clock_jumps(
    start, clocks, own_database, figures
):
    write_while_clocks_jump(start(), clocks, own_database, 1, figures)


@pytest.mark.torture
def test_writers_lose_and_double_nothing_while_the_clock_jumps_often(
    start, clocks, own_database, figures
):
    write_while_clocks_jump(start(), clocks, own_database, 30, figures)


def retried(api, clocks):
    """Whether a retry gets the first answer on whichever day it comes; by whose clock was set."""
    held = {}
    for whose in ("workers", "database", "machine"):
        for days in DAYS:
            request = {"json": {"records": [RECORD]}, "timeout": 60}
            headers = {"Idempotency-Key": str(uuid.uuid4())}
            first = httpx.post(f"{api.address}/predict", headers=headers, **request)
            clocks.move(whose, days)
            again = httpx.post(f"{api.address}/predict", headers=headers, **request)
            clocks.put_right()
            held[whose, days] = (first.json() == again.json(), first.status_code)
    return held


def test_a_retry_gets_the_first_answer_though_the_clock_was_set(start, clocks):
    assert set(retried(start(), clocks).values()) == {(True, 200)}


def test_a_key_that_is_forgotten_is_noticed(start, clocks):
    held = retried(start("a key is forgotten after half a day"), clocks)
    assert not held["database", 1][0]
