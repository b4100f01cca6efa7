"""The guard: the process that was started by hand, above the keeper.

It does almost nothing, so that little can befall it: it starts the keeper anew where that is
killed, and ends what the dead one left behind. It is told by the kernel what its descendants leave
(``become_subreaper``); the keeper is told when the guard dies, and then stops everything.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable

from jobchurn.errors import JobchurnError
from jobchurn.stack.apart import Killed, run_apart
from jobchurn.stack.display import Display
from jobchurn.stack.processes import Orphans, StopSignals, become_subreaper

STOP_SECONDS = 300.0
"""How long the keeper may take to stop everything; more than all services together."""

LONGEST_PAUSE = 60.0
"""Seconds between two keepers, at most; the first pause is of one second."""

STEADY_SECONDS = 60.0
"""A keeper that lived so long did not fall over at its start."""

Keep = Callable[[Callable[[], None], bool], None]
"""What a keeper does until it is asked to stop. Given what to call once all is up, and whether
another keeper before it had come so far."""


class Guard:
    """Sees to it that there is a keeper.

    Args:
        signals: requests to stop.
        display: where it is told that a keeper was killed.
        once_up: called here, once, when the first keeper has brought everything up.
    """

    def __init__(self, signals: StopSignals, display: Display, once_up: Callable[[], None]) -> None:
        self._signals = signals
        self._display = display
        self._once_up = once_up
        self._is_up = False
        self._heard, self._told = os.pipe()

    def keep(self, keep: Keep) -> None:
        """Have a keeper in a process of its own, and another one where it was killed.

        Raises:
            JobchurnError: what the first keeper raised before everything was up.
            Stopped: a stop was asked for; everything has ended.
        """
        become_subreaper()
        falls = 0
        while True:
            begun = time.monotonic()
            try:
                return run_apart(
                    lambda: keep(self._tell, self._is_up),
                    self._signals,
                    patience=STOP_SECONDS,
                    meanwhile=self._hear,
                )
            except Killed:
                self._display.note("the keeper was killed; starting everything anew")
            except JobchurnError as trouble:
                if not self._is_up:
                    raise
                self._display.note(f"the stack could not be started anew: {trouble}")
            finally:
                self._end_orphans()
            falls = falls + 1 if time.monotonic() - begun < STEADY_SECONDS else 1
            self._signals.sleep(min(falls, LONGEST_PAUSE))

    def _tell(self) -> None:
        """In the keeper: say that everything is up."""
        os.write(self._told, b".")

    def _hear(self) -> None:
        if not self._is_up and select.select([self._heard], [], [], 0)[0]:
            self._is_up = True
            self._once_up()

    def _end_orphans(self) -> None:
        # Where supervisord is among them, it stops its programs one after the other.
        orphans = Orphans()
        while orphans.end():
            time.sleep(0.1)
