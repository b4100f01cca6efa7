"""Gives an empty home data, raw files, a model and first results, as ``jobchurn up`` does."""

from __future__ import annotations

import sys

from jobchurn import wiring
from jobchurn.flow import feed, start


def main() -> None:
    """Make what is absent."""
    with wiring.services() as services:
        start.prepare(services, _tell)
        feed.feed_first(services, _tell)


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
