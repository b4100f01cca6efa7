"""Policy: where numbers become consequences. How bad a file is, and when a probability is a yes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from jobchurn.verdict import Verdict


class Criticality(StrEnum):
    """How much attention a checked file deserves, from least to most."""

    NONE = "none"
    """Every row is good."""
    LOW = "low"
    """Some rows are bad, fewer than the share for medium."""
    MEDIUM = "medium"
    """The share of bad rows reaches the one for medium."""
    HIGH = "high"
    """The file cannot be read, lacks a required column, or is bad for the greater part."""


def criticality_of(verdict: Verdict, *, medium: float, high: float) -> Criticality:
    """How critical a verdict is.

    Args:
        verdict: what checking the file found.
        medium: from which share of bad rows on, 0 to 1, the file is of medium criticality.
        high: from which it is of high criticality.
    """
    if verdict.refusal is not None or verdict.missing:
        return Criticality.HIGH
    if not verdict.rows_invalid:
        return Criticality.NONE
    if verdict.invalid_ratio >= high:
        return Criticality.HIGH
    return Criticality.MEDIUM if verdict.invalid_ratio >= medium else Criticality.LOW


@dataclass(frozen=True)
class DecisionPolicy:
    """Predicts a positive where that costs less than missing one.

    Calling a negative positive costs 1, missing a positive costs ``miss_cost``. Of a subject with
    probability p, calling it positive costs 1 - p on average and not doing so p x miss_cost, so
    that the cheapest threshold is 1 / (1 + miss_cost) (Elkan, "The Foundations of Cost-Sensitive
    Learning", 2001). That holds for calibrated probabilities only.

    Attributes:
        miss_cost: how many needless positives one missed positive costs; above 0.

    Raises:
        ValueError: ``miss_cost`` is no such number.
    """

    miss_cost: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.miss_cost) and self.miss_cost > 0):
            raise ValueError(f"the cost of a missed positive is {self.miss_cost}, not above 0")

    @cached_property
    def threshold(self) -> float:
        """The probability from which on the decision is 1."""
        return 1 / (1 + self.miss_cost)

    @cached_property
    def version(self) -> str:
        """The policy's name, kept with each prediction."""
        return f"miss-cost-{self.miss_cost:.15g}"

    def decide(self, probability: float) -> int:
        """1 where the probability reaches the threshold, else 0."""
        return int(probability >= self.threshold)

    def decide_all(self, probabilities: NDArray[np.float64]) -> NDArray[np.int8]:
        """The decision on each of many."""
        return (probabilities >= self.threshold).astype(np.int8)
