"""Full and read-only disks: the worker says so, and nothing is torn or lost."""

import os
import shutil
import subprocess
import sys

import pytest

from api_house import open_house
from faults.crashes import Scene
from faults.promises import broken_promises
from jobchurn.contract import JOB_CHANGE
from jobchurn.store import Store

KILOBYTES = 64

ROOMS = range(4_096, 65_536, 4_096)
"""Bytes in which the first files of a run find room, and the last ones do not."""


def can_mount(folder):
    """Whether this user may mount a file system there, which takes root."""
    if os.getuid() != 0 or shutil.which("mount") is None:
        return False
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False
    )
    if done.returncode == 0:
        subprocess.run(["umount", folder], check=True)
    return done.returncode == 0


@pytest.fixture
def mounted(nursery, database, tmp_path):
    """A scene whose data lie on a file system of their own, of :data:`KILOBYTES`."""
    home = tmp_path / "home"
    data = home / "data"
    data.mkdir(parents=True)
    if not can_mount(data):
        pytest.skip("mounting takes root, and the right to do so")
    size = f"size={KILOBYTES}k,nr_inodes=0"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", data], check=True)
    try:
        store = Store.connect(database, JOB_CHANGE)
        open_house(store, home)
        store.close()
        yield Scene(nursery, home, database)
    finally:
        subprocess.run(["umount", "--lazy", data], check=True)


def remount(scene, options):
    subprocess.run(["mount", "-o", f"remount,{options}", scene.home / "data"], check=True)


def ingest(scene):
    """``jobchurn ingest --all``, as a person calls it."""
    return subprocess.run(
        [sys.executable, "-m", "jobchurn.cli", "ingest", "--all"],
        env=os.environ
        | {
            "DATABASE_URL": scene.database,
            "JOBCHURN_HOME": str(scene.home),
            "SETTLE_SECONDS": "0",
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def published(scene):
    """The routed files that a reader may see; a torn one is among them only through a fault."""
    data = scene.home / "data"
    return [path for name in ("good_data", "bad_data") for path in (data / name).iterdir()]


def filled_up_to(scene, free):
    """Take up all room but so many bytes."""
    data = scene.home / "data"
    found = os.statvfs(data)
    ballast = data / "ballast"
    ballast.write_bytes(b"x" * max(0, found.f_bavail * found.f_frsize - free))
    return ballast


def fill_and_make_good(mounted, free, plant=None):
    """Let a file meet a disk with so much room, then make room; what is broken."""
    one = mounted.deliver()
    ballast = filled_up_to(mounted, free)
    life = mounted.live(plant=plant)
    whole = {one.part(bad=False), one.part(bad=True)}
    broken = [
        f"{path.name} is torn"
        for path in published(mounted)
        if not path.name.endswith(".jsonl") and path.read_bytes() not in whole
    ]
    if life.code == 0 or "No space left on device" not in life.said:
        broken.append(f"the worker ended with {life.code}, and said {life.said!r}")
    ballast.unlink()
    remount(mounted, "size=4M")
    last = mounted.live(plant=plant)
    if last.code != 0:
        broken.append(f"the worker that had room failed: {last.said}")
    return broken + broken_promises(mounted.home, mounted.database, [one])


@pytest.mark.parametrize("free", [0, 16_384])
def test_a_full_disk_tears_nothing_and_loses_nothing(mounted, free):
    assert fill_and_make_good(mounted, free) == []


@pytest.mark.parametrize("plant", ["a file is written in place", "a full disk is passed over"])
def test_a_planted_fault_is_noticed(mounted, plant):
    assert any(fill_and_make_good(mounted, room, plant) for room in ROOMS)


@pytest.mark.torture
@pytest.mark.parametrize("free", range(4_096, 32_768, 4_096))
def test_a_disk_that_is_full_sooner_or_later_loses_nothing(mounted, free):
    assert fill_and_make_good(mounted, free) == []


@pytest.mark.torture
@pytest.mark.parametrize("trouble", ["Read-only file system", "No space left on device"])
def test_a_person_is_told_what_is_wrong_with_the_disk(mounted, trouble):
    one = mounted.deliver()
    ballast = filled_up_to(mounted, 0)
    if trouble.startswith("Read-only"):
        ballast.unlink()
        remount(mounted, "ro")
    told = ingest(mounted)
    assert told.returncode != 0
    assert "Traceback" not in told.stderr
    assert trouble in told.stderr
    remount(mounted, "rw,size=4M")
    ballast.unlink(missing_ok=True)
    assert mounted.live().code == 0
    assert broken_promises(mounted.home, mounted.database, [one]) == []
