"""Evaluate: how good the training procedure is on rows that it did not see, and the page on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchurn.contract import Contract
from jobchurn.model.card import CalibrationBin, Card, Group, Metrics
from jobchurn.model.encode import Record
from jobchurn.model.fit import FOLDS, fit, folds
from jobchurn.model.metrics import (
    calibration_bins_of,
    cross_validation_of,
    groups_of,
    metrics_of,
)

SHOWN_FEATURES = 8
"""How many of the strongest features the page lists."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Evaluation:
    """What evaluating found.

    Attributes:
        metrics, calibration_bins, groups: see :class:`jobchurn.model.card.Card`.
        probabilities: of every row, each by a model that did not see it.
    """

    metrics: Metrics
    calibration_bins: list[CalibrationBin]
    groups: list[Group]
    probabilities: NDArray[np.float64]


def evaluate(
    records: Sequence[Record],
    outcomes: NDArray[np.int64],
    contract: Contract,
    *,
    threshold: float,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Cross-validate the whole of :func:`jobchurn.model.fit.fit`, calibration included.

    The first fold is the hold-out of the metrics: a fifth of the rows, scored by a model that
    learnt and was calibrated on the other four.
    """
    probabilities = np.empty(len(outcomes))
    parts = []
    for number, (learnt, held_out) in enumerate(folds(outcomes, seed), start=1):
        scorer = fit([records[i] for i in learnt], outcomes[learnt], contract, seed=seed)
        probabilities[held_out] = scorer.probabilities([records[i] for i in held_out])
        parts.append((outcomes[held_out], probabilities[held_out]))
        if progress is not None:
            mean = cross_validation_of(parts)["roc_auc"]
            progress(f"Fold {number} of {FOLDS} evaluated: mean ROC-AUC {mean:.3f}.")
    return Evaluation(
        metrics_of(*parts[0], threshold=threshold, cross_validation=cross_validation_of(parts)),
        calibration_bins_of(outcomes, probabilities),
        groups_of(records, outcomes, probabilities, contract, threshold=threshold),
        probabilities,
    )


def evaluation_table(card: Card) -> str:
    """A card's evaluation as plain text of at most 80 columns, for a terminal."""
    sections = (_quality(card), _decisions(card), _calibration(card), _features(card), _audit(card))
    title = (
        f"Model {card.version}: {card.rows:,} rows, {card.positives / card.rows:.1%} positive, "
        f"contract {card.contract}"
    )
    return "\n\n".join([title, *("\n".join(section) for section in sections if section)]) + "\n"


def _quality(card: Card) -> list[str]:
    metrics, means = card.metrics, card.metrics["cross_validation"]
    interval = f"{metrics['roc_auc_low']:.3f} to {metrics['roc_auc_high']:.3f}"
    return [
        f"{'Quality':<24}{'hold-out':>10}  {'95% interval':<16}{'all folds':>10}",
        f"{'  ROC-AUC':<24}{metrics['roc_auc']:>10.3f}  {interval:<16}{means['roc_auc']:>10.3f}",
        f"{'  Log loss':<24}{metrics['log_loss']:>10.3f}  {'':<16}{means['log_loss']:>10.3f}",
        f"{'  Calibration error':<24}{metrics['ece']:>10.3f}  {'':<16}{means['ece']:>10.3f}",
        f"{'  Brier score':<24}{metrics['brier']:>10.3f}",
        f"{'  PR-AUC':<24}{metrics['pr_auc']:>10.3f}",
        f"  Hold-out of {metrics['rows']:,} rows, mean of {means['folds']} folds. The model kept",
        "  learnt from all rows.",
    ]


def _decisions(card: Card) -> list[str]:
    metrics, counts = card.metrics, card.metrics["confusion"]
    return [
        f"Decisions on the hold-out, at threshold {metrics['threshold']:.3f}",
        f"{'':<24}{'called negative':>16}{'called positive':>18}",
        f"{'  is negative':<24}{counts['tn']:>16,}{counts['fp']:>18,}",
        f"{'  is positive':<24}{counts['fn']:>16,}{counts['tp']:>18,}",
        (
            f"  precision {metrics['precision']:.3f}, recall {metrics['recall']:.3f}, "
            f"F1 {metrics['f1']:.3f}"
        ),
    ]


def _calibration(card: Card) -> list[str]:
    return [
        "Calibration over all rows, each scored by a model that did not see it",
        f"  {'probability':<14}{'rows':>10}{'predicted':>12}{'observed':>12}",
        *(
            f"  {b['low']:.1f} to {b['high']:.1f}    "
            f"{b['rows']:>10,}{b['predicted']:>12.3f}{b['observed']:>12.3f}"
            for b in card.calibration_bins
        ),
    ]


def _features(card: Card) -> list[str]:
    strongest = sorted(card.importance.items(), key=lambda item: -item[1])[:SHOWN_FEATURES]
    scale = max((size for _, size in strongest), default=0.0) or 1.0
    return [
        "Strongest features, by the mean size of their contribution (log-odds)",
        *(
            f"  {name:<32}{size:>8.3f}  {'█' * round(24 * size / scale)}"
            for name, size in strongest
        ),
    ]


def _audit(card: Card) -> list[str]:
    if not card.groups:
        return []
    return [
        "Groups that the model does not see, for audit, over all rows",
        f"  {'':<32}{'rows':>8}{'observed':>10}{'selected':>10}{'gap':>8}{'recall':>8}",
        *(
            f"  {group['column'] + ': ' + (group['level'] or 'blank'):<32}{group['rows']:>8,}"
            f"{group['observed']:>10.3f}{group['selected']:>10.3f}{group['gap']:>+8.3f}"
            + ("" if group["recall"] is None else f"{group['recall']:>8.3f}")
            for group in card.groups
        ),
    ]
