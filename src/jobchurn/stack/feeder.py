"""Keeps raw files arriving while a demonstration runs: ``python -m jobchurn.stack.feeder``."""

from __future__ import annotations

import signal
import sys
import time

from jobchurn import wiring
from jobchurn.flow.feed import top_up

PAUSE_SECONDS = 30.0


def main() -> None:
    """Add raw files whenever few are waiting, until asked to end."""
    # An exit, and not the signal's own end: files that are half made are removed on the way.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with wiring.services(migrate=False) as services:
        while True:
            top_up(services, _say)
            time.sleep(PAUSE_SECONDS)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
