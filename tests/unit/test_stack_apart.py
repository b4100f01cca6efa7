"""Functions that run in a process of their own, and how they and their parents end."""

import errno
import os
import signal
import sys
import time

import pytest

from jobchurn.errors import DataUnusable, PlaceRefused, StackFailed
from jobchurn.stack import apart, processes
from jobchurn.stack.apart import run_apart, run_in_background
from jobchurn.stack.processes import Stopped, StopSignals


def test_a_function_run_apart_leaves_its_memory_behind_and_hands_on_its_failure():
    changed = []
    with StopSignals() as signals:
        run_apart(lambda: changed.append(1), signals)
        with pytest.raises(DataUnusable) as failure:
            run_apart(lambda: fail(DataUnusable("No.", "Do.", {"row": 1})), signals)
        with pytest.raises(PlaceRefused, match="/closed: Permission denied"):
            run_apart(
                lambda: fail(PermissionError(errno.EACCES, "Permission denied", "/closed")), signals
            )
        with pytest.raises(StackFailed, match="ended with 1"):
            run_apart(lambda: fail(ZeroDivisionError()), signals)
    assert changed == []
    assert (failure.value.cure, failure.value.details) == ("Do.", {"row": 1})


def fail(error):
    raise error


def test_a_stop_ends_a_function_that_runs_apart():
    before = processes.children()
    with StopSignals() as signals:
        signals.received = signal.SIGTERM
        with pytest.raises(Stopped):
            run_apart(lambda: time.sleep(600), signals)
    assert processes.children() <= before


def test_what_runs_in_the_background_is_up_also_where_two_processes_say_so_at_once(
    tmp_path, monkeypatch
):
    read = apart._read

    def read_late(descriptor):
        time.sleep(0.5)
        return read(descriptor)

    def function(let_go):
        child = os.fork()
        if child == 0:
            let_go()
            os._exit(0)
        os.waitpid(child, 0)
        let_go()
        return 3  # which is told where it is waited for

    monkeypatch.setattr(apart, "_read", read_late)
    assert run_in_background(function, tmp_path / "log") == 0


def test_a_stop_that_is_asked_for_as_all_comes_up_is_not_forgotten(tmp_path, monkeypatch):
    before, read = processes.children(), apart._read

    def read_late(descriptor):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.5)  # it is up meanwhile
        return read(descriptor)

    def function(let_go):
        with StopSignals() as signals:
            let_go()
            try:
                signals.sleep(60)
            except Stopped:
                return 0
        return 1

    monkeypatch.setattr(apart, "_read", read_late)
    assert run_in_background(function, tmp_path / "log") == 0
    assert processes.children() == before


def test_who_ignores_a_hang_up_ignores_it_apart_as_well():
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            run_apart(lambda: os.kill(os.getpid(), signal.SIGHUP), signals)
    finally:
        signal.signal(signal.SIGHUP, former)


def test_a_failure_of_many_words_is_told_in_fewer():
    failure = DataUnusable("No." + "x" * 200_000, "Do.", {"rows": [*range(100_000)]})
    with StopSignals() as signals, pytest.raises(DataUnusable, match="No") as told:
        run_apart(lambda: fail(failure), signals)
    assert told.value.cure == "Do."
    assert len(told.value.message) < 10_000


class Gone:
    """A terminal that is no longer there."""

    def write(self, _):
        raise BrokenPipeError

    def flush(self):
        pass


def test_a_process_whose_last_words_nobody_reads_ends_all_the_same(tmp_path, monkeypatch):
    parent = os.getpid()
    with StopSignals() as signals, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", Gone())
        try:
            with pytest.raises(StackFailed, match="ended with 1"):
                run_apart(lambda: fail(ZeroDivisionError()), signals)
        finally:
            (tmp_path / str(os.getpid())).touch()
            if os.getpid() != parent:
                os._exit(7)
    assert [path.name for path in tmp_path.iterdir()] == [str(parent)]
