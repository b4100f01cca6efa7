"""Keeps raw files arriving in a demonstration (``DEMO=1``), so that it does not run dry."""

from __future__ import annotations

import os
import sys
import time

from jobchurn import wiring
from jobchurn.flow.feed import top_up

SECONDS = 30.0


def main() -> None:
    """Feed the raw folder until stopped."""
    if os.environ.get("DEMO") != "1":
        _tell("Not a demonstration (DEMO=1): nothing to feed.")
        return
    with wiring.services() as services:
        while True:
            top_up(services, _tell)
            time.sleep(SECONDS)


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
