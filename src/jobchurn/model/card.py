"""The card: what a model is, what it learnt from and how good it is, as JSON beside its trees."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypedDict

from jobchurn.drift import Baseline


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling: the probability of a raw score s is 1 / (1 + exp(-(slope s + intercept))).

    (Platt, "Probabilistic outputs for support vector machines", 1999.)
    """

    slope: float
    intercept: float


class Confusion(TypedDict):
    """How many rows were decided how: true and false, negatives and positives."""

    tn: int
    fp: int
    fn: int
    tp: int


class CrossValidation(TypedDict):
    """Means over folds, each scored by a model that saw none of it."""

    folds: int
    roc_auc: float
    log_loss: float
    ece: float
    roc_auc_by_fold: list[float]


class Metrics(TypedDict):
    """How good the model is on rows held out of its training.

    Attributes:
        rows, positives: of the hold-out.
        roc_auc: with its 95% interval (DeLong et al., 1988) in ``roc_auc_low``, ``roc_auc_high``.
        pr_auc: average precision.
        log_loss, brier: proper scores; lower is better.
        ece: expected calibration error over 10 bins of equal width.
        threshold: the probability from which on a row counts as positive in what follows.
        precision, recall, f1, confusion: of decisions at that threshold.
        cross_validation: the same procedure over all rows, in folds.
    """

    rows: int
    positives: int
    roc_auc: float
    roc_auc_low: float
    roc_auc_high: float
    pr_auc: float
    log_loss: float
    brier: float
    ece: float
    threshold: float
    precision: float
    recall: float
    f1: float
    confusion: Confusion
    cross_validation: CrossValidation


class CalibrationBin(TypedDict):
    """Rows whose probability lies in one of 10 bins of equal width.

    Attributes:
        low, high: the bin's bounds.
        rows: how many.
        predicted: their mean probability.
        observed: the share of them that is positive.
    """

    low: float
    high: float
    rows: int
    predicted: float
    observed: float


class Group(TypedDict):
    """How one group of people fares; for audit, since the model does not see the column.

    Attributes:
        column: a protected column.
        level: its value; ``None`` is blank.
        rows: how many.
        observed: the share that is positive.
        selected: the share decided positive at the card's threshold.
        recall: the share of positives decided positive; ``None`` where there are none.
        gap: ``selected`` less that of the largest group.
    """

    column: str
    level: str | None
    rows: int
    observed: float
    selected: float
    recall: float | None
    gap: float


FORM = 2
"""The form of today's cards, raised whenever they say more of training than before: a model that is
trained again is then another version, with a card that has it. The second one has all of the
baseline that drift is measured by."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """All that is known of a model version.

    Attributes:
        version: see :func:`version_of`.
        contract: the name of the contract it follows.
        fingerprint: that contract's fingerprint.
        features: the columns that the trees see, in the order of their numbers.
        levels: open text column → the levels that training saw, in the order of their codes.
        calibration: from raw scores to probabilities.
        data_sha256: of the canonical values that training saw, row after row.
        rows, positives: of the training data.
        metrics: on rows held out; the model itself then learnt from all rows.
        calibration_bins, groups: over all rows, each scored by a model that did not see it.
        importance: feature → mean size of its contribution to the score.
        baseline: the distribution of the inputs, and of the model's own scores of these rows.
        parameters: of LightGBM, the number of trees among them.
        libraries: name → version, of what trained it.
        created_at: when, in ISO 8601; like metrics and baseline no part of the version.
        form: how much a card of its time says, see :data:`FORM`.
    """

    version: str
    contract: str
    fingerprint: str
    features: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    calibration: Calibration
    data_sha256: str
    rows: int
    positives: int
    metrics: Metrics
    calibration_bins: Sequence[CalibrationBin]
    groups: Sequence[Group]
    importance: Mapping[str, float]
    baseline: Baseline
    parameters: Mapping[str, Any]
    libraries: Mapping[str, str]
    created_at: str
    form: int = 1

    def to_dict(self) -> dict[str, Any]:
        """The card, made of JSON's types."""
        return dataclasses.asdict(self)

    def to_json(self) -> str:
        """The card's text: the same, to the byte, for the same card."""
        return written(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The card that :meth:`to_json` wrote.

        Raises:
            ValueError: the text is no card.
        """
        try:
            raw: dict[str, Any] = json.loads(text)
            raw["features"] = tuple(raw["features"])
            raw["levels"] = {name: tuple(levels) for name, levels in raw["levels"].items()}
            raw["calibration"] = Calibration(**raw["calibration"])
            return cls(**raw)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not a card: {error}") from error


def written(card: Mapping[str, Any]) -> str:
    """A card's text. Keys are sorted, so that a card that a database kept is written as it was."""
    return json.dumps(card, indent=1, sort_keys=True, allow_nan=False) + "\n"


def version_of(
    text: str,
    calibration: Calibration,
    levels: Mapping[str, Sequence[str]],
    fingerprint: str,
    form: int = 1,
) -> str:
    """A model's name, by all that its probabilities depend on, and by the form of its card.

    Returns:
        ``lgbm-`` and 12 hexadecimal digits of the SHA-256 over trees, calibration, levels, the
        contract's fingerprint and, from the second one on, the form.
    """
    parts = [dataclasses.astuple(calibration), {n: list(v) for n, v in levels.items()}, fingerprint]
    rest = json.dumps(parts if form == 1 else [*parts, form], sort_keys=True)
    content = "\0".join([text, rest]).encode()
    return f"lgbm-{hashlib.sha256(content).hexdigest()[:12]}"
