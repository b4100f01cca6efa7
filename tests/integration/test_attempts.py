"""How often a file is tried, what counts against it, and what becomes of it in the end."""

import dataclasses
import json

import pytest

from api_house import open_house
from jobchurn import files
from jobchurn.contract import JOB_CHANGE
from jobchurn.flow import ingest, work
from small_model import random_records

ATTEMPTS = 2


def dead(_holder):
    return True


@pytest.fixture
def house(store, tmp_path):
    services = open_house(store, tmp_path / "home", champion=False)
    changed = {"settle_seconds": 0.0, "attempts": ATTEMPTS}
    return dataclasses.replace(services, settings=services.settings.model_copy(update=changed))


@pytest.fixture
def raw(house):
    """A raw file of three good rows."""
    return deliver(house, "a.csv")


def deliver(house, name):
    names = [column.name for column in JOB_CHANGE.columns]
    lines = [
        ",".join(JOB_CHANGE[name].write(record[name]) for name in names)
        for record in random_records(JOB_CHANGE, 3)
    ]
    path = house.folders.raw_data / name
    path.write_text("\n".join([",".join(names), *lines]) + "\n")
    return path


def tried(house, times):
    """So many workers have the file, and end without a word; the claim of the last one."""
    claim = ingest.read_data(house, trigger="cli", holder="worker 1")
    for number in range(2, times + 1):
        claim = house.store.arrivals.take_up(f"worker {number}", 60, dead)
    return claim


def test_a_file_that_was_tried_as_often_as_it_may_be_is_judged_still(house, raw):
    assert ingest.ingest(house, tried(house, ATTEMPTS)).rows_valid == 3


def test_a_file_that_was_tried_too_often_is_refused_unread(house, raw, monkeypatch):
    content = raw.read_bytes()
    claim = tried(house, ATTEMPTS + 1)
    monkeypatch.delattr(files, "reading")
    run = ingest.ingest(house, claim)
    assert (run.rows_total, run.criticality, run.good) == (0, "high", None)
    assert (house.folders.bad_data / "a.csv").read_bytes() == content
    [reason] = (house.folders.bad_data / "a.csv.reasons.jsonl").read_text().splitlines()
    assert json.loads(reason)["message"].startswith("2 workers have ended over it")
    assert "The whole file is refused" in (house.folders.reports / f"{run.run_id}.html").read_text()
    assert [(issue.rule, issue.rows) for issue in house.store.runs.issues(run.run_id)] == [
        ("attempts", 0)
    ]


def test_what_an_earlier_worker_had_routed_is_routed_no_more(house, raw):
    claim = tried(house, 1)
    for step in (ingest.validate_data, ingest.save_statistics, ingest.split_and_save):
        step(house, claim)
    assert (house.folders.good_data / "a.csv").exists()
    claim = house.store.arrivals.take_up("worker 2", 60, dead)
    claim = house.store.arrivals.take_up("worker 3", 60, dead)
    run = ingest.ingest(house, claim)
    assert list(house.folders.good_data.iterdir()) == []
    assert (run.rows_total, run.rows_valid) == (0, 0)


def test_content_that_nobody_has_read_is_judged_when_it_comes_again(house, raw):
    given_up = ingest.ingest(house, tried(house, ATTEMPTS + 1))
    deliver(house, "a.csv")
    again = ingest.ingest_one(house, trigger="cli")
    assert (again.duplicate_of, again.rows_valid, again.sha256) == (None, 3, given_up.sha256)
    deliver(house, "a.csv")
    assert ingest.ingest_one(house, trigger="cli").duplicate_of == again.run_id


def test_a_file_that_is_written_to_while_it_is_given_up_is_a_new_arrival(house, raw):
    claim = tried(house, ATTEMPTS + 1)
    work.raw_of(house, claim).write_bytes(b"another")
    with pytest.raises(ingest.LeaseLost):
        ingest.ingest(house, claim)
    assert raw.read_bytes() == b"another"
    assert list(house.folders.bad_data.iterdir()) == []


@pytest.mark.parametrize("trouble", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_trouble_that_is_not_the_file_s_begins_the_count_anew(house, raw, monkeypatch, trouble):
    claim = tried(house, ATTEMPTS)

    def fail(*_):
        raise trouble

    with monkeypatch.context() as patched:
        patched.setattr(ingest.files, "reading", fail)
        with pytest.raises(type(trouble)):
            ingest.ingest(house, claim)
    claim = house.store.arrivals.take_up("worker 3", 60, dead)
    assert claim.attempts == 1
    assert ingest.ingest(house, claim).rows_valid == 3


def test_an_error_of_ours_is_held_against_the_file(house, raw, monkeypatch):
    claim = tried(house, 1)

    def fail(*_):
        raise AssertionError("nobody has foreseen this")

    monkeypatch.setattr(ingest.files, "reading", fail)
    with pytest.raises(AssertionError):
        ingest.ingest(house, claim)
    assert house.store.arrivals.take_up("worker 2", 60, dead).attempts == 2
