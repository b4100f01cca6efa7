"""Runs in LitServe's environment: LightGBM behind its batching, two processes that take requests.

Of one and two workers, one and two processes, with batches and without, this was the fastest for
trees that take microseconds: batches of up to 64 that wait a millisecond, and one worker.
"""

import os
from typing import Any

import lightgbm
import litserve
import numpy as np


class Predictions(litserve.LitAPI):  # type: ignore[misc]
    """The model."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load it."""
        self.booster = lightgbm.Booster(model_file=os.environ["BENCHMARK_TREES"])

    # LitServe reads these annotations, and its validation has no blanks in lists of numbers.
    def decode_request(self, request: dict[str, Any]) -> Any:
        """One row."""
        return np.array(request["row"], dtype=np.float64)

    def predict(self, rows: Any) -> Any:
        """The score of each row."""
        return self.booster.predict(rows)

    def encode_response(self, score: Any) -> dict[str, float]:
        """One score."""
        return {"score": float(score)}


if __name__ == "__main__":
    server = litserve.LitServer(
        Predictions(max_batch_size=64, batch_timeout=0.001),
        accelerator="cpu",
        workers_per_device=1,
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["BENCHMARK_PORT"]),
        num_api_servers=len(os.sched_getaffinity(0)),
        log_level="warning",
        generate_client_file=False,
    )
