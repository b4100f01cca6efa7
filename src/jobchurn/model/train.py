"""Train: a data set with known outcomes becomes a model with its card.

Needs the ``pipeline`` extra: LightGBM's Python package and scikit-learn.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np

from jobchurn.contract import Contract, Value
from jobchurn.drift import Baseline, baseline_of
from jobchurn.errors import DataUnusable
from jobchurn.model.artifact import Model
from jobchurn.model.card import FORM, Card, version_of
from jobchurn.model.encode import Record
from jobchurn.model.evaluate import evaluate
from jobchurn.model.fit import FEWEST_OF_AN_OUTCOME, PARAMETERS, TREES, fit
from jobchurn.model.predict import Scorer

DEFAULT_THRESHOLD = 1 / 3
"""Where a missed positive costs two needless ones; the policy of the day is decided elsewhere."""

ROWS_FOR_IMPORTANCE = 2_000
"""Contributions cost some 0.2 ms a row, and their mean needs no more rows."""


def train(
    columns: Mapping[str, Sequence[Value]],
    outcomes: Sequence[Value],
    contract: Contract,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Model:
    """Train, evaluate and describe a model. Deterministic, save for the card's time stamp.

    Args:
        columns: name → canonical values of all rows; an absent column is blank throughout. Columns
            that are no input of the contract are ignored.
        outcomes: 0 or 1 for each row; rows with ``None`` take no part.
        contract: names the features, and the protected columns to audit.
        threshold: the probability at which the card counts decisions.
        seed: of the folds and of the trees' choice of features.
        progress: told what is being done, in sentences.

    Raises:
        DataUnusable: there are too few rows of one outcome.
        ValueError: columns are of different lengths, or a value is not canonical.
    """
    tell = progress or (lambda _: None)
    records, known = _labelled(columns, outcomes, contract)
    counts = np.bincount(known, minlength=2)
    if counts.min() < FEWEST_OF_AN_OUTCOME:
        raise DataUnusable(
            f"Of the rows with a known outcome {counts[1]} are positive and {counts[0]} negative.",
            f"Give at least {FEWEST_OF_AN_OUTCOME} rows of each.",
        )
    tell(f"Evaluating on {len(records):,} rows …")
    evaluation = evaluate(
        records, known, contract, threshold=threshold, seed=seed, progress=progress
    )
    tell("Training on all rows …")
    scorer = fit(records, known, contract, seed=seed)
    tell("Describing the model …")
    inputs = {c.name: [record.get(c.name) for record in records] for c in contract.inputs}
    levels = {name: tuple(seen) for name, seen in scorer.levels.items()}
    card = Card(
        version=version_of(scorer.text, scorer.calibration, levels, contract.fingerprint, FORM),
        contract=contract.name,
        fingerprint=contract.fingerprint,
        features=tuple(column.name for column in contract.features),
        levels=levels,
        calibration=scorer.calibration,
        data_sha256=_sha256_of(inputs, known.tolist()),
        rows=len(records),
        positives=int(counts[1]),
        metrics=evaluation.metrics,
        calibration_bins=evaluation.calibration_bins,
        groups=evaluation.groups,
        importance=_importance(scorer, records[:ROWS_FOR_IMPORTANCE]),
        baseline=_baseline(contract, inputs, scorer, records),
        parameters=PARAMETERS | {"trees": TREES, "seed": seed},
        libraries={
            "python": platform.python_version(),
            **{name: version(name) for name in ("lightgbm", "numpy", "scikit-learn")},
        },
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        form=FORM,
    )
    return Model(scorer.text, card, contract)


def _labelled(
    columns: Mapping[str, Sequence[Value]], outcomes: Sequence[Value], contract: Contract
) -> tuple[list[Record], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """The rows whose outcome is known."""
    names = [column.name for column in contract.inputs if column.name in columns]
    records: list[Record] = [
        dict(zip(names, row, strict=True))
        for row in zip(*(columns[name] for name in names), strict=True)
    ]
    rows = [
        (record, outcome)
        for record, outcome in zip(records, outcomes, strict=True)
        if outcome is not None
    ]
    return [record for record, _ in rows], np.array([outcome for _, outcome in rows], np.int64)


def _baseline(
    contract: Contract,
    inputs: Mapping[str, Sequence[Value]],
    scorer: Scorer,
    records: Sequence[Record],
) -> Baseline:
    """The baseline; of the score it is that of the very model that will serve.

    Out-of-fold scores would be those of five other models, whose steps lie elsewhere: a large
    window without drift would differ from them for certain. That the model has learnt from these
    rows makes it look better than it is, but hardly moves the distribution of its scores:
    `benchmarks/drift_alarms.py` measures what comes of it.
    """
    return baseline_of(contract, inputs, scorer.probabilities(records).tolist())


def _importance(scorer: Scorer, records: Sequence[Record]) -> dict[str, float]:
    """Feature → mean size of its contribution to the score."""
    parts = [explanation["contributions"] for explanation in scorer.explain(records)]
    return {name: float(np.mean([abs(part[name]) for part in parts])) for name in parts[0]}


def _sha256_of(inputs: Mapping[str, Sequence[Value]], outcomes: Sequence[int]) -> str:
    """The SHA-256 of what is learnt from, whatever file and spelling it came in."""
    digest = hashlib.sha256(json.dumps(list(inputs)).encode())
    for row in zip(*inputs.values(), outcomes, strict=True):
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()
