"""The process of supervisord, a child of the keeper's."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from jobchurn.errors import StackFailed
from jobchurn.stack import supervision
from jobchurn.stack.processes import StopSignals
from jobchurn.stack.record import Record, StackFolder

ANSWER_SECONDS = 30.0
"""How long it may take until it answers."""


class Supervisord:
    """One supervisord after the other, in one folder."""

    def __init__(self, folder: StackFolder) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._launched = 0.0

    def launch(self, record: Record, signals: StopSignals) -> None:
        """Start it; returns once it answers.

        Raises:
            StackFailed: it does not.
            Stopped: a stop was asked for.
        """
        listening = Path(record.socket)
        listening.unlink(missing_ok=True)
        self._launched = time.monotonic()
        # A session of its own: Ctrl-C is for the keeper alone to act on.
        self._process = subprocess.Popen(  # noqa: S603 (our own command)
            supervision.command(self._folder),
            env=supervision.environment(self._folder, listening),
            cwd=self._folder.logs,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + ANSWER_SECONDS
        while not record.answers():
            if not self.lives or time.monotonic() > deadline:
                raise StackFailed(
                    "supervisord did not start.", f"See {self._folder.log('supervisord')}."
                )
            signals.sleep(0.05)

    def end(self, *, by_force: bool = False) -> None:
        """Ask it to stop its programs and end, or, by force, end it at once, and it alone."""
        if self._process is None or not self.lives:
            return
        if by_force:
            self._process.kill()
            self._process.wait()
        else:
            self._process.terminate()

    @property
    def lives(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def own(self) -> set[int]:
        """Its process id, as a set: empty where it was never started."""
        return set() if self._process is None else {self._process.pid}

    @property
    def age(self) -> float:
        """How long ago it was started, in seconds."""
        return time.monotonic() - self._launched
