"""Ingestion whose workers are killed, late or two at once publishes every file once."""

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from ingest_house import damaged, good_lines, ingest_house, records_in, write_raw
from jobchurn import files
from jobchurn.errors import DataUnusable, LeaseLost, NotFound
from jobchurn.flow import ingest


@pytest.fixture
def house(store, tmp_path):
    return ingest_house(store, tmp_path / "home")


def test_a_step_before_its_validation_says_what_to_repeat(house):
    write_raw(house, "a.csv", good_lines(3))
    claim = ingest.read_data(house, trigger="cli")
    with pytest.raises(DataUnusable, match="validate_data"):
        ingest.save_statistics(house, claim)


def test_a_run_whose_rows_were_not_written_is_not_published(house):
    write_raw(house, "a.csv", good_lines(3))
    claim = ingest.read_data(house, trigger="cli")
    ingest.validate_data(house, claim)
    ingest.save_statistics(house, claim)
    with pytest.raises(DataUnusable, match="split_and_save"):
        ingest.finish(house, claim)
    assert house.store.runs.finished() == []


def test_every_step_can_be_repeated(house):
    lines = [*good_lines(5), damaged(good_lines(1)[0])]
    write_raw(house, "a.csv", lines)
    claim = ingest.read_data(house, trigger="cli")
    for step in (
        ingest.validate_data,
        ingest.save_statistics,
        ingest.send_alerts,
        ingest.split_and_save,
    ):
        step(house, claim)
        step(house, claim)
    run = ingest.finish(house, claim)
    assert (run.rows_valid, run.rows_invalid) == (5, 1)
    routed = records_in(house.folders.good_data) + records_in(house.folders.bad_data)
    assert routed == Counter(text.encode() for text in lines)


def test_a_worker_that_was_killed_once_it_had_published_may_publish_again(house):
    write_raw(house, "a.csv", good_lines(3))
    claim = ingest.read_data(house, trigger="dag", holder="dag:one")
    run = ingest.ingest(house, claim)
    again = ingest.resume(house, claim.run_id, "dag:one")
    assert ingest.finish(house, again) == run
    with pytest.raises(NotFound):
        ingest.resume(house, claim.run_id, "dag:two")


def test_a_sweep_beside_a_worker_that_tidies_up_is_no_fault(house, monkeypatch):
    write_raw(house, "a.csv", good_lines(3))
    claim = ingest.read_data(house, trigger="cli")
    publish = house.store.runs.finish

    def publish_and_be_swept(*arguments, **paths):
        run = publish(*arguments, **paths)
        shutil.rmtree(house.folders.work / claim.run_id)
        return run

    monkeypatch.setattr(house.store.runs, "finish", publish_and_be_swept)
    assert ingest.ingest(house, claim).run_id == claim.run_id


def test_a_run_is_taken_over_by_its_id_once_its_holder_is_gone(house):
    write_raw(house, "a.csv", good_lines(3))
    claim = ingest.read_data(house, trigger="dag", holder="dag:one")
    assert ingest.resume(house, claim.run_id, "dag:one").token == claim.token
    with pytest.raises(LeaseLost):
        ingest.resume(house, claim.run_id, "dag:two")


def test_a_worker_that_wakes_up_too_late_publishes_nothing(house):
    write_raw(house, "a.csv", good_lines(3))
    short = house.settings.model_copy(update={"lease_seconds": 0.05})
    sleeper = dataclasses.replace(house, settings=short)
    late = ingest.read_data(sleeper, trigger="dag", holder="dag:one")
    time.sleep(0.1)
    claim = ingest.read_data(house, trigger="dag", holder="dag:two")
    assert claim.run_id == late.run_id
    ingest.ingest(house, claim)
    with pytest.raises((LeaseLost, NotFound, DataUnusable)):
        ingest.ingest(sleeper, late)
    assert len(house.store.runs.finished()) == 1


class Killed(BaseException):
    """What a test throws where a real worker would be killed: nothing catches it."""


