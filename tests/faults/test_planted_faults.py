"""The harness is trusted because it notices: each planted fault breaks a promise in some life."""

import pytest

from faults.crashes import singles
from faults.plants import PLANTS

WRITING = {"a file is not synced", "a folder is not synced", "a file is written in place"}
"""What no SIGKILL shows, and a failure of the power does."""

ELSEWHERE = {
    "a file from the future never settles",
    "a key is forgotten after half a day",
    "an answer is waited for without end",
    "nobody is fenced off",
    "a full disk is passed over",
    "some requests break a prediction",
    "answers break their schema",
    "unknown fields are taken",
    "any key opens the metrics",
}
"""What no death shows, and a test of its own does."""

NEAR = {
    "a file is written in place": "fsync work/*/verdict",
    "rows are published before they are written": "to good_data",
    "the raw file goes before its rows are published": "rmdir",
}
"""At which boundaries it shows; the others show at many, the last ones among them."""


def first_noticed(scene, plant, *, power):
    """The first death after which a promise is broken; tried from the last boundary to the first.

    Boundaries at which the fault is known to show come before all others.
    """
    scene.deliver()
    life = scene.live(plant=plant)
    assert life.code == 0, life.said
    deaths = singles(len(life.trace), power=power)[::-1]
    near = NEAR.get(plant, "")
    for death in sorted(deaths, key=lambda death: near not in life.trace[death.number - 1]):
        if scene.broken_by(death, plant=plant):
            return death
    return None


@pytest.mark.parametrize("plant", [plant for plant in PLANTS if plant not in ELSEWHERE])
def test_a_planted_fault_is_noticed(scene, plant):
    assert first_noticed(scene, plant, power=plant in WRITING) is not None
