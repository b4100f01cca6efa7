"""A scene in which one worker after the other dies, and the last one has to make good."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faults.boundaries import Death
from faults.nursery import Life, Nursery
from faults.promises import Delivery, broken_promises, delivery

MOST_LIVES = 3
"""How many workers may be needed to make good; one is enough, unless a machine is very slow."""


@dataclass
class Scene:
    """A home and a database, in which deliveries come one after the other."""

    nursery: Nursery
    home: Path
    database: str
    deliveries: list[Delivery] = field(default_factory=list)

    def deliver(self) -> Delivery:
        """Let a new file arrive."""
        one = delivery(len(self.deliveries))
        self.deliveries.append(one)
        (self.home / "data" / "raw_data" / one.name).write_bytes(one.content)
        return one

    def live(self, death: Death | None = None, plant: str | None = None) -> Life:
        return self.nursery.live(self.home, self.database, death, plant)

    def trace(self) -> list[str]:
        """The boundaries of a life without death, over one file."""
        self.deliver()
        life = self.live()
        assert life.code == 0, life.said
        return life.trace

    def broken_by(self, *deaths: Death, plant: str | None = None) -> list[str]:
        """Let a file arrive, workers die over it, and the next one make good: what is broken."""
        one = self.deliver()
        broken = []
        for death in deaths:
            life = self.live(death, plant)
            if life.code not in (-signal.SIGKILL, 0):
                broken.append(f"a worker failed before it was to die: {life.said}")
        life = self.live(plant=plant)
        if life.code != 0:
            broken.append(f"the worker that was to make good failed: {life.said}")
        return broken + broken_promises(self.home, self.database, [one])


def singles(boundaries: int, *, power: bool) -> list[Death]:
    """A death before and after each boundary."""
    return [
        Death(number, after, power)
        for number in range(1, boundaries + 1)
        for after in (False, True)
    ]


def spread(deaths: Sequence[Death], count: int) -> list[Death]:
    """So many of them, evenly from first to last."""
    step = max(1, len(deaths) // count)
    return list(deaths)[::step][:count]
