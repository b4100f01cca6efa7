"""Ingestion on a real database: every row in one place, one run a file, whatever is killed."""

import contextlib
import dataclasses
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from api_house import open_house
from jobchurn import files
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import DataUnusable, LeaseLost, NotFound
from jobchurn.flow import ingest
from jobchurn.flow.split import split
from small_model import random_records

HEADER = ",".join(column.name for column in JOB_CHANGE.columns)


@pytest.fixture
def house(store, tmp_path):
    services = open_house(store, tmp_path / "home", champion=False)
    settings = services.settings.model_copy(update={"settle_seconds": 0.0})
    return dataclasses.replace(services, settings=settings)


def line(record):
    return ",".join(column.write(record[column.name]) for column in JOB_CHANGE.columns)


def good_lines(count, seed=0):
    lines = [line(record) for record in random_records(JOB_CHANGE, count, seed)]
    assert not any('"' in text for text in lines)
    return lines


def write_raw(house, name, lines, header=HEADER):
    path = house.folders.raw_data / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def damaged(text):
    """The same row, its last required number below the least that is allowed."""
    cells = text.split(",")
    cells[[c.name for c in JOB_CHANGE.columns].index("training_hours")] = "-5"
    return ",".join(cells)


def records_in(folder):
    """Every record below a folder, and how often it lies there."""
    return Counter(
        record
        for path in folder.iterdir()
        if not path.name.endswith(".reasons.jsonl")
        for record in path.read_bytes().splitlines()[1:]
    )


def test_a_clean_file_goes_whole_to_good(house):
    lines = good_lines(20)
    raw = write_raw(house, "a.csv", lines).read_bytes()
    run = ingest.ingest_one(house, trigger="cli")
    assert (run.rows_total, run.rows_valid, run.rows_invalid) == (20, 20, 0)
    assert run.criticality == "none"
    assert (house.folders.good_data / "a.csv").read_bytes() == raw
    assert run.bad is None
    assert run.reasons is None


def test_when_the_raw_file_came_is_kept(house):
    path = write_raw(house, "a.csv", good_lines(2))
    os.utime(path, (0, 0))  # its content may be of long ago
    came = path.stat().st_ctime
    ingest.ingest_one(house, trigger="cli")
    kept = house.store.panels.read("SELECT extract(epoch FROM arrived_at) FROM arrivals").rows
    assert kept == [(pytest.approx(came, abs=1e-3),)]


def test_bad_rows_go_to_bad_with_their_reasons(house):
    lines = good_lines(10)
    lines[3] = damaged(lines[3])
    write_raw(house, "a.csv", lines)
    run = ingest.ingest_one(house, trigger="cli")
    assert records_in(house.folders.bad_data) == Counter([lines[3].encode()])
    assert records_in(house.folders.good_data) == Counter(
        text.encode() for text in lines[:3] + lines[4:]
    )
    reasons = [json.loads(text) for text in (house.folders.bad_data / "a.csv.reasons.jsonl").open()]
    assert [(r["row"], r["column"], r["rule"]) for r in reasons] == [(4, "training_hours", "range")]
    assert run.criticality == "medium"


def test_a_published_run_leaves_raw_and_work_folders_empty(house):
    write_raw(house, "a.csv", good_lines(3))
    ingest.ingest_one(house, trigger="cli")
    assert list(house.folders.raw_data.iterdir()) == []
    assert list(house.folders.work.iterdir()) == []


def test_a_run_names_its_files_by_absolute_paths(house):
    write_raw(house, "a.csv", [*good_lines(3), damaged(good_lines(1)[0])])
    run = ingest.ingest_one(house, trigger="start")
    for path in map(Path, (run.good, run.bad, run.reasons, run.report)):
        assert path.is_absolute()
        assert path.is_file()
    assert run.trigger == "start"


def test_the_same_content_under_another_name_is_recognised_and_routes_nothing(house):
    lines = good_lines(5)
    write_raw(house, "a.csv", lines)
    first = ingest.ingest_one(house, trigger="cli")
    write_raw(house, "b.csv", lines)
    second = ingest.ingest_one(house, trigger="cli")
    assert second.duplicate_of == first.run_id
    assert (second.good, second.bad) == (None, None)
    assert records_in(house.folders.good_data) == Counter(text.encode() for text in lines)
    assert list(house.folders.raw_data.iterdir()) == []


def test_a_third_delivery_still_points_to_the_first(house):
    lines = good_lines(5)
    runs = []
    for name in ("a.csv", "b.csv", "a.csv"):
        write_raw(house, name, lines)
        runs.append(ingest.ingest_one(house, trigger="cli"))
    assert [run.duplicate_of for run in runs] == [None, runs[0].run_id, runs[0].run_id]


