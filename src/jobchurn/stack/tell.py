"""Telling people that a service fails again and again, through the channels of alerts.

``python -m jobchurn.stack.tell HOME`` is started by :mod:`.teller`, for the keeper. No database is
asked: it may be what fails. Each channel goes its own way: one that fails is tried again, and the
others hear at once what happens meanwhile.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jobchurn.notify import Notifier
from jobchurn.notify.message import Fact, Link, Tone, shown_moment
from jobchurn.settings import read_settings
from jobchurn.stack.history import Event, Turn
from jobchurn.stack.record import StackFolder
from jobchurn.stack.untold import Told, of_line
from jobchurn.wiring import notifier

RULE = "service-failing"
"""By what name people are told of it."""

TRIES = 10
FIRST_WAIT_SECONDS = 30.0
"""After the first try that failed; the wait doubles from try to try."""

POLL_SECONDS = 0.5
"""From one look at what there is to tell to the next."""


@dataclass(frozen=True)
class ServiceAlert:
    """What people are told of a service: no line of its log, which may hold anything."""

    event: Event

    @property
    def headline(self) -> str:
        """The matter in one sentence."""
        if self.event.turn is Turn.OVER:
            return f"Over: {self.event.service} fails"
        return f"Critical: {self.event.service} fails"

    @property
    def title(self) -> str:
        """The headline, which stands alone."""
        return self.headline

    @property
    def tone(self) -> Tone:
        """Good where it is over."""
        return Tone.GOOD if self.event.turn is Turn.OVER else Tone.URGENT

    @property
    def explanation(self) -> str:
        """What was seen, and where to look."""
        seen = f"{self.event.text[:1].upper()}{self.event.text[1:]}."
        if self.event.turn is Turn.OVER:
            return seen
        name = self.event.service
        return f"{seen} Look at `jobchurn status` and `jobchurn logs {name}` on its machine."

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Which service, when, and by what name this is told."""
        at = datetime.fromtimestamp(self.event.at, UTC)
        return (
            Fact("Service", self.event.service),
            Fact("At", shown_moment(at)),
            Fact("Rule", RULE),
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """Nothing more."""
        return ()

    @property
    def table(self) -> None:
        """Nothing: there are no lines."""
        return

    @property
    def unlisted(self) -> str:
        """Nothing is left out."""
        return ""

    @property
    def links(self) -> tuple[Link, ...]:
        """Nowhere: what would answer there may be what fails."""
        return ()


def main() -> int:
    """Tell every channel of the events on stdin, until that has ended and none is at work."""
    folder = StackFolder(Path(sys.argv[1]))
    channels = notifier(read_settings())
    told = Told(folder.told, channels.channels)
    heard: dict[int, Event] = {}
    is_all = threading.Event()
    threading.Thread(target=_hear, args=(heard, is_all), daemon=True).start()
    at_work: dict[str, threading.Thread] = {}
    while True:
        is_over, events = is_all.is_set(), dict(heard)
        for channel in channels.channels:
            behind = told.last(channel) < max(events, default=0)
            if behind and (channel not in at_work or not at_work[channel].is_alive()):
                # A daemon: one that hangs must not keep the process from ending.
                at_work[channel] = threading.Thread(
                    target=_tell, args=(channels, channel, events, told), daemon=True
                )
                at_work[channel].start()
        is_idle = not any(thread.is_alive() for thread in at_work.values())
        if told.is_kept() and is_idle and is_over:
            return 0
        time.sleep(POLL_SECONDS)


def _hear(heard: dict[int, Event], is_all: threading.Event) -> None:
    """Take down the events on stdin as they come."""
    for line in sys.stdin:
        number, event = of_line(line)
        heard[number] = event
    is_all.set()


def _tell(channels: Notifier, channel: str, events: dict[int, Event], told: Told) -> None:
    """Tell one channel what it was not told yet, in order."""
    for number, event in sorted(events.items()):
        if number > told.last(channel):
            _deliver(channels, channel, ServiceAlert(event))
            told.mark(channel, number)


def _deliver(channels: Notifier, channel: str, message: ServiceAlert) -> None:
    """Tell one channel; after ten tries it is given up."""
    for number in range(TRIES):
        [delivery] = channels.deliver(message, [channel])
        if delivery.ok:
            return
        sys.stderr.write(f"{message.headline}: {channel} failed: {delivery.error}\n")
        sys.stderr.flush()
        if number + 1 < TRIES:
            time.sleep(FIRST_WAIT_SECONDS * 2**number)


if __name__ == "__main__":
    sys.exit(main())
