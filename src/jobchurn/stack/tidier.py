"""The keeper's broom: it has the database's owner tidy up, by a process that does it.

Services have roles that may not remove predictions, nor make partitions for them. What may is the
owner, in whose name the stack was started; so this is neither a service nor a job of Airflow's.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from jobchurn.stack.history import Event, Turn
from jobchurn.stack.supervision import TIED

NAME = "tidy"
"""What its log, and what is told of it, are called."""

DAY_SECONDS = 24 * 3600.0
"""From one time to the next."""

AGAIN_SECONDS = 3600.0
"""From one that failed to the next try."""

LARGEST_LOG = 1_000_000
"""Bytes from which on a log is begun anew."""


class Tidier:
    """Runs the command at once, and once a day; a failure is an event, and so is its end.

    Args:
        environment: what the command finds, the address of the database among it.
        log: where its words go.
        command: by default ``jobchurn tidy``.
        failing: whether people were told that it fails, by a keeper before this one.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        log: Path,
        command: tuple[str, ...] = (sys.executable, "-m", "jobchurn.cli", "tidy"),
        *,
        failing: bool = False,
    ) -> None:
        self._environment = environment
        self._log = log
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._due = float("-inf")
        self._failing = failing

    def step(self, now: float) -> list[Event]:
        """Begin where it is time, see to the end of what was begun; what is news.

        Args:
            now: in seconds, of a clock that never goes back.
        """
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return []
            self._process = None
            self._due = now + (AGAIN_SECONDS if code else DAY_SECONDS)
            return self._turned(f"`jobchurn tidy` ended with {code}" if code else "")
        if now < self._due:
            return []
        try:
            self._begin()
        except OSError as trouble:  # no memory, or too many processes: the services must not fall
            self._due = now + AGAIN_SECONDS
            return self._turned(f"`jobchurn tidy` could not be begun: {trouble.strerror}")
        return []

    @property
    def own(self) -> set[int]:
        """The process that is at it, if any."""
        return set() if self._process is None else {self._process.pid}

    def _begin(self) -> None:
        too_large = self._log.exists() and self._log.stat().st_size > LARGEST_LOG
        with self._log.open("wb" if too_large else "ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (our own command)
                [*TIED, *self._command],
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _turned(self, trouble: str) -> list[Event]:
        """What is told: once that it fails, and once that it no longer does."""
        if bool(trouble) is self._failing:
            return []
        self._failing = bool(trouble)
        if trouble:
            # No line of its log: this is told to people elsewhere, too.
            text = f"the database is not tidied up: {trouble}"
            return [Event(NAME, text, Turn.FAILING, time.time())]
        return [Event(NAME, "the database is tidied up again", Turn.OVER, time.time())]
