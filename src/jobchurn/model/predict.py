"""Predict: canonical records in, probabilities and their reasons out.

Loads numpy, the standard library and LightGBM's C library, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from jobchurn.contract import Contract
from jobchurn.model.booster import Booster
from jobchurn.model.card import Calibration
from jobchurn.model.encode import Encoder, Levels, Record


class Explanation(TypedDict):
    """How a record's score comes about: ``baseline`` and ``contributions`` sum to ``score``.

    Attributes:
        contributions: feature → what its value adds to the score.
        baseline: the score expected before anything is known of the record.
        score: log-odds before calibration.
    """

    contributions: dict[str, float]
    baseline: float
    score: float


class Scorer:
    """Encodes, scores and calibrates. Any number of threads may use one at the same time.

    Args:
        text: the trees, in LightGBM's text format.
        levels: of the open text features, see :mod:`jobchurn.model.encode`.
        calibration: from raw scores to probabilities.
        contract: names the features and their values.

    Raises:
        NotInstalled: LightGBM's library is missing.
        ValueError: the trees see another number of features than the contract has.
    """

    def __init__(
        self, text: str, levels: Levels, calibration: Calibration, contract: Contract
    ) -> None:
        self.text = text
        self.levels = levels
        self.calibration = calibration
        self._encoder = Encoder(contract, levels)
        self._booster = Booster(text)
        if self._booster.features != len(self._encoder.names):
            raise ValueError(
                f"the trees see {self._booster.features} features, "
                f"the contract has {len(self._encoder.names)}"
            )

    def probabilities(self, records: Sequence[Record]) -> NDArray[np.float64]:
        """The probability of the positive class for each record, in order.

        A record's probability does not depend on the others, to the last bit.

        Raises:
            ValueError: a record's value is not a canonical one of its column.
        """
        if len(records) == 1:
            scores = np.array([self._booster.score(self._encoder.row(records[0]))])
            return calibrated(scores, self.calibration)
        return self.probabilities_of(self.encoded(records))

    def encoded(self, records: Sequence[Record]) -> NDArray[np.float64]:
        """Records as the trees see them: a matrix of shape (records, features).

        Raises:
            ValueError: a record's value is not a canonical one of its column.
        """
        return self._encoder.matrix(records)

    def probabilities_of(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability of each row of what :meth:`encoded` gave, or of some of its rows."""
        return calibrated(self._booster.scores(matrix), self.calibration)

    def explain(self, records: Sequence[Record]) -> list[Explanation]:
        """What each feature contributed to each record's score, in order.

        Raises:
            ValueError: a record's value is not a canonical one of its column.
        """
        matrix = self._encoder.matrix(records)
        contributions = self._booster.contributions(matrix).tolist()
        scores = self._booster.scores(matrix).tolist()
        return [
            {
                "contributions": dict(zip(self._encoder.names, row, strict=False)),
                "baseline": row[-1],
                "score": score,
            }
            for row, score in zip(contributions, scores, strict=True)
        ]


def calibrated(scores: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    """Raw scores as probabilities."""
    log_odds = calibration.slope * scores + calibration.intercept
    # 1 / (1 + exp(-x)), without overflow for a large negative x.
    probabilities: NDArray[np.float64] = np.exp(-np.logaddexp(0.0, -log_odds))
    return probabilities
