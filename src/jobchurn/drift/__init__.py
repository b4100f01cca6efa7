"""Drift: whether later data and scores still look as they did when the model was trained.

A :class:`Baseline` is taken at training and travels in the model's card. :func:`compare` holds a
window of later rows against it and decides, feature by feature. Pure: numbers in, numbers out.
Loads scipy only once something is compared, so that what just reads a card does without.
"""

from jobchurn.drift.baseline import Baseline, LevelBaseline, NumberBaseline, baseline_of
from jobchurn.drift.compare import compare, unseen
from jobchurn.drift.decide import ALPHA, LEAST_EFFECT, Decision, FeatureDrift

__all__ = [
    "ALPHA",
    "LEAST_EFFECT",
    "Baseline",
    "Decision",
    "FeatureDrift",
    "LevelBaseline",
    "NumberBaseline",
    "baseline_of",
    "compare",
    "unseen",
]
