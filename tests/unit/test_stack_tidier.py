"""The keeper's broom: when it sweeps, and what is told of it."""

import sys

import pytest

from jobchurn.stack.history import Turn
from jobchurn.stack.tidier import AGAIN_SECONDS, DAY_SECONDS, LARGEST_LOG, Tidier

FAILS = "import os, sys; print('no', flush=True); sys.exit(int(os.environ['CODE']))"


@pytest.fixture
def log(tmp_path):
    return tmp_path / "tidy.log"


def tidier_of(log, code=0):
    environment = {"CODE": str(code), "PATH": "/usr/bin:/bin"}
    return Tidier(environment, log, (sys.executable, "-c", FAILS))


def swept(tidier, now):
    """What is told of one time, from its beginning to its end."""
    assert tidier.step(now) == []
    assert tidier.own
    tidier._process.wait()
    events = tidier.step(now)
    assert not tidier.own
    return events


def test_it_sweeps_at_once_and_then_once_a_day(log):
    tidier = tidier_of(log)
    assert swept(tidier, 10.0) == []
    assert tidier.step(10.0 + DAY_SECONDS - 1) == []
    assert not tidier.own
    assert swept(tidier, 10.0 + DAY_SECONDS) == []
    assert log.read_text() == "no\nno\n"


def test_a_failure_is_told_once_and_tried_again_soon(log):
    tidier = tidier_of(log, code=3)
    [event] = swept(tidier, 0.0)
    assert (event.service, event.turn) == ("tidy", Turn.FAILING)
    assert "ended with 3" in event.text
    assert tidier.step(AGAIN_SECONDS - 1) == []
    assert not tidier.own
    assert swept(tidier, AGAIN_SECONDS) == []
    tidier._environment = {**tidier._environment, "CODE": "0"}
    [over] = swept(tidier, 2 * AGAIN_SECONDS)
    assert (over.service, over.turn) == ("tidy", Turn.OVER)


def test_a_failure_that_a_keeper_before_told_of_is_told_to_be_over(log):
    environment = {"CODE": "0", "PATH": "/usr/bin:/bin"}
    [over] = swept(Tidier(environment, log, (sys.executable, "-c", FAILS), failing=True), 0.0)
    assert (over.service, over.turn) == ("tidy", Turn.OVER)


def test_one_that_cannot_be_begun_has_failed_and_is_tried_again(log, monkeypatch):
    def no_memory(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    tidier = tidier_of(log)
    with monkeypatch.context() as patched:
        patched.setattr("jobchurn.stack.tidier.subprocess.Popen", no_memory)
        [event] = tidier.step(0.0)
        assert event.turn is Turn.FAILING
        assert "could not be begun" in event.text
        assert tidier.step(AGAIN_SECONDS - 1) == []
    [over] = swept(tidier, AGAIN_SECONDS)
    assert over.turn is Turn.OVER


def test_what_is_told_holds_no_line_of_the_log(log):
    [event] = swept(tidier_of(log, code=1), 0.0)
    assert log.read_text() == "no\n"
    assert "no\n" not in event.text
    assert " no " not in event.text


def test_a_log_does_not_grow_for_ever(log):
    log.write_bytes(b"x" * (LARGEST_LOG + 1))
    swept(tidier_of(log), 0.0)
    assert log.read_text() == "no\n"
