"""The keeper's mouth: it has people told of services that fail, by a process that does it.

The keeper stays small, and a channel that hangs delays nothing. What is to be told is written down
first: a keeper that is killed takes no word of it along.
"""

from __future__ import annotations

import subprocess
import sys

from jobchurn.settings import Settings
from jobchurn.stack.history import Event
from jobchurn.stack.record import StackFolder
from jobchurn.stack.supervision import TIED
from jobchurn.stack.untold import read_told, read_untold, write_untold

AGAIN_SECONDS = 30.0
"""From a process that was ended before it was done, or could not be begun, to the next one."""


class Teller:
    """Has people told of one event after the other, in the order in which they happened.

    Args:
        settings: the environment's; without a channel in it nobody is told.
        folder: where it is kept what is still to be told, by a keeper before this one too.
    """

    def __init__(self, settings: Settings, folder: StackFolder) -> None:
        self._has_channels = bool(settings.teams_webhook or settings.alert_urls)
        self._folder = folder
        self._untold = read_untold(folder.untold) if self._has_channels else {}
        self._process: subprocess.Popen[bytes] | None = None
        self._due = float("-inf")

    def tell(self, event: Event) -> None:
        """Have people told of it, in each channel once it is done with what came before."""
        if self._has_channels:
            told = read_told(self._folder.told).values()
            self._untold[1 + max([*self._untold, *told], default=0)] = event
            write_untold(self._folder.untold, self._untold)

    @property
    def own(self) -> set[int]:
        """The process that is at it, if any."""
        if self._process is None or self._process.poll() is not None:
            return set()
        return {self._process.pid}

    def step(self, now: float) -> None:
        """Begin where there is something to tell; one that is at work sees by itself what is new.

        Args:
            now: in seconds, of a clock that never goes back.
        """
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            self._process = None
            self._due = now + AGAIN_SECONDS if code else now
            self._forget_told()
        if self._untold and now >= self._due:
            self._begin(now)

    def _forget_told(self) -> None:
        """Leave out what is done with in every channel."""
        done = min(read_told(self._folder.told).values(), default=0)
        left = {number: event for number, event in self._untold.items() if number > done}
        if left != self._untold:
            self._untold = left
            write_untold(self._folder.untold, left)

    def _begin(self, now: float) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our own command)
                [*TIED, sys.executable, "-m", "jobchurn.stack.tell", str(self._folder.home)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as trouble:  # no memory, or too many processes: the services must not fall
            sys.stderr.write(f"nobody can be told that a service fails: {trouble}\n")
            self._due = now + AGAIN_SECONDS
