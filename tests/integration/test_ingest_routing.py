"""Ingestion takes what waits and is regular, and sends every row to good or bad, once."""

import errno
import json
import os
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from ingest_house import HEADER, damaged, good_lines, ingest_house, records_in, write_raw
from jobchurn import files
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import DataUnusable, NotFound
from jobchurn.files import atomic
from jobchurn.flow import ingest
from jobchurn.flow.split import split


@pytest.fixture
def house(store, tmp_path):
    return ingest_house(store, tmp_path / "home")


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


def test_what_a_database_knows_nothing_of_is_not_overwritten(house, database):
    folders = house.folders
    write_raw(house, "a.csv", [*good_lines(3), damaged(good_lines(1, seed=1)[0])])
    ingest.ingest_one(house, trigger="cli")
    there = [*folders.good_data.iterdir(), *folders.bad_data.iterdir()]
    routed = {path: path.read_bytes() for path in there}
    with psycopg.connect(database) as connection:  # as it was before the first file came
        connection.execute("TRUNCATE arrivals CASCADE")
    write_raw(house, "a.csv", [*good_lines(2, seed=2), damaged(good_lines(1, seed=3)[0])])
    run = ingest.ingest_one(house, trigger="cli")
    assert {path: path.read_bytes() for path in there} == routed
    assert {Path(run.good), Path(run.bad), Path(run.reasons)}.isdisjoint(routed)
    assert Path(run.good).name == f"a-{run.run_id}.csv"
    assert records_in(folders.good_data).total() == 5


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

    def refused(path, **how):  # root may read whatever its mode is
        if path.name == "closed.csv":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path, **how)

    monkeypatch.setattr(files, "sha256_of", refused)
    assert len(list(ingest.ingest_all(house, trigger="cli"))) == 3
    assert closed.exists()
    assert "closed.csv waits: this user has no right to read it or to move it" in caplog.text
    with pytest.raises(PermissionError):
        ingest.ingest_one(house, trigger="cli", file=closed)
    monkeypatch.undo()
    assert ingest.ingest_one(house, trigger="cli").file == "closed.csv"


def test_a_file_that_may_not_be_moved_keeps_no_other_waiting(house, monkeypatch, caplog):
    stuck = write_raw(house, "stuck.csv", good_lines(3, seed=1))
    move = files.move

    def refused(source, destination):  # as of another user's file in a folder with the sticky bit
        if source == stuck:
            raise PermissionError(errno.EPERM, "Operation not permitted", str(source))
        move(source, destination)

    monkeypatch.setattr(files, "move", refused)
    for _ in range(2):
        assert list(ingest.ingest_all(house, trigger="cli")) == []
    assert "stuck.csv waits: this user has no right to read it or to move it" in caplog.text
    for n in range(3):
        write_raw(house, f"{n}.csv", good_lines(3, seed=2 + n))
    assert len(list(ingest.ingest_all(house, trigger="cli"))) == 3
    assert stuck.exists()
    monkeypatch.undo()
    run = ingest.ingest_one(house, trigger="cli")
    assert (run.file, run.rows_valid) == ("stuck.csv", 3)
    assert len(house.store.runs.finished()) == 4


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


def test_a_file_of_the_name_that_comes_while_it_is_copied_in_is_not_overwritten(
    house, tmp_path, monkeypatch
):
    elsewhere = tmp_path / "a.csv"
    elsewhere.write_text("\n".join([HEADER, *good_lines(4)]))
    pieces = atomic.pieces

    def late(source):
        if source == elsewhere:
            write_raw(house, "a.csv", good_lines(2, seed=1))
        return pieces(source)

    monkeypatch.setattr(atomic, "pieces", late)
    run = ingest.ingest_one(house, trigger="cli", file=elsewhere)
    assert (run.file, run.rows_valid) == ("a-2.csv", 4)
    monkeypatch.undo()
    [other] = ingest.ingest_all(house, trigger="cli")
    assert (other.file, other.rows_valid) == ("a.csv", 2)


def test_a_file_that_waits_already_is_not_copied_in_again(house, tmp_path):
    elsewhere = tmp_path / "a.csv"
    waiting = write_raw(house, "a.csv", good_lines(2))
    elsewhere.write_bytes(waiting.read_bytes())
    assert ingest.ingest_one(house, trigger="cli", file=elsewhere).file == "a.csv"
    assert list(house.folders.raw_data.iterdir()) == []


def test_a_link_among_the_raw_files_is_refused_by_name(house, tmp_path):
    (tmp_path / "a.csv").write_text("\n".join([HEADER, *good_lines(4)]))
    link = house.folders.raw_data / "link.csv"
    link.symlink_to(tmp_path / "a.csv")
    with pytest.raises(DataUnusable, match="symbolic link"):
        ingest.ingest_one(house, trigger="cli", file=link)


def test_a_folder_of_any_name_among_those_of_runs_is_no_fault(house):
    strange = house.folders.work / "caf\udce9"
    strange.mkdir()
    (strange / "raw").write_text("\n".join([HEADER, *good_lines(3)]))
    run = ingest.ingest_one(house, trigger="cli")
    assert (run.file, run.rows_valid) == ("caf\udce9.csv", 3)


def test_a_file_that_does_not_exist_is_named(house, tmp_path):
    with pytest.raises(NotFound, match=r"absent\.csv"):
        ingest.ingest_one(house, trigger="cli", file=tmp_path / "absent.csv")


def test_a_folder_is_no_file(house, tmp_path):
    with pytest.raises(DataUnusable, match="no regular file"):
        ingest.ingest_one(house, trigger="cli", file=tmp_path)


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
