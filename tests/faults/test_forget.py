"""Whoever forgets a person dies at any boundary of it; the next one makes good, and workers go on.

The short form takes some boundaries; ``make torture`` takes each, before and after, by SIGKILL and
by a failure of the power.
"""

import os
import signal

import pytest

from faults import forgetting
from faults.boundaries import Death
from faults.crashes import singles, spread
from faults.plants import PLANTS

SHORT = 4
"""How many deaths of each kind the short form tries."""

ROUNDS = int(os.environ.get("TORTURE_FORGET_ROUNDS", "40"))
"""How often somebody is forgotten beside workers in the long form."""


class Place:
    """A home in which one person after the other is forgotten."""

    def __init__(self, scene):
        self.scene, self.home, self.database = scene, scene.home, scene.database
        self.persons = 0

    def next(self, *, scored=True):
        """Another person's data, in all places; one file is taken in and scored already."""
        one = forgetting.scenario(self.persons)
        self.persons += 1
        data = self.home / "data"
        (data / "raw_data" / one.routed).write_bytes(content(one, one.routed))
        if scored:
            life = self.scene.live()
            assert life.code == 0, life.said
        (data / "raw_data" / one.waiting).write_bytes(content(one, one.waiting))
        (data / "training.csv").write_bytes(one.training)
        return one

    def forget(self, one, *given, **values):
        return forgetting.attempted(self.home, self.database, one.person, *given, **values)

    def broken_by(self, death, plant=None):
        """Somebody dies at forgetting, the next one makes good: what is broken."""
        one = self.next()
        code, _ = self.forget(one, death, plant)
        found = [] if code in (0, -signal.SIGKILL) else ["it failed before it was to die"]
        code, _ = self.forget(one)
        return found + ([] if code == 0 else ["whoever was to make good failed"]) + self.broken(one)

    def broken(self, one):
        return forgetting.broken(self.home, self.database, one)


def content(one, name):
    return forgetting.HEADER + b"".join(one.lines[name])


@pytest.fixture
def place(scene):
    return Place(scene)


@pytest.fixture
def boundaries(place):
    """The boundaries of forgetting somebody."""
    one = place.next()
    code, trace = place.forget(one)
    assert code == 0
    assert place.broken(one) == []
    return trace


def told(place, deaths):
    return {str(death): found for death in deaths if (found := place.broken_by(death))}


@pytest.mark.parametrize("power", [False, True], ids=["killed", "power-fails"])
def test_a_death_at_some_boundaries_of_forgetting_is_made_good(place, boundaries, power):
    for part in ("good_data", "bad_data", "reports", "training.csv", "commit"):
        assert any(part in what for what in boundaries), boundaries
    assert told(place, spread(singles(len(boundaries), power=power), SHORT)) == {}


def worked(place, one, workers):
    """Workers take in and score while somebody is forgotten: what is broken afterwards."""
    begun = [place.scene.nursery.begin(place.home, place.database) for _ in range(workers)]
    code, _ = place.forget(one, patience=60.0)
    lives = [place.scene.nursery.end_of(worker) for worker in begun]
    found = [life.said for life in lives if life.code != 0]
    return found + ([] if code == 0 else ["forgetting failed"]) + place.broken(one)


def test_workers_that_go_on_meanwhile_bring_nobody_back(place):
    assert worked(place, place.next(scored=False), 1) == []


def _written_down_too_late():
    from jobchurn.flow.forget import removal
    from jobchurn.store.redactions import Redactions

    record, write = Redactions.record, removal.files.write_atomically
    kept = []

    def later(path, data, staging=None):
        write(path, data, staging)
        for given in kept:
            record(*given)
        kept.clear()

    Redactions.record = lambda self, entries: kept.append((self, entries))
    removal.files.write_atomically = later


@pytest.mark.parametrize(
    ("plant", "near", "power"),
    [
        (_written_down_too_late, "to good_data", False),
        (PLANTS["a file is not synced"], "fsync good_data", True),
    ],
    ids=["it is written down too late", "a file is not synced"],
)
def test_a_planted_fault_is_noticed(place, plant, near, power):
    one = place.next()
    _, trace = place.forget(one, None, plant)
    deaths = [n for n, what in enumerate(trace, 1) if near in what]
    assert deaths, trace
    tried = [Death(n, after, power) for n in deaths[::-1] for after in (True, False)]
    assert any(place.broken_by(death, plant) for death in tried)


@pytest.mark.torture
@pytest.mark.parametrize("power", [False, True], ids=["killed", "power-fails"])
def test_a_death_at_each_boundary_of_forgetting_is_made_good(place, boundaries, power, figures):
    deaths = singles(len(boundaries), power=power)
    figures("deaths while forgetting", boundaries=len(boundaries), deaths=len(deaths))
    assert told(place, deaths) == {}


@pytest.mark.torture
def test_workers_that_go_on_meanwhile_bring_nobody_back_however_often(place, figures):
    figures("forgotten beside two workers", rounds=ROUNDS)
    broken = {n: worked(place, place.next(scored=False), 2) for n in range(ROUNDS)}
    assert {n: found for n, found in broken.items() if found} == {}
