"""Runs in MLflow's environment: saves LightGBM's trees as a model that MLflow serves.

Usage: ``mlflow_model.py TREES TARGET``
"""

from __future__ import annotations

import sys

import lightgbm
import mlflow.lightgbm
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema


def main(trees: str, target: str) -> None:
    """Read, and save."""
    booster = lightgbm.Booster(model_file=trees)
    inputs = Schema([ColSpec("double", name) for name in booster.feature_name()])
    signature = ModelSignature(inputs=inputs, outputs=Schema([ColSpec("double")]))
    mlflow.lightgbm.save_model(booster, target, signature=signature)


if __name__ == "__main__":
    main(*sys.argv[1:])
