"""The keeper's mouth: it has people told of services that fail, by a process that does it.

The keeper stays small, and a channel that hangs delays nothing. What is to be told is written down,
too: a keeper that is killed takes no word of it along.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress

from jobchurn.settings import Settings
from jobchurn.stack.history import Event
from jobchurn.stack.record import StackFolder
from jobchurn.stack.supervision import TIED
from jobchurn.stack.untold import line_of, read_told, read_untold, said_once, write_untold

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
        self._kept = dict(self._untold)
        self._trouble: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._due = float("-inf")

    def tell(self, event: Event) -> None:
        """Have people told of it, in each channel once it is done with what came before."""
        if not self._has_channels:
            return
        number = 1 + max([*self._untold, *read_told(self._folder.told).values()], default=0)
        self._untold[number] = event
        self._keep()
        self._say({number: event})

    @property
    def own(self) -> set[int]:
        """The process that is at it, if any."""
        if self._process is None or self._process.poll() is not None:
            return set()
        return {self._process.pid}

    def step(self, now: float) -> None:
        """Begin where there is something to tell, end where all is told.

        Args:
            now: in seconds, of a clock that never goes back.
        """
        if not self._has_channels:
            return
        done = min(read_told(self._folder.told).values(), default=0)
        self._untold = {n: event for n, event in self._untold.items() if n > done}
        self._keep()
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                if not self._untold and self._process.stdin is not None:
                    self._process.stdin.close()
                return
            self._process = None
            self._due = now + AGAIN_SECONDS if code else now
        if self._untold and now >= self._due:
            self._begin(now)

    def _keep(self) -> None:
        """Write down what is still to be told; on a full disk that waits, and people do not."""
        if self._kept == self._untold:
            return
        try:
            write_untold(self._folder.untold, self._untold)
        except OSError as trouble:
            self._trouble = said_once(self._trouble, trouble)
        else:
            self._kept, self._trouble = dict(self._untold), None

    def _say(self, events: Mapping[int, Event]) -> None:
        """Tell the process that is at work; after one that is about to end, the next is told."""
        pipe = None if self._process is None else self._process.stdin
        if pipe is not None and not pipe.closed:
            with suppress(BrokenPipeError):
                pipe.write("".join(line_of(n, event) for n, event in events.items()).encode())
                pipe.flush()

    def _begin(self, now: float) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our own command)
                [*TIED, sys.executable, "-m", "jobchurn.stack.tell", str(self._folder.home)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as trouble:  # no memory, or too many processes: the services must not fall
            sys.stderr.write(f"nobody can be told that a service fails: {trouble}\n")
            self._due = now + AGAIN_SECONDS
        else:
            self._say(self._untold)