BOUNDARIES = [
    "arrivals.claim",
    "files.move",
    "files.write_atomically",
    "files.written_atomically",
    "files.copy",
    "runs.save_statistics",
    "runs.reserve_name",
    "files.route",
    "runs.finish",
    "path.rmdir",
]


def kill_at(monkeypatch, house, boundary, *, number, before):
    """Make the given call of a boundary the last thing that happens."""
    room, name = boundary.split(".")
    holders = {
        "arrivals": house.store.arrivals,
        "runs": house.store.runs,
        "files": ingest.files,
        "path": Path,
    }
    real = getattr(holders[room], name)
    calls = []

    def hooked(*args, **kwargs):
        calls.append(1)
        if before and len(calls) == number:
            raise Killed
        answer = real(*args, **kwargs)
        if len(calls) == number:
            raise Killed
        return answer

    monkeypatch.setattr(holders[room], name, hooked)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_kill_at_any_boundary_loses_and_doubles_nothing(
    house, monkeypatch, boundary, before, number
):
    lines = [*good_lines(6), damaged(good_lines(1)[0])]
    write_raw(house, "a.csv", lines)
    with monkeypatch.context() as patched:
        kill_at(patched, house, boundary, number=number, before=before)
        with contextlib.suppress(Killed):
            ingest.ingest_one(house, trigger="cli")
    list(ingest.ingest_all(house, trigger="cli"))
    runs = house.store.runs.finished()
    assert [(run.file, run.duplicate_of) for run in runs] == [("a.csv", None)]
    routed = records_in(house.folders.good_data) + records_in(house.folders.bad_data)
    assert routed == Counter(text.encode() for text in lines)
    for folder in (house.folders.raw_data, house.folders.work):
        assert list(folder.iterdir()) == []


def test_what_is_written_to_a_file_once_it_is_claimed_is_judged_too(house):
    lines = good_lines(4)
    path = write_raw(house, "a.csv", lines[:2])
    with path.open("a") as late:
        claim = ingest.read_data(house, trigger="cli")
        ingest.validate_data(house, claim)
        ingest.save_statistics(house, claim)
        late.write(f"{damaged(lines[2])}\n")
        late.flush()
        with pytest.raises(LeaseLost, match="waits as a new arrival"):
            ingest.split_and_save(house, claim)
    [run] = ingest.ingest_all(house, trigger="cli")
    assert (run.file, run.rows_valid, run.rows_invalid) == ("a.csv", 2, 1)


@pytest.mark.parametrize("is_disguised", [False, True])
def test_a_file_rewritten_between_its_hash_and_its_move_is_a_new_arrival(
    house, monkeypatch, is_disguised
):
    lines = good_lines(2)
    path = write_raw(house, "a.csv", lines)
    before, move = path.stat(), files.move

    def rewriting_move(source, destination):
        monkeypatch.setattr(files, "move", move)
        content = path.read_bytes()
        path.write_bytes(content.replace(lines[1].encode(), b"x" * len(lines[1].encode())))
        if is_disguised:  # of the size and the time that it had
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        move(source, destination)

    monkeypatch.setattr(files, "move", rewriting_move)
    claim = ingest.read_data(house, trigger="cli")
    if is_disguised:
        with pytest.raises(LeaseLost, match="waits as a new arrival"):
            ingest.validate_data(house, claim)
    else:
        assert claim is None
    [run] = ingest.ingest_all(house, trigger="cli")
    assert (run.file, run.rows_valid, run.rows_invalid) == ("a.csv", 1, 1)


def test_what_is_written_to_a_file_once_its_rows_are_routed_is_not_removed(house):
    path = write_raw(house, "a.csv", good_lines(2))
    with path.open("a") as late:
        claim = ingest.read_data(house, trigger="cli")
        ingest.validate_data(house, claim)
        ingest.save_statistics(house, claim)
        ingest.split_and_save(house, claim)
        late.write(good_lines(3)[2] + "\n")
        late.flush()
        ingest.finish(house, claim)
    [run] = ingest.ingest_all(house, trigger="cli")
    assert (run.file, run.rows_valid, run.duplicate_of) == ("a.csv", 3, None)
    assert list(house.folders.work.iterdir()) == []


