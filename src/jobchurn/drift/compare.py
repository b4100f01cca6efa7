"""Compare: a window of later rows, feature by feature, with what training saw.

What is known of a column and whether it is blank are tested apart: the two are different faults,
and neither hides in the other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from jobchurn.contract import Column, Contract, Kind, Value
from jobchurn.drift.baseline import (
    Baseline,
    LevelBaseline,
    NumberBaseline,
    binned,
    counts_of,
    numbers_of,
    share,
)
from jobchurn.drift.decide import Comparison, FeatureDrift, decide
from jobchurn.drift.two_sample import (
    Test,
    independence,
    kolmogorov_smirnov,
    pooled,
    psi,
    total_variation,
)
from jobchurn.errors import BaselineUnusable

SCORE = "score"
"""The score's name, and its kind."""


def compare(
    baseline: Baseline,
    contract: Contract,
    columns: Mapping[str, Sequence[Value]],
    scores: Sequence[float],
    *,
    drifted_before: Collection[tuple[str, str]] = (),
) -> list[FeatureDrift]:
    """Compare a window with training, and decide.

    Args:
        baseline: of the model that scored the window.
        contract: says which columns are inputs, and of what kind.
        columns: name → canonical values of the window's rows; an absent column is blank throughout.
        scores: the rows' probabilities.
        drifted_before: (kind, feature) of those that warned or paged in the window before.

    Returns:
        One for each input of the contract, in its order, and one for the score.

    Raises:
        BaselineUnusable: the baseline lacks what is compared.
    """
    rows = max([len(scores), *(len(values) for values in columns.values())])
    blanks = [None] * rows
    comparisons = []
    for column in contract.inputs:
        values = columns.get(column.name, blanks)
        if column.is_numeric:
            numbers = _numbers_in(baseline.get("columns", {}).get(column.name), column.name)
            comparisons.append(
                _of_numbers(
                    column.name, str(column.kind), numbers, numbers_of(values), column.required
                )
            )
        else:
            comparisons.append(_of_levels(column, _levels_in(baseline, column), values))
    of_score = _numbers_in(baseline.get("score"), SCORE)
    probabilities = np.asarray(scores, dtype=np.float64)
    comparisons.append(_of_numbers(SCORE, SCORE, of_score, probabilities, required=True))
    return decide(comparisons, drifted_before)


def unseen(baseline: Baseline, contract: Contract, columns: Mapping[str, Sequence[Value]]) -> int:
    """In how many rows an open text column holds a level that the baseline does not list.

    Raises:
        BaselineUnusable: the baseline lacks such a column.
    """
    strange: set[int] = set()
    for column in contract.inputs:
        if column.kind is Kind.TEXT:
            listed = _levels_in(baseline, column)["levels"]
            strange.update(
                row
                for row, value in enumerate(columns.get(column.name, ()))
                if value is not None and value not in listed
            )
    return len(strange)


def _of_levels(column: Column, baseline: LevelBaseline, values: Sequence[Value]) -> Comparison:
    counts = counts_of(values)
    levels = baseline["levels"]
    later = [counts[level] for level in levels]
    known = counts.total()
    first, second = pooled(
        np.array([*levels.values(), baseline["rest"]]), np.array([*later, known - sum(later)])
    )
    blank_before = baseline["rows"] - int(first.sum())
    blank = len(values) - known
    return Comparison(
        feature=column.name,
        kind=str(column.kind),
        known=independence(first, second),
        blank=_of_blanks(blank_before, baseline["rows"], blank, len(values), column.required),
        effect=total_variation(first, second),
        psi=psi(np.append(first, blank_before), np.append(second, blank)),
        missing=share(blank, len(values)),
        missing_baseline=baseline["missing"],
    )


def _of_numbers(
    feature: str, kind: str, baseline: NumberBaseline, values: NDArray[np.float64], required: bool
) -> Comparison:
    known = values[~np.isnan(values)]
    blank_before = baseline["rows"] - sum(baseline["counts"])
    blank = len(values) - len(known)
    test = kolmogorov_smirnov(baseline, known)
    mean = float(known.mean()) if len(known) else None
    shift = None
    if mean is not None and baseline["mean"] is not None and baseline["sd"]:
        shift = (mean - baseline["mean"]) / baseline["sd"]
    return Comparison(
        feature=feature,
        kind=kind,
        known=test,
        blank=_of_blanks(blank_before, baseline["rows"], blank, len(values), required),
        effect=None if test is None else test.statistic,
        psi=psi(
            np.append(baseline["counts"], blank_before),
            np.append(binned(known, baseline["edges"]), blank),
        ),
        missing=share(blank, len(values)),
        missing_baseline=baseline["missing"],
        mean=mean,
        shift=shift,
    )


def _of_blanks(before: int, rows_before: int, blank: int, rows: int, required: bool) -> Test | None:
    """The test of the share of blanks; where they are refused, only if there are some even so."""
    if required and not before and not blank:
        return None
    return independence(np.array([before, rows_before - before]), np.array([blank, rows - blank]))


def _levels_in(baseline: Baseline, column: Column) -> LevelBaseline:
    found = baseline.get("columns", {}).get(column.name)
    return cast("LevelBaseline", _complete(found, LevelBaseline.__required_keys__, column.name))


def _numbers_in(found: LevelBaseline | NumberBaseline | None, name: str) -> NumberBaseline:
    return cast("NumberBaseline", _complete(found, NumberBaseline.__required_keys__, name))


def _complete(
    found: Mapping[str, Any] | None, keys: Collection[str], name: str
) -> Mapping[str, Any]:
    """A part of a baseline, if all is there: cards written before drift was watched lack some."""
    if found is None or not set(keys) <= found.keys():
        raise BaselineUnusable(
            f"The card of the model does not say enough of how {name} was distributed in training.",
            "Train again (`jobchurn train`) and promote the new model: its card will.",
        )
    return found
