"""Fit: records with known outcomes become trees and their calibration.

One procedure, used for the model that is kept and, fold by fold, for its evaluation. It is
deterministic: the same records, seed and libraries give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from jobchurn.contract import Contract
from jobchurn.model.card import Calibration
from jobchurn.model.encode import Encoder, Record, levels_of
from jobchurn.model.predict import Scorer

FOLDS = 5
"""Into how many parts the records are cut, both to calibrate and to evaluate."""

FEWEST_OF_AN_OUTCOME = FOLDS * FOLDS
"""So many records of each outcome leave one in each fold of a fold."""

TREES = 85

PARAMETERS = {
    "objective": "binary",
    "learning_rate": 0.038,
    "num_leaves": 23,
    "min_data_in_leaf": 25,
    # Each tree sees 7 of 10 features: worth 0.001 ROC-AUC, and nothing at prediction.
    "feature_fraction": 0.7,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
"""Of LightGBM. Chosen by cross-validation; ``benchmarks/model_quality.py`` measures them."""


def fit(
    records: Sequence[Record], outcomes: NDArray[np.int64], contract: Contract, *, seed: int = 0
) -> Scorer:
    """Trees that learnt from all records, calibrated by trees that did not see what they scored.

    The raw scores of five models, each of the fifth that it did not learn from, are set against the
    outcomes (Platt scaling); the trees that are kept learn from all. This leaves the ranking as it
    is, and every record to learn from.

    Args:
        records: canonical.
        outcomes: 0 or 1 for each; at least :data:`FEWEST_OF_AN_OUTCOME` / :data:`FOLDS` of each.
        contract: names the features.
        seed: of the folds and of the trees' choice of features.
    """
    levels = levels_of(records, contract)
    matrix = Encoder(contract, levels).matrix(records)
    scores = np.empty(len(outcomes))
    for learnt, held_out in folds(outcomes, seed):
        booster = _boosted(matrix[learnt], outcomes[learnt], seed)
        scores[held_out] = booster.predict(matrix[held_out], raw_score=True)
    text = _boosted(matrix, outcomes, seed).model_to_string()
    return Scorer(text, levels, _calibration_of(scores, outcomes), contract)


def folds(
    outcomes: NDArray[np.int64], seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Five times the indices to learn from and to hold out, outcomes in equal shares."""
    cutter = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    yield from cutter.split(np.zeros(len(outcomes)), outcomes)


def _boosted(
    matrix: NDArray[np.float64], outcomes: NDArray[np.int64], seed: int
) -> lightgbm.Booster:
    data = lightgbm.Dataset(matrix, outcomes, free_raw_data=True)
    return lightgbm.train(PARAMETERS | {"seed": seed}, data, num_boost_round=TREES)


def _calibration_of(scores: NDArray[np.float64], outcomes: NDArray[np.int64]) -> Calibration:
    # So weak a penalty matters only where scores separate the outcomes, and keeps it finite there.
    regression = LogisticRegression(C=1e4, tol=1e-9, max_iter=1000)
    regression.fit(scores[:, np.newaxis], outcomes)
    return Calibration(float(regression.coef_[0, 0]), float(regression.intercept_[0]))
