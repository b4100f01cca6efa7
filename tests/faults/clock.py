"""A clock that can be moved under running processes, by libfaketime.

Only the time of day is moved, as it is where somebody sets it: what counts from the start of the
machine goes on, and files keep the times that they have.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

DAY = 86_400

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (where the library keeps its own)


class Clock:
    """The time of day of every process that is started with :attr:`environment`.

    Args:
        file: where it is kept by how much the clock is wrong; those processes' users can read it.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.move(0)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def move(self, days: float) -> None:
        """Set the clock to so many days off the right time."""
        draft = self._file.with_suffix(".draft")
        draft.write_text(f"{days * DAY:+.0f}\n")
        draft.rename(self._file)


def sweep() -> None:
    """Remove what libfaketime has left in memory of processes that were killed."""
    for path in _SHARED_MEMORY.glob("*faketime_*_*"):
        process = path.name.rpartition("_")[2]
        if not Path(f"/proc/{process}").exists():
            path.unlink(missing_ok=True)


def sleep_by_waiting() -> None:
    """Let this process sleep otherwise: libfaketime 0.9.10 has no mind for Python's own way.

    To the kernel's clock_nanosleep it hands moments of one clock as those of another.
    """
    if "FAKETIME_TIMESTAMP_FILE" in os.environ:
        time.sleep = lambda seconds: threading.Event().wait(seconds) and None


def _library() -> Path:
    """Where the library lies; without it the test is skipped."""
    for found in sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")):
        return found
    pytest.skip("libfaketime is not installed")
