"""Decide: which differences are worth a warning, and which a page.

Three questions in turn. Is it surer than chance, given how much was tested in the window? Is it
large enough to matter, however many rows made it sure? Was it there in the window before, too?
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from jobchurn.drift.two_sample import Test

ALPHA = 0.01
"""How often a window without any drift may warn, at most: one in a hundred."""

LEAST_EFFECT = 0.03
"""How large a difference must be. Three rows in a hundred would have to change for the window to
look like training; of numbers, this is the distance of the distribution functions."""


class Decision(IntEnum):
    """What is to be done about a feature; greater is graver."""

    QUIET = 0
    WARN = 1
    """It differs from training in this window: to be seen by whoever looks."""
    PAGE = 2
    """It did in the window before, too: somebody is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was found of one feature, before anything is decided.

    Attributes:
        feature: the column's name; of the score ``score``.
        kind: the column's kind; of the score ``score``.
        known: the test of the values that are not blank, or ``None`` where none could be made.
        blank: that of the share of blanks; ``None`` also where blanks are refused and none came.
        effect, psi, missing, missing_baseline, mean, shift: see :class:`FeatureDrift`.
    """

    feature: str
    kind: str
    known: Test | None
    blank: Test | None
    effect: float | None
    psi: float | None
    missing: float
    missing_baseline: float
    mean: float | None = None
    shift: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDrift:
    """How one feature of a window compares with training, and what follows.

    Attributes:
        feature: the column's name; of the score ``score``.
        kind: the column's kind; of the score ``score``.
        test: ``chi-square``, ``fisher`` or ``kolmogorov-smirnov``, of the values that are not
            blank; ``None`` where there was nothing to compare. So are its statistic and p-value.
        statistic: see :class:`jobchurn.drift.two_sample.Test`.
        p_value: of that test alone.
        missing_p_value: of the test of the share of blanks, alone; ``None`` where there was none.
        p_adjusted: the lesser of the two after Holm's correction over the window; 1 without any.
        effect: the total variation distance of levels, or the Kolmogorov-Smirnov distance of
            numbers, from 0 to 1, over what is not blank; ``None`` where a side is.
        psi: the population stability index, blank being a level; ``None`` where a side is empty.
        missing, missing_baseline: the share of blanks in the window, and in training.
        mean: of the window's numbers.
        shift: that less the mean of training, in standard deviations of training; ``None`` where
            these are 0.
        decision: what follows.
    """

    feature: str
    kind: str
    test: str | None
    statistic: float | None
    p_value: float | None
    missing_p_value: float | None
    p_adjusted: float
    effect: float | None
    psi: float | None
    missing: float
    missing_baseline: float
    mean: float | None
    shift: float | None
    decision: Decision


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for being many, in the same order.

    To reject where the corrected value is at most α is to err anywhere at all in at most α of the
    windows, however the tests depend on each other (Holm, "A simple sequentially rejective multiple
    test procedure", 1979).
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values)
    stepped = values[order] * np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    found: list[float] = corrected.tolist()
    return found


def decide(
    comparisons: Sequence[Comparison], drifted_before: Collection[tuple[str, str]]
) -> list[FeatureDrift]:
    """Decide on every feature of a window, in the same order.

    Args:
        comparisons: of all features of the window, since the correction is over all of them.
        drifted_before: (kind, feature) of those that warned or paged in the window before.
    """
    tests = [(c.known, c.blank) for c in comparisons]
    corrected = iter(holm([test.p_value for pair in tests for test in pair if test is not None]))
    return [
        _decided(
            comparison,
            *(1.0 if test is None else next(corrected) for test in pair),
            before=(comparison.kind, comparison.feature) in drifted_before,
        )
        for comparison, pair in zip(comparisons, tests, strict=True)
    ]


def _decided(found: Comparison, p_known: float, p_blank: float, *, before: bool) -> FeatureDrift:
    effects = (p_known, found.effect or 0.0), (p_blank, abs(found.missing - found.missing_baseline))
    drifted = any(p <= ALPHA and effect >= LEAST_EFFECT for p, effect in effects)
    return FeatureDrift(
        feature=found.feature,
        kind=found.kind,
        test=None if found.known is None else found.known.name,
        statistic=None if found.known is None else found.known.statistic,
        p_value=None if found.known is None else found.known.p_value,
        missing_p_value=None if found.blank is None else found.blank.p_value,
        p_adjusted=min(p_known, p_blank),
        effect=found.effect,
        psi=found.psi,
        missing=found.missing,
        missing_baseline=found.missing_baseline,
        mean=found.mean,
        shift=found.shift,
        decision=Decision(drifted + (drifted and before)),
    )
