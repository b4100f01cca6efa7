"""Measuring in turns: on a shared machine only what was measured side by side can be compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles


@dataclass(frozen=True)
class Spread:
    """A median, and the quartiles around it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of some values, at least one; between two neighbours it is interpolated."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        return cls(*quantiles(values, n=4, method="inclusive"))


def by_turns(
    sides: Mapping[str, Callable[[], float]], *, rounds: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Measure each side once in every round, in turn forwards and backwards.

    So each is measured under the same conditions as the others, and none always comes first.

    Args:
        sides: what to measure, by name. Each call measures once and returns what it found, in any
            unit: a time, a rate, a size.
        rounds: how many are kept.
        warm_up: how many come before them and are thrown away.

    Returns:
        What was found, for each side, in the order of the rounds.
    """
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(-warm_up, rounds):
        for name in sides if number % 2 == 0 else reversed(list(sides)):
            value = sides[name]()
            if number >= 0:
                found[name].append(value)
    return found


def ratio(above: Sequence[float], below: Sequence[float]) -> Spread:
    """How many times ``below`` goes into ``above``: median and quartiles of the rounds' ratios.

    What the machine does besides changes from one round to the next, and less within one; it
    cancels in the ratio of a round, and not in that of two medians.

    Raises:
        ValueError: they are not of the same rounds.
    """
    return Spread.of([one / other for one, other in zip(above, below, strict=True)])


def seconds_of(work: Callable[[], object]) -> Callable[[], float]:
    """A side that tells how long ``work`` takes, in seconds."""

    def measure() -> float:
        begun = time.perf_counter()
        work()
        return time.perf_counter() - begun

    return measure
