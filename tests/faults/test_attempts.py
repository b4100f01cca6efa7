"""A file that ends every worker that reads it is refused unread, and keeps nobody from the rest."""

import json
import signal
from pathlib import Path

import psycopg
import pytest

from faults.deadly import DEADLY
from faults.promises import broken_promises
from faults.worker import HEARD

ATTEMPTS = 2


def live(scene, how, attempts=ATTEMPTS):
    return scene.nursery.live(scene.home, scene.database, None, how, attempts=attempts)


def ended(life):
    return life.code == -signal.SIGKILL or "nobody has foreseen this" in life.said


def run_of(scene, name):
    """The run's criticality, and what its ledger says of its files."""
    with psycopg.connect(scene.database) as connection:
        return connection.execute(
            "SELECT criticality, good, bad, reasons, rows_total FROM ingestion_runs"
            " WHERE finished_at IS NOT NULL AND file = %s",
            [name],
        ).fetchone()


@pytest.mark.parametrize("how", DEADLY)
def test_a_file_that_ends_every_worker_is_refused_and_the_others_are_taken_in(scene, how):
    poison, *others = [scene.deliver() for _ in range(3)]
    for _ in range(ATTEMPTS):
        assert ended(live(scene, how))
    last = live(scene, how)
    assert last.code == 0, last.said
    criticality, good, bad, reasons, rows = run_of(scene, poison.name)
    assert (criticality, good, rows) == ("high", None, 0)
    assert Path(bad).read_bytes() == poison.content
    assert json.loads(Path(reasons).read_text())["rule"] == "attempts"
    assert "could not be read" in (scene.home / HEARD).read_text()
    # Nothing of what it was thought to hold is left over, either.
    assert broken_promises(scene.home, scene.database, others) == []


def test_without_a_limit_it_ends_them_for_ever(scene):
    poison = scene.deliver()
    for _ in range(ATTEMPTS + 2):
        assert ended(live(scene, "by being cut", attempts=100))
    assert run_of(scene, poison.name) is None


def test_trouble_that_is_not_the_file_s_is_never_held_against_it(scene):
    """Good rows that belong on another file system, say: as often as anybody tries."""
    one = scene.deliver()
    good = scene.home / "data" / "good_data"
    good.rmdir()
    good.symlink_to("/proc")
    for _ in range(ATTEMPTS + 2):
        life = live(scene, None)
        assert life.code == 1
        assert "cross-device link" in life.said
    good.unlink()
    good.mkdir()
    assert live(scene, None).code == 0
    assert broken_promises(scene.home, scene.database, [one]) == []