def test_the_same_name_with_new_content_overwrites_nothing(house):
    first, second = good_lines(5, seed=1), good_lines(5, seed=2)
    write_raw(house, "a.csv", first)
    ingest.ingest_one(house, trigger="cli")
    write_raw(house, "a.csv", second)
    run = ingest.ingest_one(house, trigger="cli")
    assert run.duplicate_of is None
    assert records_in(house.folders.good_data) == Counter(text.encode() for text in first + second)


def test_a_file_that_cannot_be_read_goes_whole_to_bad(house):
    content = b"\x1f\x8b\x08\x00 not a table"
    (house.folders.raw_data / "a.csv").write_bytes(content)
    run = ingest.ingest_one(house, trigger="cli")
    assert (house.folders.bad_data / "a.csv").read_bytes() == content
    assert run.criticality == "high"
    assert run.good is None
    reason = json.loads((house.folders.bad_data / "a.csv.reasons.jsonl").read_text())
    assert reason["row"] is None


def test_a_missing_required_column_makes_every_row_bad(house):
    names = HEADER.split(",")
    lines = [",".join(text.split(",")[:-2] + text.split(",")[-1:]) for text in good_lines(6)]
    write_raw(house, "a.csv", lines, header=",".join(names[:-2] + names[-1:]))
    run = ingest.ingest_one(house, trigger="cli")
    assert (run.rows_valid, run.rows_invalid, run.criticality) == (0, 6, "high")
    assert records_in(house.folders.bad_data) == Counter(text.encode() for text in lines)


def test_a_file_of_a_header_alone_is_a_run_without_rows(house):
    write_raw(house, "a.csv", [])
    run = ingest.ingest_one(house, trigger="cli")
    assert (run.rows_total, run.criticality, run.good, run.bad) == (0, "none", None, None)


def test_a_file_that_nobody_may_read_keeps_no_other_waiting(house, monkeypatch, caplog):
    closed = write_raw(house, "closed.csv", good_lines(3, seed=1))
    for n in range(3):
        write_raw(house, f"{n}.csv", good_lines(3, seed=2 + n))
    read = files.sha256_of

    def refused(path):  # root may read whatever its mode is
        if path.name == "closed.csv":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(files, "sha256_of", refused)
    assert len(list(ingest.ingest_all(house, trigger="cli"))) == 3
    assert closed.exists()
    assert "closed.csv waits: this user has no right to read it" in caplog.text
    with pytest.raises(PermissionError):
        ingest.ingest_one(house, trigger="cli", file=closed)
    monkeypatch.undo()
    assert ingest.ingest_one(house, trigger="cli").file == "closed.csv"


def test_nothing_waiting_is_no_run(house):
    assert ingest.ingest_one(house, trigger="cli") is None
    assert house.store.runs.finished() == []


def test_a_file_from_elsewhere_is_ingested_and_left_where_it_is(house, tmp_path):
    elsewhere = tmp_path / "mine.csv"
    elsewhere.write_text("\n".join([HEADER, *good_lines(4)]))
    run = ingest.ingest_one(house, trigger="cli", file=elsewhere)
    assert (run.file, run.rows_valid) == ("mine.csv", 4)
    assert elsewhere.exists()
    assert list(house.folders.raw_data.iterdir()) == []


def test_a_file_that_does_not_exist_is_named(house, tmp_path):
    with pytest.raises(NotFound, match=r"absent\.csv"):
        ingest.ingest_one(house, trigger="cli", file=tmp_path / "absent.csv")


def test_a_folder_is_no_file(house, tmp_path):
    with pytest.raises(DataUnusable, match="no regular file"):
        ingest.ingest_one(house, trigger="cli", file=tmp_path)


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


def test_every_injected_fault_is_found_and_no_clean_row_is_refused(house, real_csv, tmp_path):
    manifest = split(
        real_csv,
        house.folders.raw_data,
        n_files=20,
        error_rate=0.1,
        seed=3,
        contract=JOB_CHANGE,
    )
    runs = {run.file: run for run in ingest.ingest_all(house, trigger="cli")}
    found = Counter()
    for entry in manifest.files:
        run = runs[entry.file]
        told = Path(run.reasons or os.devnull).read_text().splitlines()
        reasons = [json.loads(text) for text in told]
        refused = {(r["row"], r["column"], r["rule"]) for r in reasons}
        for fault in entry.faults:
            row = fault.row if run.rows_valid else None
            assert (row, fault.column, fault.rule) in refused
            found[fault.fault] += 1
        if run.rows_valid:
            assert {r["row"] for r in reasons} == {fault.row for fault in entry.faults}
    assert set(found) == set(range(1, 9))
    assert sum(run.rows_total for run in runs.values()) == sum(
        1 for _ in real_csv.read_bytes().splitlines()[1:]
    )
    assert files.arriving(house.folders.raw_data) == []
