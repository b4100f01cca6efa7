"""The keeper's mouth: it has people told of a service that fails, by a process that does it.

The keeper stays small, and a channel that hangs delays nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from dataclasses import asdict

from jobchurn.settings import Settings
from jobchurn.stack.history import Event
from jobchurn.stack.supervision import TIED


class Teller:
    """Has people told of one event after the other, in the order in which they happened.

    Args:
        settings: the environment's; without a channel in it nobody is told.
    """

    def __init__(self, settings: Settings) -> None:
        self._has_channels = bool(settings.teams_webhook or settings.alert_urls)
        self._waiting: deque[Event] = deque()
        self._process: subprocess.Popen[bytes] | None = None

    def tell(self, event: Event) -> None:
        """Have people told of it, once what came before it has been told or given up."""
        if self._has_channels:
            self._waiting.append(event)

    @property
    def own(self) -> set[int]:
        """The process that is at it, if any."""
        if self._process is None or self._process.poll() is not None:
            return set()
        return {self._process.pid}

    def step(self) -> None:
        """Begin with the next where there is one, and none is at work."""
        if self.own or not self._waiting:
            return
        event = self._waiting.popleft()
        self._process = subprocess.Popen(  # noqa: S603 (our own command)
            [*TIED, sys.executable, "-m", "jobchurn.stack.tell"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        if self._process.stdin is not None:
            with self._process.stdin as pipe:
                pipe.write(json.dumps(asdict(event)).encode())
