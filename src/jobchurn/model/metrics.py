"""Metrics: how good probabilities are, and how they treat groups of people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from jobchurn.contract import Contract, Role
from jobchurn.model.card import CalibrationBin, Confusion, CrossValidation, Group, Metrics
from jobchurn.model.encode import Record

BINS = 10
"""Of equal width, for everything about calibration."""

Outcomes = NDArray[np.int64]
Probabilities = NDArray[np.float64]


def metrics_of(
    outcomes: Outcomes,
    probabilities: Probabilities,
    *,
    threshold: float,
    cross_validation: CrossValidation,
) -> Metrics:
    """Every metric of a hold-out.

    Args:
        outcomes: 0 or 1; both occur.
        probabilities: of 1, for each.
        threshold: from which probability on a row counts as positive.
        cross_validation: carried along.
    """
    low, high = roc_auc_interval(outcomes, probabilities)
    confusion = confusion_of(outcomes, probabilities, threshold)
    precision = _ratio(confusion["tp"], confusion["tp"] + confusion["fp"])
    recall = _ratio(confusion["tp"], confusion["tp"] + confusion["fn"])
    return {
        "rows": len(outcomes),
        "positives": int(outcomes.sum()),
        "roc_auc": float(roc_auc_score(outcomes, probabilities)),
        "roc_auc_low": low,
        "roc_auc_high": high,
        "pr_auc": float(average_precision_score(outcomes, probabilities)),
        "log_loss": float(log_loss(outcomes, probabilities)),
        "brier": float(brier_score_loss(outcomes, probabilities)),
        "ece": expected_calibration_error(outcomes, probabilities),
        "threshold": threshold,
        "precision": precision,
        "recall": recall,
        "f1": _ratio(2 * precision * recall, precision + recall),
        "confusion": confusion,
        "cross_validation": cross_validation,
    }


def cross_validation_of(parts: Sequence[tuple[Outcomes, Probabilities]]) -> CrossValidation:
    """Means over the held-out parts of a cross-validation."""
    by_fold = [float(roc_auc_score(*part)) for part in parts]
    return {
        "folds": len(parts),
        "roc_auc": float(np.mean(by_fold)),
        "log_loss": float(np.mean([log_loss(*part) for part in parts])),
        "ece": float(np.mean([expected_calibration_error(*part) for part in parts])),
        "roc_auc_by_fold": by_fold,
    }


def roc_auc_interval(outcomes: Outcomes, probabilities: Probabilities) -> tuple[float, float]:
    """The 95% interval of the ROC-AUC, by the variance of DeLong, DeLong and Clarke-Pearson (1988).

    Computed from mid-ranks, as in Sun and Xu, "Fast Implementation of DeLong's Algorithm" (2014).
    """
    positive, negative = probabilities[outcomes == 1], probabilities[outcomes == 0]
    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    # The share of negatives below each positive, and of positives above each negative.
    above = (ranks[:m] - rankdata(positive)) / n
    below = 1 - (ranks[m:] - rankdata(negative)) / m
    error = 1.96 * np.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n)
    return float(max(0.0, above.mean() - error)), float(min(1.0, above.mean() + error))


def expected_calibration_error(outcomes: Outcomes, probabilities: Probabilities) -> float:
    """The mean distance, over rows, of a bin's mean probability from its share of positives.

    (Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning", 2015.)
    """
    bins = calibration_bins_of(outcomes, probabilities)
    return sum(b["rows"] * abs(b["predicted"] - b["observed"]) for b in bins) / len(outcomes)


def calibration_bins_of(outcomes: Outcomes, probabilities: Probabilities) -> list[CalibrationBin]:
    """The bins that hold any rows, by ascending probability."""
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    return [
        {
            "low": int(place) / BINS,
            "high": (int(place) + 1) / BINS,
            "rows": int((bins == place).sum()),
            "predicted": float(probabilities[bins == place].mean()),
            "observed": float(outcomes[bins == place].mean()),
        }
        for place in np.unique(bins)
    ]


def confusion_of(outcomes: Outcomes, probabilities: Probabilities, threshold: float) -> Confusion:
    """How many rows are decided how at a threshold."""
    selected = probabilities >= threshold
    return {
        "tn": int((~selected & (outcomes == 0)).sum()),
        "fp": int((selected & (outcomes == 0)).sum()),
        "fn": int((~selected & (outcomes == 1)).sum()),
        "tp": int((selected & (outcomes == 1)).sum()),
    }


def groups_of(
    records: Sequence[Record],
    outcomes: Outcomes,
    probabilities: Probabilities,
    contract: Contract,
    *,
    threshold: float,
) -> list[Group]:
    """How each group of each protected column fares, the largest group of a column first."""
    selected = probabilities >= threshold
    found: list[Group] = []
    for column in contract.columns:
        if column.role is not Role.PROTECTED:
            continue
        members: dict[str | None, list[int]] = {}
        for place, record in enumerate(records):
            value = record.get(column.name)
            members.setdefault(None if value is None else str(value), []).append(place)
        by_size = sorted(members.items(), key=lambda group: (-len(group[1]), str(group[0])))
        largest = float(selected[by_size[0][1]].mean())
        for level, places in by_size:
            positive = outcomes[places] == 1
            share = float(selected[places].mean())
            found.append(
                {
                    "column": column.name,
                    "level": level,
                    "rows": len(places),
                    "observed": float(positive.mean()),
                    "selected": share,
                    "recall": float(selected[places][positive].mean()) if positive.any() else None,
                    "gap": share - largest,
                }
            )
    return found


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