def test_a_new_file_that_a_late_worker_takes_for_its_own_is_not_swept_away(house):
    write_raw(house, "a.csv", good_lines(2, seed=1))
    first = ingest.read_data(house, trigger="cli")
    ingest.ingest(house, first)
    # The late worker moves what lies there under the name, and is killed before it looks at it.
    second = write_raw(house, "a.csv", good_lines(2, seed=2))
    folder = house.folders.work / first.run_id
    folder.mkdir()
    files.move(second, folder / "raw.moving")
    [run] = ingest.ingest_all(house, trigger="cli")
    assert (run.file, run.rows_valid, run.duplicate_of) == ("a.csv", 2, None)


def test_a_raw_file_of_a_run_that_no_database_knows_is_not_swept_away(house):
    folder = house.folders.work / "20261124T073000-3f9a2c"
    folder.mkdir()
    files.move(write_raw(house, "a.csv", good_lines(2)), folder / "raw")
    [run] = ingest.ingest_all(house, trigger="cli")
    assert (run.file, run.rows_valid) == ("20261124T073000-3f9a2c.csv", 2)


@pytest.mark.parametrize("number", [1, 2])
def test_a_late_worker_that_finds_its_file_gone_lets_it_be(house, monkeypatch, number):
    write_raw(house, "a.csv", good_lines(2, seed=1))
    write_raw(house, "b.csv", good_lines(2, seed=2))
    short = house.settings.model_copy(update={"lease_seconds": 0.05})
    sleeper = dataclasses.replace(house, settings=short)
    move = files.move
    moves = []

    def late_move(source, destination):
        moves.append(source)
        if len(moves) < number:
            move(source, destination)
            return
        monkeypatch.setattr(files, "move", move)
        time.sleep(0.1)
        assert len(list(ingest.ingest_all(house, trigger="dag"))) == 2
        move(source, destination)

    monkeypatch.setattr(files, "move", late_move)
    assert ingest.read_data(sleeper, trigger="dag", holder="dag:one") is None
    assert len(house.store.runs.finished()) == 2


def command(*words, database, home):
    return subprocess.Popen(
        [sys.executable, "-m", "jobchurn.cli", *words],
        env=os.environ
        | {
            "DATABASE_URL": database,
            "JOBCHURN_HOME": str(home),
            "SETTLE_SECONDS": "0",
            "OMP_NUM_THREADS": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_two_commands_at_once_share_the_files_and_never_a_file(house, database):
    expected = Counter()
    for number in range(12):
        lines = good_lines(5, seed=number)
        write_raw(house, f"{number}.csv", lines)
        expected += Counter(text.encode() for text in lines)
    both = [
        command("ingest", "--all", database=database, home=house.folders.root) for _ in range(2)
    ]
    for one in both:
        output, _ = one.communicate(timeout=300)
        assert one.returncode == 0, output
    runs = house.store.runs.finished()
    assert sorted(run.file for run in runs) == sorted(f"{number}.csv" for number in range(12))
    assert records_in(house.folders.good_data) == expected


def test_a_killed_command_is_taken_up_by_the_next_one(house, database):
    expected = Counter()
    for number in range(30):
        lines = [*good_lines(20, seed=number), damaged(good_lines(1, seed=number)[0])]
        write_raw(house, f"{number}.csv", lines)
        expected += Counter(text.encode() for text in lines)
    first = command("ingest", "--all", database=database, home=house.folders.root)
    deadline = time.monotonic() + 240
    while not any(house.folders.good_data.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert any(house.folders.raw_data.iterdir()), "it was killed too late to show anything"
    second = command("ingest", "--all", database=database, home=house.folders.root)
    output, _ = second.communicate(timeout=300)
    assert second.returncode == 0, output
    runs = house.store.runs.finished()
    assert Counter(run.file for run in runs) == Counter(f"{n}.csv" for n in range(30))
    assert records_in(house.folders.good_data) + records_in(house.folders.bad_data) == expected
    assert list(house.folders.work.iterdir()) == []
