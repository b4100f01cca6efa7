"""Runs the original's path of a prediction beside a house."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from benchmarks.house import House
from benchmarks.machine import ROOT
from benchmarks.peers import original
from benchmarks.peers.environments import cache
from benchmarks.processes import free_port, running

CONNECTIONS = 4
"""At so many it is fastest: each request reads 200 MB, and more only wait for the two cores."""


def train_original(house: House) -> Path:
    """The forest, trained on what the house's champion was trained on; made once, and kept."""
    training = house.services.folders.data / "training.csv"
    source = Path(original.__file__).read_bytes() + version("scikit-learn").encode()
    content = hashlib.sha256(training.read_bytes() + source).hexdigest()
    model = cache() / f"original-{content[:12]}.joblib"
    if not model.exists():
        model.parent.mkdir(parents=True, exist_ok=True)
        unfinished = model.with_suffix(f".{os.getpid()}")
        subprocess.run(
            [sys.executable, "-m", original.__name__, "train", training],
            env={**os.environ, "ORIGINAL_MODEL": str(unfinished), "PYTHONPATH": str(ROOT)},
            check=True,
        )
        unfinished.replace(model)
    return model


@contextmanager
def running_original(house: House) -> Iterator[str]:
    """The original over the house's database; yields the address that predicts."""
    port = free_port()
    with running(
        [sys.executable, "-m", original.__name__, "serve"],
        ready=f"http://127.0.0.1:{port}/ready",
        log=house.home / "original.log",
        environment={
            "ORIGINAL_MODEL": str(train_original(house)),
            "DATABASE_URL": house.url,
            "API_PORT": str(port),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        },
    ):
        yield f"http://127.0.0.1:{port}{original.PATH}"
