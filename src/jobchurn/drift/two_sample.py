"""Two samples: how surely, and how far, one is distributed otherwise than the other.

Everything here is symmetric in the two samples. scipy is imported where it is needed, since it is
slow to load and most processes that know a baseline never compare anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchurn.drift.baseline import NumberBaseline

LEAST_EXPECTED = 5
"""The fewest rows that a cell must be expected to hold for chi-square's distribution to be trusted
(Cochran, "Some methods for strengthening the common chi-square tests", 1954)."""

Counts = NDArray[np.int64]
"""How many rows of a sample lie in each cell."""


@dataclass(frozen=True, slots=True)
class Test:
    """The outcome of a test.

    Attributes:
        name: of the test.
        statistic: chi-square's sum, the greatest distance of Kolmogorov and Smirnov, or Fisher's
            odds ratio (``None`` where it is infinite).
        p_value: how probable at least so great a difference is where there is none.
    """

    name: str
    statistic: float | None
    p_value: float


def pooled(first: Counts, second: Counts) -> tuple[Counts, Counts]:
    """Both samples with their small cells made one.

    Small is a cell of which the smaller sample is expected to hold fewer than
    :data:`LEAST_EXPECTED` rows, were both distributed alike. Where even all of these together are
    small, the next smallest cell joins them, as long as two cells are left.
    """
    both = first + second
    # Cells that hold the same of both together differ in the first: the outcome knows no order.
    order = np.lexsort((first, both))
    order = order[both[order] > 0]
    first, second, both = first[order], second[order], both[order]
    if len(both) < 2:
        return first, second
    expected = both * (min(first.sum(), second.sum()) / both.sum())
    if expected[0] >= LEAST_EXPECTED:
        return first, second
    alone = int(np.searchsorted(expected, LEAST_EXPECTED))
    enough = int(np.searchsorted(np.cumsum(expected), LEAST_EXPECTED)) + 1
    joined = min(max(alone, enough), len(both) - 1)
    return (
        np.concatenate([[first[:joined].sum()], first[joined:]]),
        np.concatenate([[second[:joined].sum()], second[joined:]]),
    )


def independence(first: Counts, second: Counts) -> Test | None:
    """Whether two samples fill their cells alike: chi-square, or Fisher's exact test.

    The cells should be :func:`pooled`; where two are left and one of them is small, the exact test
    is made. ``None`` where there is nothing to tell apart: a sample is empty, or there is one cell.
    """
    from scipy import stats  # noqa: PLC0415

    both = first + second
    sizes = first.sum(), second.sum()
    if len(both) < 2 or min(sizes) == 0:
        return None
    if len(both) == 2 and both.min() * min(sizes) / both.sum() < LEAST_EXPECTED:
        odds, p_value = stats.fisher_exact([first, second])
        return Test("fisher", float(odds) if np.isfinite(odds) else None, float(p_value))
    ratio = np.sqrt(sizes[1] / sizes[0])
    statistic = float(np.sum((first * ratio - second / ratio) ** 2 / both))
    return Test("chi-square", statistic, float(stats.chi2.sf(statistic, len(both) - 1)))


def kolmogorov_smirnov(baseline: NumberBaseline, values: NDArray[np.float64]) -> Test | None:
    """Whether numbers are distributed as those of a baseline were.

    The distance is the greatest between the two distribution functions at the baseline's points,
    and just below them. Between points it may be greater by a percent, and ties make both
    functions jump; so the p-value, which is that of all distances of continuous numbers, errs on
    the side of quiet. ``None`` where there are no numbers on one side.

    Args:
        baseline: of the numbers to compare with.
        values: without blanks.
    """
    from scipy import stats  # noqa: PLC0415

    known = sum(baseline["counts"])
    if not known or not len(values):
        return None
    ordered = np.sort(values)
    points = np.array(baseline["points"])
    gaps = (
        np.array(baseline["below"]) / known
        - np.searchsorted(ordered, points, "left") / len(values),
        np.array(baseline["through"]) / known
        - np.searchsorted(ordered, points, "right") / len(values),
    )
    distance = float(np.abs(gaps).max())
    # As scipy.stats.ks_2samp does: the distribution for one sample of the effective size.
    effective = max(1, round(known * len(values) / (known + len(values))))
    return Test("kolmogorov-smirnov", distance, float(stats.kstwo.sf(distance, effective)))


def total_variation(first: Counts, second: Counts) -> float | None:
    """The share of rows that would have to change their cell for both samples to be alike, 0 to 1.

    ``None`` where a sample is empty.
    """
    if not first.sum() or not second.sum():
        return None
    return float(np.abs(first / first.sum() - second / second.sum()).sum() / 2)


def psi(first: Counts, second: Counts) -> float | None:
    """The population stability index: Σ (p - q) ln(p / q) over the cells. ``None`` for no rows.

    So that an empty cell does not make it infinite, half a row for each cell is added to either
    sample, spread as both together are; samples distributed alike keep an index of 0.
    """
    both = first + second
    first, second, both = first[both > 0], second[both > 0], both[both > 0]
    if not first.sum() or not second.sum():
        return None
    added = both / both.sum() * len(both) / 2
    p = (first + added) / (first + added).sum()
    q = (second + added) / (second + added).sum()
    return float(np.sum((p - q) * np.log(p / q)))
