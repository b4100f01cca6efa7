"""Metrics against their definitions, computed the long way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from jobchurn.contract import JOB_CHANGE, Role
from jobchurn.model.metrics import (
    calibration_bins_of,
    confusion_of,
    cross_validation_of,
    expected_calibration_error,
    groups_of,
    metrics_of,
    roc_auc_interval,
)

FOLDS = {"folds": 0, "roc_auc": 0.0, "log_loss": 0.0, "ece": 0.0, "roc_auc_by_fold": []}


def sample(rows, seed=0, skill=1.0):
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=rows)
    probabilities = 1 / (1 + np.exp(-skill * scores))
    return (generator.random(rows) < probabilities).astype(np.int64), probabilities


def test_the_intervals_middle_is_the_roc_auc():
    outcomes, probabilities = sample(400)
    low, high = roc_auc_interval(outcomes, probabilities.round(1))
    assert (low + high) / 2 == pytest.approx(roc_auc_score(outcomes, probabilities.round(1)))


def test_the_interval_covers_the_truth_as_often_as_it_says():
    outcomes, probabilities = sample(200_000)
    truth = roc_auc_score(outcomes, probabilities)
    parts = zip(outcomes.reshape(500, -1), probabilities.reshape(500, -1), strict=True)
    covered = [low <= truth <= high for low, high in (roc_auc_interval(*part) for part in parts)]
    assert 0.92 <= np.mean(covered) <= 0.98


def test_the_interval_stays_between_0_and_1():
    assert roc_auc_interval(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])) == (1.0, 1.0)
    low, high = roc_auc_interval(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4]))
    assert low >= 0
    assert high <= 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=60))
def test_the_calibration_error_is_the_mean_distance_of_bins(rows):
    outcomes = np.array([int(outcome) for outcome, _ in rows])
    probabilities = np.array([probability for _, probability in rows])
    expected = 0.0
    for place in range(10):
        high = np.inf if place == 9 else (place + 1) / 10
        inside = [i for i, p in enumerate(probabilities) if place <= int(p * 10) and p < high]
        inside = [i for i in inside if min(int(probabilities[i] * 10), 9) == place]
        if inside:
            distance = abs(outcomes[inside].mean() - probabilities[inside].mean())
            expected += distance * len(inside) / len(rows)
    assert expected_calibration_error(outcomes, probabilities) == pytest.approx(expected)


def test_probabilities_that_are_shares_have_no_calibration_error():
    outcomes = np.array([1, 0, 0, 0, 1, 1, 1, 0])
    probabilities = np.array([0.25] * 4 + [0.75] * 4)
    assert expected_calibration_error(outcomes, probabilities) == 0


def test_a_probability_of_1_is_in_the_last_bin():
    bins = calibration_bins_of(np.array([1, 0]), np.array([1.0, 0.0]))
    assert [(b["low"], b["high"], b["rows"]) for b in bins] == [(0.0, 0.1, 1), (0.9, 1.0, 1)]


def test_decisions_are_counted_with_the_threshold_itself_as_positive():
    outcomes, probabilities = np.array([0, 0, 1, 1, 1]), np.array([0.2, 0.5, 0.5, 0.4, 0.9])
    counts = confusion_of(outcomes, probabilities, 0.5)
    assert counts == {"tn": 1, "fp": 1, "fn": 1, "tp": 2}
    metrics = metrics_of(outcomes, probabilities, threshold=0.5, cross_validation=FOLDS)
    assert metrics["precision"] == metrics["recall"] == pytest.approx(2 / 3)
    assert metrics["f1"] == pytest.approx(2 / 3)


def test_a_threshold_that_selects_nobody_has_a_precision_of_0():
    outcomes, probabilities = sample(50)
    metrics = metrics_of(outcomes, probabilities, threshold=1.1, cross_validation=FOLDS)
    assert (metrics["precision"], metrics["recall"], metrics["f1"]) == (0.0, 0.0, 0.0)


def test_proper_scores_are_those_of_their_definitions():
    outcomes, p = sample(300)
    metrics = metrics_of(outcomes, p, threshold=0.5, cross_validation=FOLDS)
    assert metrics["brier"] == pytest.approx(np.mean((p - outcomes) ** 2))
    expected = -np.mean(np.log(np.where(outcomes == 1, p, 1 - p)))
    assert metrics["log_loss"] == pytest.approx(expected)


def test_cross_validation_averages_folds():
    parts = [sample(200, seed) for seed in range(3)]
    found = cross_validation_of(parts)
    assert found["folds"] == 3
    assert found["roc_auc"] == pytest.approx(np.mean([roc_auc_score(*part) for part in parts]))
    assert len(found["roc_auc_by_fold"]) == 3


def test_groups_are_compared_with_the_largest():
    column = next(c for c in JOB_CHANGE.columns if c.role is Role.PROTECTED)
    first, second = column.levels[:2]
    records = [{column.name: v} for v in (first, first, first, first, second, second, None)]
    outcomes = np.array([1, 1, 0, 0, 1, 0, 0])
    probabilities = np.array([0.9, 0.2, 0.8, 0.1, 0.9, 0.9, 0.1])
    groups = groups_of(records, outcomes, probabilities, JOB_CHANGE, threshold=0.5)
    assert [(g["level"], g["rows"]) for g in groups] == [(first, 4), (second, 2), (None, 1)]
    assert [g["observed"] for g in groups] == [0.5, 0.5, 0.0]
    assert [g["selected"] for g in groups] == [0.5, 1.0, 0.0]
    assert [g["gap"] for g in groups] == [0.0, 0.5, -0.5]
    assert [g["recall"] for g in groups] == [0.5, 1.0, None]
