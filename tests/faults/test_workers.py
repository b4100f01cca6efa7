"""Several workers over the same files, one of which falls asleep and wakes up too late."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from faults.boundaries import Death
from faults.crashes import spread
from faults.promises import broken_promises

FILES = int(os.environ.get("TORTURE_SHARED_FILES", "200"))
"""How many files the workers share in the long form."""

LEASE = 0.3

RENEWALS = 8
"""Boundaries beyond those of a worker with a long lease: a short one is renewed now and then. A nap
at one that a worker does not come to is none."""


def sleeps(worker):
    """Whether a process is stopped."""
    return Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def ended(worker):
    state = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0]
    return state == "Z"


def wait_for(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    assert holds()


def broken_by_sleep(scene, death, plant=None):
    """One worker sleeps at a boundary while another does all the work, then wakes up."""
    one = scene.deliver()
    nursery, broken = scene.nursery, []
    late = nursery.begin(scene.home, scene.database, death, plant, lease_seconds=LEASE)
    wait_for(lambda: sleeps(late) or ended(late))
    time.sleep(LEASE * 1.5)
    quick = scene.live(plant=plant)
    if quick.code != 0:
        broken.append(f"the worker that was awake failed: {quick.said}")
    os.kill(late, signal.SIGCONT)
    woken = nursery.end_of(late)
    if woken.code != 0:
        broken.append(f"the worker that slept failed: {woken.said}")
    if scene.live().code != 0:
        broken.append("the last worker failed")
    return broken + broken_promises(scene.home, scene.database, [one])


def told(scene, deaths):
    return {str(d): found for d in deaths if (found := broken_by_sleep(scene, d))}


@pytest.fixture
def boundaries(scene):
    scene.trace()
    return len(scene.trace()) + RENEWALS


def naps(boundaries):
    return [Death(n, after=True, asleep=True) for n in range(1, boundaries + 1)]


def test_a_worker_that_wakes_up_too_late_does_no_harm(scene, boundaries):
    assert told(scene, spread(naps(boundaries), 4)) == {}


@pytest.mark.torture
def test_a_worker_that_wakes_up_too_late_anywhere_does_no_harm(scene, boundaries):
    before = [Death(death.number, asleep=True) for death in naps(boundaries)]
    assert told(scene, [*naps(boundaries), *before]) == {}


@pytest.mark.parametrize(
    ("plant", "near"),
    [
        ("nobody is fenced off", 12),
        ("the idempotency key is dropped", 60),
        ("the raw file goes before its rows are published", 60),
    ],
)
def test_a_planted_fault_is_noticed(scene, boundaries, plant, near):
    nearest = sorted(naps(boundaries), key=lambda nap: abs(nap.number - near))
    # More than once: how often a lease is renewed meanwhile moves the boundaries by one or two.
    assert any(broken_by_sleep(scene, nap, plant) for nap in [*nearest, *nearest[:12], *nearest])


def share(scene, files, figures):
    """Two schedulers and a worker that is put to sleep again and again share many files."""
    chance = random.Random(files)
    for _ in range(files):
        scene.deliver()
    begun = time.monotonic()
    # A sleeper loses its file at every nap, and on a slow machine others do, too.
    settings = {"lease_seconds": LEASE, "attempts": 1_000}
    workers = [scene.nursery.begin(scene.home, scene.database, **settings) for _ in range(3)]
    sleeper, naps_taken = workers[2], 0
    while not ended(workers[0]):
        time.sleep(chance.uniform(0.02, 0.3))
        if ended(sleeper):
            break
        os.kill(sleeper, signal.SIGSTOP)
        naps_taken += 1
        time.sleep(chance.uniform(LEASE / 3, LEASE * 4))
        os.kill(sleeper, signal.SIGCONT)
    lives = [scene.nursery.end_of(worker) for worker in workers]
    seconds = time.monotonic() - begun
    assert [life.code for life in lives] == [0, 0, 0], [life.said for life in lives]
    assert scene.live().code == 0
    figures(
        f"{files} files shared by three workers, one put to sleep",
        naps=naps_taken,
        seconds=f"{seconds:.0f}",
    )
    assert broken_promises(scene.home, scene.database, scene.deliveries) == []


def test_workers_share_files_and_no_file(scene, figures):
    share(scene, 8, figures)


@pytest.mark.torture
def test_workers_share_many_files_and_no_file(scene, figures):
    share(scene, FILES, figures)
