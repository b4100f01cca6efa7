"""How good the product's own training is on a data set, over several ways of cutting it.

Usage: ``model_quality.py REAL.csv [--seeds 3]``

Each seed cuts the rows into five folds; each fold is scored by a model that was trained and
calibrated on the other four, as ``jobchurn train`` does it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from jobchurn.contract import JOB_CHANGE
from jobchurn.flow.rows import read_rows
from jobchurn.model.evaluate import evaluate


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Cross-validate the product's own training.")
    parser.add_argument("csv", type=Path, help="rows with known outcomes")
    parser.add_argument("--seeds", type=int, default=3, help="how many times to cut")
    options = parser.parse_args()
    name = JOB_CHANGE.outcome.name
    records = [
        r for r in read_rows(options.csv, JOB_CHANGE).records.values() if r.get(name) in (0, 1)
    ]
    outcomes = np.array([record[name] for record in records], dtype=np.int64)
    print(f"{len(records):,} rows, {outcomes.mean():.1%} positive")
    print(f"{'seed':<8}{'ROC-AUC':>10}{'log loss':>10}{'ECE':>10}{'seconds':>10}")
    figures = []
    for seed in range(options.seeds):
        started = time.perf_counter()
        found = evaluate(records, outcomes, JOB_CHANGE, threshold=1 / 3, seed=seed)
        means = found.metrics["cross_validation"]
        figures.append([means["roc_auc"], means["log_loss"], means["ece"]])
        figures[-1].append(time.perf_counter() - started)
        print(f"{seed:<8}" + "".join(f"{figure:>10.4f}" for figure in figures[-1]), flush=True)
    print(f"{'mean':<8}" + "".join(f"{figure:>10.4f}" for figure in np.mean(figures, axis=0)))


if __name__ == "__main__":
    main()
