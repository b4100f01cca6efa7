"""How faithful the built-in data set is, and whether it remembers anybody.

Usage: ``fidelity.py REAL.csv [--holdout OTHER.csv] [--seeds 3]``

Three questions, asked of synthetic rows and of real rows that were not fitted on:

- *Useful?* The ROC-AUC, on the real rows, of the product's own model trained on synthetic rows,
  beside that of one trained on real rows.
- *Faithful?* The ROC-AUC of a classifier that tells synthetic from real rows; 0.5 is no better than
  guessing.
- *Private?* The share of synthetic rows whose nearest real neighbour is one that was fitted on,
  rather than one of as many that were not. 0.5 is no trace; ties count half.

Without ``--holdout`` nothing was left out when the shipped parameters were fitted. The parameters
are therefore fitted anew, five times, on four fifths of REAL, and measured on the fifth left out.
With it, the shipped parameters themselves are measured on OTHER, which must hold none of the rows
that they were fitted on, REAL being those.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from jobchurn import synth
from jobchurn.contract import JOB_CHANGE, Role, Value
from jobchurn.flow.rows import read_rows
from jobchurn.model.fit import fit as fit_model
from jobchurn.model.fit import folds
from jobchurn.synth.fit import fit as fit_parameters
from jobchurn.synth.shape import Parameters

CONTRACT = JOB_CHANGE
OUTCOME = CONTRACT.outcome.name

Cells = dict[str, list[str]]
"""Column → the texts of its cells."""


@dataclass(frozen=True)
class Figures:
    """The three answers, and what real rows reach in the first."""

    useful: float
    useful_real: float
    faithful: float
    private: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the built-in data set.")
    parser.add_argument("real", type=Path, help="the rows that parameters are fitted on")
    parser.add_argument("--holdout", type=Path, help="other real rows, to measure on")
    parser.add_argument("--seeds", type=int, default=3, help="how many samples to average")
    options = parser.parse_args()
    real = read(options.real)
    if options.holdout is not None:
        print(f"The shipped parameters, measured on {options.holdout.name}")
        figures = [measured(synth.parameters(), real, read(options.holdout), options.seeds)]
    else:
        print("Parameters fitted on four fifths, measured on the fifth left out")
        figures = []
        for number, (fitted_on, left_out) in enumerate(folds(outcomes_of(real), seed=77), start=1):
            train, other = rows_of(real, fitted_on), rows_of(real, left_out)
            figures.append(measured(fit_parameters(train, CONTRACT), train, other, options.seeds))
            print(f"  fold {number}: {figures[-1]}", flush=True)
    show("ROC-AUC of a model trained on synthetic rows", [f.useful for f in figures])
    show("  of one trained on real rows", [f.useful_real for f in figures])
    show("ROC-AUC of telling synthetic from real", [f.faithful for f in figures])
    show("Nearest-neighbour share", [f.private for f in figures])


def show(title: str, values: Sequence[float]) -> None:
    """Print a mean and, of several, the range."""
    spread = f"  ({min(values):.4f} to {max(values):.4f})" if len(values) > 1 else ""
    print(f"{title:<48}{np.mean(values):.4f}{spread}")


def measured(parameters: Parameters, fitted_on: Cells, other: Cells, seeds: int) -> Figures:
    """The figures of some parameters, averaged over samples."""
    samples = [synth.generate(seed=seed, fitted=parameters) for seed in range(seeds)]
    return Figures(
        useful=float(np.mean([usefulness(sample, other) for sample in samples])),
        useful_real=usefulness(fitted_on, other),
        faithful=float(np.mean([telling_apart(sample, other, fitted_on) for sample in samples])),
        private=float(np.mean([neighbours(sample, fitted_on, other) for sample in samples])),
    )


def usefulness(train: Cells, test: Cells) -> float:
    """The ROC-AUC on ``test`` of the product's model, trained on ``train``."""
    scorer = fit_model(records_of(train), outcomes_of(train), CONTRACT)
    return float(roc_auc_score(outcomes_of(test), scorer.probabilities(records_of(test))))


