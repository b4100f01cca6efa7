"""Functions run in a process of their own: apart, for their memory, or in the background."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from jobchurn import errors
from jobchurn.errors import JobchurnError, StackFailed, refusal_of
from jobchurn.stack.processes import (
    PATIENCE,
    PR_SET_PDEATHSIG,
    STOPPING,
    Stopped,
    StopSignals,
    prctl,
)

STARTED = b"started"
"""What a function in the background reports when it lets go of the terminal."""

_LONGEST = 4_000
"""The most characters of a sentence that a child reports."""

_PIPE = 60_000
"""The most bytes of a report: a pipe takes them, whether anybody reads yet or not (pipe(7))."""


class Killed(StackFailed):
    """A process that was to report its end was killed before it could."""


def run_apart(
    function: Callable[[], None],
    signals: StopSignals,
    *,
    patience: float = PATIENCE,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Run a function in a process of its own, so that its memory is given back afterwards.

    Args:
        function: what is to run; the process is told to end when this one does.
        signals: requests to stop, which end the process.
        patience: how many seconds it may take to end once it was asked to.
        meanwhile: called several times a second while it runs.

    Raises:
        JobchurnError: what the function raised.
        Killed: a signal ended the process.
        StackFailed: the function failed in another way; its traceback went to stderr.
        Stopped: a stop was asked for; the process was ended.
    """
    parent = os.getpid()
    # No signal may meet the child while it still has our handlers, which would only note it.
    pid, pipe = _forked()
    if pid == 0:
        for number in STOPPING:
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup holds for the child, too
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)
        _end_with(function, _Report(pipe))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    with os.fdopen(pipe, "rb") as report:
        try:
            while (ended := os.waitpid(pid, os.WNOHANG))[0] != pid:
                meanwhile()
                signals.sleep(0.1)
        except Stopped:
            end_child(pid, patience)
            raise
        code = os.waitstatus_to_exitcode(ended[1])
        if code < 0:
            raise Killed(f"A process of the stack was ended by signal {-code}.")
        if code:
            _raise(report.read(), f"A step of the start ended with {code}.")


def run_in_background(function: Callable[[Callable[[], None]], int], log: Path) -> int:
    """Run a function in a session of its own; return once it calls what it is given.

    Until then it shares this process's stdin, stdout and stderr; from then on it has none of them:
    it writes to ``log``, and whoever reads our output sees its end.

    Returns:
        0 once the function has called; else the code that it returned without calling.

    Raises:
        JobchurnError: what the function raised before it called.
        StackFailed: the function failed in another way; its traceback went to stderr.
    """
    # Where a stop is asked for before both know of each other, neither is to come up alone.
    pid, pipe = _forked()
    if pid == 0:
        os.setsid()
        report = _Report(pipe)

        def let_go() -> None:
            _redirect(log)
            report.send(STARTED)

        def run() -> int:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
            return function(let_go)

        _end_with(run, report)
    with os.fdopen(pipe, "rb") as reader, StopSignals() as signals:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        said: bytes | None = None
        while said is None:
            said = _read(reader.fileno())
            if signals.received is not None:
                signals.received = None
                os.kill(pid, signal.SIGTERM)
                if said is not None and said.startswith(STARTED):
                    said = b""  # it is not to stay up
    # Each process that the function has made may call; two words in one piece are no other word.
    if said.startswith(STARTED):
        return 0
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if said or code:
        _raise(said, f"The stack ended with {code}.")
    return 0


def _forked() -> tuple[int, int]:
    """Fork, while requests to stop are held back, which each of the two lets through again.

    Returns:
        In the parent the child's number, and where to read its report; in the child 0, and where
        to write it.
    """
    reader, writer = os.pipe()
    _flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    pid = os.fork()
    mine, others = (reader, writer) if pid else (writer, reader)
    os.close(others)
    return pid, mine


def end_child(pid: int, patience: float = PATIENCE) -> None:
    """End a child of ours: ask, wait, and after ``patience`` seconds make it."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + patience
        while os.waitpid(pid, os.WNOHANG)[0] != pid:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


def _read(descriptor: int) -> bytes | None:
    """What a pipe says within a moment: ``None`` is nothing yet, ``b""`` its end."""
    ready, _, _ = select.select([descriptor], [], [], 0.1)
    return os.read(descriptor, 65536) if ready else None


class _Report:
    """The writing end of a pipe on which a child says one thing to its parent."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def send(self, content: bytes) -> bool:
        """Say it, where nothing was said yet and somebody listens; return whether it was."""
        if self._descriptor is None:
            return False
        try:
            os.write(self._descriptor, content)
        except BrokenPipeError:
            return False
        finally:
            os.close(self._descriptor)
            self._descriptor = None
        return True


def _end_with(function: Callable[[], object], report: _Report) -> NoReturn:
    """Run the function and end this process, even where its last words find no reader."""
    code = 1
    try:
        code = _outcome(function, report)
    finally:
        os._exit(code)


def _outcome(function: Callable[[], object], report: _Report) -> int:
    """Run the function; the exit code to end with. A foreseen failure is reported."""
    try:
        result = _translated(function)
    except JobchurnError as error:
        words = [type(error).__name__, error.message[:_LONGEST], error.cure[:_LONGEST]]
        content = json.dumps([*words, error.details], default=str).encode()
        if len(content) > _PIPE:
            content = json.dumps([*words, {}]).encode()
        if not report.send(content):
            sys.stderr.write(f"{error}\n")
        return error.exit_code
    except BaseException:  # noqa: BLE001 (a process ends here, with its traceback)
        traceback.print_exc()
        return 1
    finally:
        _flush()
    return result if isinstance(result, int) else 0


def _translated(function: Callable[[], object]) -> object:
    try:
        return function()
    except OSError as error:
        if (refusal := refusal_of(error)) is not None:
            raise refusal from error
        raise


def _raise(report: bytes, otherwise: str) -> None:
    """Raise the foreseen failure that a child reported, or say that it failed."""
    if not report:
        raise StackFailed(otherwise, "See what it printed above.")
    name, message, cure, details = json.loads(report)
    raise getattr(errors, name)(message, cure, details)


def _redirect(log: Path) -> None:
    _flush()
    nothing = os.open(os.devnull, os.O_RDONLY)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(nothing)
    os.close(target)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
