"""Runs in BentoML's environment: LightGBM behind its adaptive batching, a worker for each core."""

import os
from typing import Annotated

import bentoml
import lightgbm
import numpy as np
from bentoml.validators import DType, Shape

Rows = Annotated[
    np.ndarray, DType("float64"), Shape((-1, int(os.environ.get("BENCHMARK_FEATURES", "1"))))
]


@bentoml.service(workers="cpu_count", logging={"access": {"enabled": False}})
class Predictions:
    """The model."""

    def __init__(self) -> None:
        self.booster = lightgbm.Booster(model_file=os.environ["BENCHMARK_TREES"])

    @bentoml.api(batchable=True, max_batch_size=64)  # type: ignore[untyped-decorator]
    def predict(self, rows: Rows) -> np.ndarray:
        """The score of each row."""
        return np.asarray(self.booster.predict(rows))