def telling_apart(sample: Cells, *real: Cells) -> float:
    """The cross-validated ROC-AUC of boosted trees that see all columns but the id."""
    joined = {name: [cell for part in (sample, *real) for cell in part[name]] for name in sample}
    is_real = np.arange(len(joined[OUTCOME])) >= len(sample[OUTCOME])
    classifier = LGBMClassifier(
        n_estimators=150, learning_rate=0.05, n_jobs=1, verbosity=-1, random_state=0
    )
    cutter = StratifiedKFold(3, shuffle=True, random_state=0)
    probabilities = cross_val_predict(
        classifier, np.column_stack(codes_of(joined)), is_real, cv=cutter, method="predict_proba"
    )
    return float(roc_auc_score(is_real, probabilities[:, 1]))


def neighbours(sample: Cells, fitted_on: Cells, other: Cells) -> float:
    """The share of sampled rows that lie nearer to a row fitted on than to another.

    Two categories are at distance 0 or 1, two numbers at their difference in standard deviations;
    distances of columns add up as in Euclid. As many rows fitted on as there are others take part,
    drawn anew until all have.
    """
    joined = {name: sample[name] + fitted_on[name] + other[name] for name in sample}
    points = space_of(joined)
    n, m = len(sample[OUTCOME]), len(fitted_on[OUTCOME])
    rows, seen, unseen = points[:n], points[n : n + m], points[n + m :]
    to_unseen = nearest(rows, unseen)
    order = np.random.default_rng(0).permutation(m)
    shares = []
    for part in np.array_split(order, max(1, m // len(unseen))):
        to_seen = nearest(rows, seen[part[: len(unseen)]])
        if len(part) < len(unseen):
            to_unseen = nearest(rows, unseen[: len(part)])
        tied = np.abs(to_seen - to_unseen) < 1e-4
        shares.append(float(np.mean(np.where(tied, 0.5, to_seen < to_unseen))))
    return float(np.mean(shares))


def nearest(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each row the squared distance to the nearest of the others."""
    lengths = (others * others).sum(axis=1)
    parts = [
        (lengths - 2 * part @ others.T).min(axis=1) + (part * part).sum(axis=1)
        for part in np.array_split(rows, max(1, len(rows) // 2_000))
    ]
    return np.concatenate(parts)


def codes_of(cells: Cells) -> list[NDArray[np.float64]]:
    """Each column but the id as numbers: categories by their place, blanks of numbers as NaN."""
    return [
        np.array([float(cell or "nan") for cell in cells[column.name]])
        if column.is_numeric
        else np.unique(cells[column.name], return_inverse=True)[1].astype(float)
        for column in CONTRACT.columns
        if column.role is not Role.ID
    ]


def space_of(cells: Cells) -> NDArray[np.float32]:
    """Each row's inputs as a point."""
    parts: list[NDArray[np.float64]] = []
    for column in CONTRACT.inputs:
        if column.is_numeric:
            numbers = np.array([float(cell or "nan") for cell in cells[column.name]])
            known = np.nan_to_num((numbers - np.nanmean(numbers)) / np.nanstd(numbers))
            parts.append(known[:, np.newaxis])
        else:
            levels, places = np.unique(cells[column.name], return_inverse=True)
            parts.append(np.eye(len(levels))[places] / np.sqrt(2))
    return np.hstack(parts).astype(np.float32)


def read(path: Path) -> Cells:
    """The cells of the rows that the contract admits and whose outcome is known."""
    rows = read_rows(path, CONTRACT)
    kept = [n - 1 for n, record in rows.records.items() if record.get(OUTCOME) is not None]
    return {name: [cells[place] for place in kept] for name, cells in rows.sheet.columns.items()}


def rows_of(cells: Cells, places: NDArray[np.int64]) -> Cells:
    """Some of the rows."""
    return {name: [column[place] for place in places] for name, column in cells.items()}


def records_of(cells: Cells) -> list[Mapping[str, Value]]:
    """The rows as canonical records."""
    columns = {name: [CONTRACT[name].read(c) for c in column] for name, column in cells.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def outcomes_of(cells: Cells) -> NDArray[np.int64]:
    """The rows' outcomes, 0 or 1."""
    return np.array([CONTRACT.outcome.read(cell) for cell in cells[OUTCOME]], dtype=np.int64)


if __name__ == "__main__":
    main()
