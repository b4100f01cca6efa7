"""The baseline: what the data and the score looked like in training, for later data to be compared.

Blanks are part of the picture: in a category they are counted beside the levels, in a number as a
share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jobchurn.contract import Column, Contract, Value

BINS = 10
"""Into how many bins, as equally filled as ties allow, a number is cut."""

MOST_LEVELS = 500
"""How many levels of an open text column are counted one by one; the rarest make up the rest."""

QUANTILES = np.linspace(0, 1, 101)
"""Of each number: enough to rebuild its distribution to within a percent."""


class LevelBaseline(TypedDict):
    """How often each level of a category or a text occurred.

    Attributes:
        rows: how many rows were seen.
        missing: the share of blanks.
        levels: level → rows; of a category every level of the contract, of a text the commonest.
        rest: rows whose level is not listed.
    """

    rows: int
    missing: float
    levels: dict[str, int]
    rest: int


class NumberBaseline(TypedDict):
    """How a number was distributed.

    Attributes:
        rows: how many rows were seen.
        missing: the share of blanks.
        mean, sd: of the values, or ``None`` where there were none.
        quantiles: the values at each percent from 0 to 100; empty where there were none.
        edges: upper bounds (inclusive) of all bins but the last, ascending.
        counts: rows in each bin; one more than there are edges.
        points: the distinct quantiles, ascending: where the distribution function is known exactly.
        below, through: of each point, how many values lie below it, and how many not above it.
    """

    rows: int
    missing: float
    mean: float | None
    sd: float | None
    quantiles: list[float]
    edges: list[float]
    counts: list[int]
    points: list[float]
    below: list[int]
    through: list[int]


class Baseline(TypedDict):
    """What a model was trained on.

    Attributes:
        columns: name → the column's distribution, for every input of the contract.
        score: the distribution of the probabilities.
    """

    columns: dict[str, LevelBaseline | NumberBaseline]
    score: NumberBaseline


def baseline_of(
    contract: Contract, columns: Mapping[str, Sequence[Value]], scores: Sequence[float]
) -> Baseline:
    """The distribution of every input column and of the score.

    Args:
        contract: says which columns are inputs, and of what kind.
        columns: name → canonical values of all rows; an absent column is blank throughout.
        scores: the probabilities that the model to be served gives these rows; those of another
            one, though trained alike, are distributed otherwise.
    """
    rows = max((len(values) for values in columns.values()), default=0)
    found: dict[str, LevelBaseline | NumberBaseline] = {}
    for column in contract.inputs:
        values = columns.get(column.name, [None] * rows)
        if column.is_numeric:
            found[column.name] = _of_numbers(numbers_of(values))
        else:
            found[column.name] = _of_levels(column, values)
    return {"columns": found, "score": _of_numbers(np.asarray(scores, dtype=np.float64))}


def numbers_of(values: Sequence[Value]) -> NDArray[np.float64]:
    """Values of a numeric column as floats, blanks as NaN."""
    numbers = [float(v) if isinstance(v, int | float) else np.nan for v in values]
    return np.array(numbers, dtype=np.float64)


def counts_of(values: Sequence[Value]) -> Counter[str]:
    """How often each level occurs; blanks are not counted."""
    counts = Counter(values)
    del counts[None]
    return Counter({str(level): count for level, count in counts.items()})


def _of_levels(column: Column, values: Sequence[Value]) -> LevelBaseline:
    counts = counts_of(values)
    names = column.levels or sorted(counts, key=lambda level: (-counts[level], level))
    levels = {level: counts[level] for level in names[:MOST_LEVELS]}
    known = counts.total()
    return {
        "rows": len(values),
        "missing": share(len(values) - known, len(values)),
        "levels": levels,
        "rest": known - sum(levels.values()),
    }


def _of_numbers(values: NDArray[np.float64]) -> NumberBaseline:
    known = values[~np.isnan(values)]
    missing = share(len(values) - len(known), len(values))
    if not len(known):
        return {
            "rows": len(values),
            "missing": missing,
            "mean": None,
            "sd": None,
            "quantiles": [],
            "edges": [],
            "counts": [0],
            "points": [],
            "below": [],
            "through": [],
        }
    # Quantiles that are values of the data, so that those of a whole number are whole.
    quantiles = np.quantile(known, QUANTILES, method="inverted_cdf")
    inner = np.quantile(known, np.arange(1, BINS) / BINS, method="inverted_cdf")
    edges = np.unique(inner[inner < known.max()])
    points = np.unique(quantiles)
    known.sort()
    return {
        "rows": len(values),
        "missing": missing,
        "mean": float(known.mean()),
        "sd": float(known.std()),
        "quantiles": quantiles.tolist(),
        "edges": edges.tolist(),
        "counts": binned(known, edges).tolist(),
        "points": points.tolist(),
        "below": np.searchsorted(known, points, side="left").tolist(),
        "through": np.searchsorted(known, points, side="right").tolist(),
    }


def binned(values: NDArray[np.float64], edges: ArrayLike) -> NDArray[np.int64]:
    """How many values lie in each bin; ``edges`` are the upper bounds of all but the last."""
    bounds = np.asarray(edges, dtype=np.float64)
    return np.bincount(np.searchsorted(bounds, values, side="left"), minlength=len(bounds) + 1)


def share(part: int, whole: int) -> float:
    """A part of a whole, 0 of nothing."""
    return part / whole if whole else 0.0
