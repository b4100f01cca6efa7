"""Telling people that a service fails again and again, through the channels of alerts.

``python -m jobchurn.stack.tell`` is started by :mod:`.teller`, for the keeper. No database is
asked: it may be what fails.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from jobchurn.notify.message import Fact, Link, Tone, shown_moment
from jobchurn.settings import read_settings
from jobchurn.stack.history import Event, Turn
from jobchurn.wiring import notifier

RULE = "service-failing"
"""By what name people are told of it."""

TRIES = 10
FIRST_WAIT_SECONDS = 30.0
"""After the first try that failed; the wait doubles from try to try."""


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
    """Tell of the event on stdin; a channel that fails is tried again."""
    given = json.loads(sys.stdin.read())
    message = ServiceAlert(Event(**given | {"turn": given["turn"] and Turn(given["turn"])}))
    channels = notifier(read_settings())
    left = list(channels.channels)
    for number in range(TRIES):
        failed = [done for done in channels.deliver(message, left) if not done.ok]
        if not failed:
            return 0
        left = [delivery.channel for delivery in failed]
        for delivery in failed:
            sys.stderr.write(f"{message.headline}: {delivery.channel} failed: {delivery.error}\n")
        sys.stderr.flush()
        if number + 1 < TRIES:
            time.sleep(FIRST_WAIT_SECONDS * 2**number)
    return 1


if __name__ == "__main__":
    sys.exit(main())
