"""A person is forgotten while workers take files on, and where something may not be read."""

import errno
import os
from pathlib import Path

import pytest

from forget_house import (
    NAMES,
    deliver,
    forget_house,
    forgotten,
    ingested,
    mentions,
    people,
    scored,
    theirs,
)
from jobchurn import files
from jobchurn.flow import ingest
from jobchurn.flow.forget import removal


@pytest.fixture
def house(store, tmp_path):
    return forget_house(store, tmp_path / "home")


def test_a_worker_that_lives_is_waited_for_and_then_named(house):
    deliver(house, "a.csv", [theirs()])
    claim = ingest.read_data(house, trigger="dag", holder="another:1:1")
    [left] = forgotten(house).left
    assert "another worker" in left.why
    assert claim.run_id in left.file


def test_a_file_that_a_worker_takes_on_while_another_is_looked_at_is_not_missed(house, monkeypatch):
    for n in range(2):
        path = deliver(house, f"{n}.csv", people(3, seed=n))
        ingest.read_data(house, trigger="dag", file=path, holder=f"x:{n}:1")
    [first, second] = sorted(house.folders.work.iterdir())
    (second / "raw").rename(second / "raw.moving")
    (second / "raw.moving").write_text("\n".join([",".join(NAMES), theirs()]))
    cut = files.cut

    def late(path, contract):
        if path.parent == first and (second / "raw.moving").exists():
            (second / "raw.moving").rename(second / "raw")
        return cut(path, contract)

    monkeypatch.setattr(files, "cut", late)
    [left] = forgotten(house).left
    assert (second.name in left.file, "another worker" in left.why) == (True, True)


def test_the_folder_of_a_run_that_goes_while_they_are_looked_for_is_no_fault(house, monkeypatch):
    ingested(house, "a.csv", [theirs()])
    held = deliver(house, "b.csv", people(2))
    claim = ingest.read_data(house, trigger="dag", file=held, holder="x:1:1")
    going = house.folders.work / claim.run_id
    scandir = os.scandir

    def late(path="."):
        if str(path) == str(going):
            (going / "raw").unlink()
            going.rmdir()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", late)
    assert forgotten(house).files


def test_what_is_claimed_while_they_are_forgotten_is_waited_for_or_said(house, monkeypatch):
    from_files, came = removal._Removal.from_files, []

    def meanwhile(one):
        from_files(one)
        lines = [theirs(seed=200 + len(came))]
        path = deliver(house, f"{len(came)}.csv", lines)
        came.append(ingest.read_data(house, trigger="dag", file=path, holder="x:1:1"))

    monkeypatch.setattr(removal._Removal, "from_files", meanwhile)
    [left] = forgotten(house).left
    assert came[0].run_id in left.file


def test_a_file_that_may_not_be_read_is_said_and_keeps_nobody_from_being_forgotten(
    house, database, monkeypatch
):
    ingested(house, "a.csv", [*people(2), theirs()])
    scored(house)
    closed = deliver(house, "closed.csv", people(2, seed=5))
    hidden = house.folders.raw_data / ".hidden.csv"
    hidden.write_text(theirs())
    read = Path.read_bytes
    cut, sha256_of = files.cut, files.sha256_of

    def unless_closed(work):
        def tried(path, *arguments, **how):  # root may read whatever its mode is
            if path in (closed, hidden):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return work(path, *arguments, **how)

        return tried

    with monkeypatch.context() as patch:
        patch.setattr(files, "cut", unless_closed(cut))
        patch.setattr(files, "sha256_of", unless_closed(sha256_of))
        patch.setattr(Path, "read_bytes", unless_closed(read))
        looked = forgotten(house, dry_run=True)
        done = forgotten(house)
    for found in (looked, done):
        told = {one.file: one.why for one in found.left}
        assert told.keys() == {"data/raw_data/closed.csv", "data/raw_data/.hidden.csv"}
        assert all("Permission denied" in why for why in told.values())
    assert done.predictions == looked.predictions
    hidden.unlink()
    assert mentions(house, database) == []


def test_a_file_that_is_taken_while_they_are_looked_for_is_no_fault(house, monkeypatch):
    path = deliver(house, "a.csv", people(2))
    arriving, calls = files.arriving, []

    def taken(folder):
        calls.append(folder)
        if len(calls) == 2:
            path.unlink()
        return arriving(folder)

    monkeypatch.setattr(files, "arriving", taken)
    assert forgotten(house, dry_run=True).left == []
    assert len(calls) == 2


def test_what_a_dead_worker_left_is_finished_first(house, database):
    deliver(house, "a.csv", [*people(2), theirs()])
    claim = ingest.read_data(house, trigger="dag", holder="another:1:1")
    ingest.validate_data(house, claim)
    house.store.arrivals.release(claim)
    assert forgotten(house).left == []
    assert mentions(house, database) == []
    assert house.store.runs.get(claim.run_id).finished_at is not None
