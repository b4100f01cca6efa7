"""The log of requests: what is kept in a rush, and what trouble with writing costs."""

import collections
import logging
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobchurn.api import request_log
from jobchurn.api.measured import Answered
from jobchurn.api.request_log import MOST, UNLOGGED, LogWriter
from jobchurn.errors import DatabaseUnreachable


def request(status=200, route="/predict", records=0):
    return Answered(1_700_000_000.5, route, "POST", status, 0.25, records, 3)


class Kept:
    """Keeps what it is told to write, or fails at it."""

    def __init__(self):
        self.entries, self.trouble, self.dropped = [], None, []
        self.writer = LogWriter(self.write, self.dropped.append)

    def write(self, entries):
        if self.trouble:
            raise self.trouble
        self.entries += entries

    def weight(self, **facts):
        return sum(
            entry.weight
            for entry in self.entries
            if all(getattr(entry, name) == value for name, value in facts.items())
        )


@pytest.fixture
def kept():
    return Kept()


def test_a_request_is_kept_as_it_was(kept):
    kept.writer.note(request(records=7))
    kept.writer.flush()
    [entry] = kept.entries
    assert entry.at.timestamp() == 1_700_000_000.5
    assert entry.at.tzinfo is not None
    assert (entry.route, entry.method, entry.status) == ("/predict", "POST", 200)
    assert (entry.seconds, entry.records, entry.waiting, entry.weight) == (0.25, 7, 3, 1.0)


def test_what_was_written_is_not_written_again(kept):
    kept.writer.note(request())
    kept.writer.flush()
    kept.writer.flush()
    assert len(kept.entries) == 1


@pytest.mark.parametrize("route", sorted(UNLOGGED))
def test_what_machines_ask_all_the_time_is_not_logged(kept, route):
    kept.writer.note(request(503, route))
    kept.writer.flush()
    assert kept.entries == []


@given(answers=st.integers(0, 5 * MOST), failures=st.integers(0, 3 * MOST))
def test_weights_add_up_to_the_number_of_requests(answers, failures):
    kept = Kept()
    for _ in range(answers):
        kept.writer.note(request())
    for _ in range(failures):
        kept.writer.note(request(500))
    kept.writer.flush()
    assert kept.weight(status=200) == pytest.approx(answers)
    assert kept.weight(status=500) == pytest.approx(failures)
    assert len(kept.entries) == min(answers, MOST) + min(failures, MOST)


def test_failures_are_kept_whatever_rush_there_is(kept):
    for number in range(20_000):
        kept.writer.note(request(records=number))
    for _ in range(5):
        kept.writer.note(request(503))
    kept.writer.flush()
    assert [entry.weight for entry in kept.entries if entry.status == 503] == [1.0] * 5
    assert len(kept.entries) == MOST + 5


def test_a_sample_favours_no_request():
    # Each of 1,000 is kept with a chance of 0.1; over 200 rounds each is kept 20 times in the mean,
    # and groups of a tenth of them 2,000 times with a standard deviation of 42 at most.
    counts = collections.Counter()
    for _ in range(200):
        kept = Kept()
        for number in range(10 * MOST):
            kept.writer.note(request(records=number))
        kept.writer.flush()
        counts.update(entry.records // MOST for entry in kept.entries)
    assert sum(counts.values()) == 200 * MOST
    assert all(abs(counts[tenth] - 2_000) < 6 * 42 for tenth in range(10))


def test_trouble_with_writing_costs_the_entries_and_is_said_once(kept, caplog):
    kept.trouble = DatabaseUnreachable("The database does not answer.", "Start it.")
    for _ in range(3):
        for _ in range(2 * MOST):
            kept.writer.note(request())
        kept.writer.flush()
    assert kept.dropped == [2 * MOST] * 3
    [said] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "The database does not answer." in said.getMessage()
    assert said.exc_info is None
    kept.trouble = None
    kept.writer.note(request())
    kept.writer.flush()
    assert kept.weight() == 1
    kept.trouble = DatabaseUnreachable("The database does not answer.", "Start it.")
    kept.writer.note(request())
    kept.writer.flush()
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 2


def test_a_bug_in_writing_is_logged_with_its_trace(kept, caplog):
    kept.trouble = ZeroDivisionError("a bug")
    kept.writer.note(request())
    kept.writer.flush()
    assert kept.dropped == [1]
    assert "ZeroDivisionError" in caplog.text


def test_writing_goes_on_in_the_background_until_the_end(kept, monkeypatch):
    monkeypatch.setattr(request_log, "FLUSH_SECONDS", 0.01)
    kept.writer.start()
    kept.writer.note(request())
    assert until(lambda: kept.weight() == 1)
    kept.trouble = ZeroDivisionError("a bug")
    kept.writer.note(request())
    assert until(lambda: kept.dropped)
    kept.trouble = None
    kept.writer.note(request())
    assert until(lambda: kept.weight() == 2)
    kept.writer.stop(5)
    assert not [thread for thread in threading.enumerate() if thread.name == "request-log"]


def test_the_last_requests_are_written_at_the_end(kept):
    kept.writer.start()
    kept.writer.note(request())
    kept.writer.stop(5)
    assert kept.weight() == 1


def test_a_log_that_never_began_ends_at_once(kept):
    kept.writer.stop(5)


def test_a_database_that_hangs_keeps_the_end_waiting_no_longer_than_it_may(caplog):
    go = threading.Event()
    writer = LogWriter(lambda _: go.wait(10), lambda _: None)
    writer.start()
    writer.note(request())
    begun = time.monotonic()
    writer.stop(0.1)
    assert time.monotonic() - begun < 5
    assert "too slow" in caplog.text
    go.set()


def test_many_threads_lose_no_request(kept, monkeypatch):
    monkeypatch.setattr(request_log, "FLUSH_SECONDS", 0.001)
    kept.writer.start()

    def note():
        for _ in range(2_000):
            kept.writer.note(request())

    noting = [threading.Thread(target=note) for _ in range(4)]
    for thread in noting:
        thread.start()
    for thread in noting:
        thread.join()
    kept.writer.stop(10)
    assert kept.weight() == pytest.approx(8_000)


def until(holds, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.005)
    return False
