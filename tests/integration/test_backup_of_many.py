"""A backup opens whatever is on its way at one moment, however much that is, and whatever goes."""

import errno
import os
import resource
from contextlib import contextmanager

import pytest

from jobchurn.errors import PlaceRefused
from jobchurn.flow import backup
from scored_house import scored_house

FILES = 300
FEW = 200


@pytest.fixture
def house(store, tmp_path):
    house = scored_house(store, tmp_path / "home")
    for number in range(FILES):
        (house.folders.raw_data / f"{number}.csv").write_text(f"{number}\n")
    return house


@contextmanager
def open_files(count):
    """No more files than so many are open at once, where nobody raises that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def dump(_snapshot, place):
    place.write_bytes(b"the database")


def test_more_files_wait_than_a_process_may_open_at_first(house, tmp_path):
    with open_files(FEW):
        manifest = backup.backup(house, tmp_path / "backup", dump)
    waiting = {f"data/raw_data/{number}.csv" for number in range(FILES)}
    assert waiting <= manifest.files.keys()
    assert (tmp_path / "backup/home/data/raw_data/299.csv").read_text() == "299\n"


def test_more_files_than_may_be_open_at_all_are_told_of(house, tmp_path, monkeypatch):
    monkeypatch.setattr(backup, "_open_as_many_as_may_be", lambda: None)
    with open_files(FEW), pytest.raises(PlaceRefused, match="ulimit -n"):
        backup.backup(house, tmp_path / "backup", dump)
    assert house.store.runs.finished() == []  # the database let go


def test_the_folder_of_a_run_that_goes_while_it_is_looked_for_is_no_fault(
    house, tmp_path, monkeypatch
):
    going = house.folders.work / "run"
    going.mkdir()
    scandir, gone = os.scandir, []

    def late(path):
        if str(path) == str(going):
            going.rmdir()
            gone.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", late)
    manifest = backup.backup(house, tmp_path / "backup", dump)
    assert len(gone) == 1
    assert len([name for name in manifest.files if "raw_data" in name]) == FILES


def test_a_folder_that_cannot_be_listed_is_told_and_not_left_out(house, tmp_path, monkeypatch):
    closed = house.folders.root / "secrets" / "deeper"
    closed.mkdir(parents=True)
    scandir = os.scandir

    def refused(path):
        if str(path) == str(closed):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(PermissionError):
        backup.backup(house, tmp_path / "backup", dump)
