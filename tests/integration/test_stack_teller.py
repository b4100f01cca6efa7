"""The keeper's mouth: each channel hears of a failing service by itself, once, in order."""

import io
import json
import os
import signal
import time

import pytest

from jobchurn.settings import read_settings
from jobchurn.stack import tell
from jobchurn.stack.history import Event, Turn
from jobchurn.stack.record import StackFolder
from jobchurn.stack.teller import AGAIN_SECONDS, Teller
from jobchurn.stack.untold import Told, line_of, read_told, read_untold
from webhook import listener

FAILS = Event("api", "api is failing: it ends as soon as it is started", Turn.FAILING, 1.0)
IS_WELL = Event("api", "api is well again", Turn.OVER, 2.0)
PATIENCE = 60.0


@pytest.fixture
def folder(tmp_path):
    return StackFolder(tmp_path).make()


@pytest.fixture
def good():
    with listener() as hook:
        yield hook


@pytest.fixture
def channels(monkeypatch, good):
    """A channel that answers, and the setting of another one, given how that one answers."""
    monkeypatch.setenv("ALERT_URLS", f"json://127.0.0.1:{good.port}/alerts")

    def with_teams(hook):
        monkeypatch.setenv("TEAMS_WEBHOOK", hook.webhook)

    return with_teams


@pytest.fixture
def tellers(folder):
    made = []

    def teller():
        made.append(Teller(read_settings(), folder))
        return made[-1]

    yield teller
    for one in made:
        for pid in one.own:
            os.kill(pid, signal.SIGTERM)
            one._process.wait()


def until(teller, is_so):
    """Step as the keeper does until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        teller.step(time.monotonic())
        time.sleep(0.05)


def told(hook):
    return [json.loads(content)["title"] for _, _, content in hook.received]


def test_a_broken_channel_delays_no_other(folder, good, channels, tellers):
    with listener(status=500) as broken:
        channels(broken)
        teller = tellers()
        teller.tell(FAILS)
        until(teller, lambda: good.received and broken.received)
        teller.tell(IS_WELL)
        until(teller, lambda: len(good.received) == 2)
        assert told(good) == ["Critical: api fails", "Over: api fails"]
        # That it is over is not said before that it began.
        assert all(b"Over" not in content for _, _, content in broken.received)
        assert teller.own


def test_a_keeper_that_takes_over_tells_each_channel_what_it_has_not_heard(
    folder, good, channels, tellers
):
    with listener(status=500) as broken:
        channels(broken)
        former = tellers()
        former.tell(FAILS)
        until(former, lambda: read_told(folder.told).get("json") == 1 and broken.received)
    [pid] = former.own
    os.kill(pid, signal.SIGKILL)
    former._process.wait()
    with listener() as mended:
        channels(mended)
        teller = tellers()
        teller.tell(IS_WELL)
        until(teller, lambda: len(mended.received) == 2 and not teller.own)
    assert told(good) == ["Critical: api fails", "Over: api fails"]
    teller.step(time.monotonic())
    assert read_untold(folder.untold) == {}


def test_what_is_told_later_has_a_number_of_its_own(folder, good, channels, tellers):
    teller = tellers()
    for number, event in enumerate([FAILS, IS_WELL, FAILS], 1):
        teller.tell(event)
        until(teller, lambda number=number: len(good.received) == number and not teller.own)
        teller.step(time.monotonic())
    assert read_told(folder.told) == {"json": 3}


def test_without_a_channel_nothing_is_kept(folder, tellers):
    teller = tellers()
    teller.tell(FAILS)
    teller.step(0.0)
    assert not folder.untold.exists()
    assert not teller.own


def test_a_process_that_cannot_be_begun_is_begun_later(
    folder, good, channels, tellers, monkeypatch, capfd
):
    def no_memory(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    teller = tellers()
    teller.tell(FAILS)
    with monkeypatch.context() as patched:
        patched.setattr("jobchurn.stack.teller.subprocess.Popen", no_memory)
        teller.step(0.0)
    assert "Resource temporarily unavailable" in capfd.readouterr().err
    teller.step(AGAIN_SECONDS - 1)
    assert not teller.own
    teller.step(AGAIN_SECONDS)
    assert teller.own


def test_people_are_told_where_nothing_can_be_written_down(
    folder, good, channels, tellers, monkeypatch, caplog
):
    def full(*_):
        raise OSError(28, "No space left on device")

    teller = tellers()
    with monkeypatch.context() as patched:
        patched.setattr("jobchurn.stack.teller.write_untold", full)
        teller.tell(FAILS)
        until(teller, lambda: len(good.received) == 1)
        teller.tell(IS_WELL)
        until(teller, lambda: len(good.received) == 2)
    assert told(good) == ["Critical: api fails", "Over: api fails"]
    assert caplog.text.count("cannot be written down") == 1


def test_a_process_that_cannot_write_down_what_it_told_does_not_end(folder, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    ledger = Told(folder.told, ("json",))
    with monkeypatch.context() as patched:
        patched.setattr("jobchurn.stack.untold.write_private", full)
        ledger.mark("json", 1)
        assert not ledger.is_kept()
        assert ledger.last("json") == 1
    assert caplog.text.count("cannot be written down") == 1
    assert ledger.is_kept()
    assert read_told(folder.told) == {"json": 1}


def test_a_channel_that_never_answers_is_given_up_and_hears_what_comes_next(
    folder, monkeypatch, good, channels
):
    with listener(status=500) as broken:
        channels(broken)
        monkeypatch.delenv("ALERT_URLS")
        monkeypatch.setattr(tell, "FIRST_WAIT_SECONDS", 0.0)
        monkeypatch.setattr(tell, "TRIES", 2)
        monkeypatch.setattr(tell.sys, "argv", ["tell", str(folder.home)])
        lines = line_of(1, FAILS) + line_of(2, IS_WELL)
        monkeypatch.setattr(tell.sys, "stdin", io.StringIO(lines))
        assert tell.main() == 0
        heard = [b"Over" in content for _, _, content in broken.received]
    assert heard == [False, False, True, True]
