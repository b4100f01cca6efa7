"""Processes: signals that ask for a stop, orphans, and whether a process lives.

Linux only: a *subreaper* is the process to which the kernel hands the orphans among its
descendants, however deep they were born and whatever session they made for themselves.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Container
from pathlib import Path
from types import FrameType
from typing import Any, Self

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a program to stop."""

PATIENCE = 30.0
"""Seconds that an orphan or an abandoned child may take to end once it was asked to."""

STOP_SECONDS = "STACK_STOP_SECONDS"
"""The variable that says so of a program of the stack, and of what it starts."""


class Stopped(Exception):
    """The person, or the system, asked the stack to stop."""


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
    prctl(PR_SET_CHILD_SUBREAPER, 1)


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


def prctl(option: int, value: int) -> None:
    """Ask the kernel for something about this process (prctl(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
