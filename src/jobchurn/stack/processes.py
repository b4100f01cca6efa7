"""Processes: signals that ask for a stop, orphans, and functions run in a process of their own.

Linux only: a *subreaper* is the process to which the kernel hands the orphans among its
descendants, however deep they were born and whatever session they made for themselves.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Container
from pathlib import Path
from types import FrameType
from typing import Any, Self

from jobchurn import errors
from jobchurn.errors import JobchurnError, StackFailed, refusal_of

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a program to stop."""

STARTED = b"started"
"""What a function in the background reports when it lets go of the terminal."""

PATIENCE = 30.0
"""Seconds that an orphan or an abandoned child may take to end once it was asked to."""

STOP_SECONDS = "STACK_STOP_SECONDS"
"""The variable that says so of a program of the stack, and of what it starts."""


class Stopped(Exception):
    """The person, or the system, asked the stack to stop."""


class Killed(StackFailed):
    """A process that was to report its end was killed before it could."""


class StopSignals:
    """While entered, SIGINT, SIGTERM and SIGHUP ask for a stop in place of ending the process."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._former: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in STOPPING:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # nohup: this is to outlive the terminal
            self._former[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise :class:`Stopped` where a stop was asked for."""
        if self.received is not None:
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Sleep, but not past a request to stop.

        Raises:
            Stopped: a stop was asked for.
        """
        deadline = time.monotonic() + seconds
        self.check()
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))
            self.check()

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self.received = signal.Signals(number)


def become_subreaper() -> None:
    """Have the kernel hand the orphans among this process's descendants to it."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def children() -> set[int]:
    """The process ids of this process's children, the ended but unreaped among them."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in parentheses, may hold anything; the parent is the second field after it.
            parent = int(status.read_text(errors="replace").rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue  # it has ended in between
        if parent == os.getpid():
            found.add(int(status.parent.name))
    return found


class Orphans:
    """Children that this process did not start but inherited: asked to end, in time made to.

    How long each may take stands in its environment (:data:`STOP_SECONDS`).
    """

    def __init__(self) -> None:
        self._asked: dict[int, float] = {}

    def end(self, own: Container[int] = ()) -> set[int]:
        """Take one step towards the end of every orphan; return those that still live.

        Args:
            own: children that were started here and are left alone.
        """
        now = time.monotonic()
        living = {pid for pid in children() if pid not in own and not reaped(pid)}
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                if pid not in self._asked:
                    os.kill(pid, signal.SIGTERM)
                elif now - self._asked[pid] > patience_with(pid):
                    os.kill(pid, signal.SIGKILL)
        self._asked = {pid: self._asked.get(pid, now) for pid in living}
        return living


def patience_with(pid: int) -> float:
    """How many seconds a process may take to end, as its environment has it; else a default.

    Many a program fails to end by itself once nobody reads what it says about that.
    """
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # another user's, or it has ended in between
        return PATIENCE
    name = f"{STOP_SECONDS}=".encode()
    found = next((one.removeprefix(name) for one in variables if one.startswith(name)), b"")
    return float(found) if found.isdigit() else PATIENCE


def reaped(pid: int) -> bool:
    """Whether the child has ended; it is no longer a child then."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def lives(pid: int) -> bool:
    """Whether a process runs: there is one of that id, and it has not ended unnoticed (proc(5))."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


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
    reader, writer = os.pipe()
    _flush()
    # No signal may meet the child while it still has our handlers, which would only note it.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        for number in STOPPING:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)
        os._exit(_outcome(function, _Report(writer)))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    os.close(writer)
    with os.fdopen(reader, "rb") as report:
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
    reader, writer = os.pipe()
    _flush()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        os.setsid()
        report = _Report(writer)

        def let_go() -> None:
            _redirect(log)
            report.send(STARTED)

        os._exit(_outcome(lambda: function(let_go), report))
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe, StopSignals() as signals:
        while (said := _read(pipe.fileno())) is None:
            if signals.received is not None:
                signals.received = None
                os.kill(pid, signal.SIGTERM)
    if said == STARTED:
        return 0
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if said or code:
        _raise(said, f"The stack ended with {code}.")
    return 0


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


def _outcome(function: Callable[[], object], report: _Report) -> int:
    """Run the function; the exit code to end with. A foreseen failure is reported."""
    try:
        result = _translated(function)
    except JobchurnError as error:
        content = [type(error).__name__, error.message, error.cure, error.details]
        if not report.send(json.dumps(content, default=str).encode()):
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


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
