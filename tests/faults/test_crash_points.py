"""A worker dies at any boundary of taking a file in and scoring it; the next one makes good.

The short form takes some boundaries; ``make torture`` takes each, before and after, by SIGKILL and
by a failure of the power, and pairs of deaths one after the other.
"""

import os
import random

import pytest

from faults.boundaries import Death
from faults.crashes import singles, spread
from faults.promises import broken_promises

SHORT = 5
"""How many deaths of each kind the short form tries."""

PAIRS = int(os.environ.get("TORTURE_PAIRS", "600"))
"""How many pairs of deaths the long form tries, of the thousands that there are."""


def told(scene, plan):
    """What is broken after each of these ways to die, by way."""
    broken = {}
    for deaths in plan:
        if found := scene.broken_by(*deaths):
            broken[str(deaths)] = found
    return broken


@pytest.fixture
def boundaries(scene):
    """How many boundaries a life has that takes one file in and scores it."""
    scene.trace()
    return len(scene.trace())


def test_a_life_without_death_keeps_the_promises(scene):
    trace = scene.trace()
    assert broken_promises(scene.home, scene.database, scene.deliveries) == []
    for kind in ("commit", "fsync", "replace", "create", "unlink", "mkdir", "rmdir"):
        assert any(what.startswith(kind) for what in trace), trace


@pytest.mark.parametrize("power", [False, True], ids=["killed", "power-fails"])
def test_a_death_at_some_boundaries_breaks_no_promise(scene, boundaries, power):
    deaths = spread(singles(boundaries, power=power), SHORT)
    assert told(scene, [(death,) for death in deaths]) == {}


def test_a_file_outlives_the_power_once_it_has_left_the_raw_folder(scene):
    trace = scene.trace()
    [taken] = [n for n, what in enumerate(trace, 1) if what == "fsync raw_data"]
    assert scene.broken_by(Death(taken, after=True, power=True)) == []


def test_two_deaths_in_a_row_break_no_promise(scene, boundaries):
    chance = random.Random(0)
    assert told(scene, pairs(boundaries, chance, 3)) == {}


@pytest.mark.torture
@pytest.mark.parametrize("power", [False, True], ids=["killed", "power-fails"])
def test_a_death_at_each_boundary_breaks_no_promise(scene, boundaries, power):
    deaths = singles(boundaries, power=power)
    assert len(deaths) > 80
    assert told(scene, [(death,) for death in deaths]) == {}


@pytest.mark.torture
def test_deaths_at_any_two_boundaries_break_no_promise(scene, boundaries):
    assert told(scene, pairs(boundaries, random.Random(1), PAIRS)) == {}


def pairs(boundaries, chance, count):
    """Pairs of deaths: at a boundary of the first life, then at one of the life that makes good."""
    ways = [(False, False), (False, True), (True, False), (True, True)]
    every = [
        (Death(first, after, power), Death(second, chance.random() < 0.5, then_power))
        for first in range(1, boundaries + 1)
        for second in range(1, boundaries + 1)
        for after in (False, True)
        for power, then_power in ways
    ]
    return chance.sample(every, min(count, len(every)))
