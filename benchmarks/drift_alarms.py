"""How often drift cries wolf, and how surely it is found: a table for the docs.

Usage: ``drift_alarms.py [ROWS.csv] [--trials 2000] [--splits 50] [--seed 0]``

Without a file the built-in data set is drawn from. One split is what production is: a model is
trained on a third of the rows, as ``jobchurn train`` does it, and its card's baseline is what later
windows are compared with; the other two thirds arrive later and are scored by that model.

- *False alarms.* Both parts are cut from the same rows at random, so that there is no drift between
  them, and windows are drawn from the later part without replacement, two running ones without a
  row in common. A window is therefore to training what one sample is to another of the same
  population. (Drawn with replacement from a small pool, windows would repeat whatever distinguishes
  that pool from training, and large ones would rightly be called different.) Since all windows of a
  split share its training rows, many splits take part, each with as many windows; and as 500
  windows that warn 1 time in 100 show more than 2% in one of 75 runs, 2,000 are drawn.
- *Power.* A fault is put into the later part, whose rows are scored anew; counted are the windows
  in which the feature itself warns. Half as many windows suffice for that.

For comparison, the same windows by two usual rules: an alarm where the population stability index
of any feature is over 0.2 (each level a cell, numbers in ten bins, blanks a level, no share below
0.0001), and where the p-value of any feature's test is below 0.05 (the product's own tests).
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from jobchurn import synth
from jobchurn.contract import JOB_CHANGE, Kind, Value
from jobchurn.drift import Baseline, Decision, compare
from jobchurn.drift.baseline import LevelBaseline, NumberBaseline, binned, counts_of, numbers_of
from jobchurn.flow.rows import read_rows
from jobchurn.model import Model
from jobchurn.model.train import train

CONTRACT = JOB_CHANGE
SIZES = (100, 200, 500, 1000, 5000)
SIZES_FOR_POWER = SIZES[:-1]

TRAINING = 1 / 3
"""The share of the rows that trains: small, so that two windows of 5,000 are left."""

BUILT_IN_ROWS = 30_000

WARNS, PAGES = "no drift: warns", "no drift: pages (second of two running windows)"
PSI, P_VALUE = "no drift: PSI > 0.2", "no drift: KS or chi-square p < 0.05"

Cells = NDArray[np.object_]
"""Canonical values of one column."""

Places = NDArray[np.int64]
"""Of some rows, among those that arrive later."""

Window = tuple[dict[str, list[Value]], list[float]]
"""Columns and scores, as they come from the database."""

Tally = defaultdict[tuple[str, int], list[bool]]
"""(Row of the table, window size) → for each window, whether there was an alarm."""


def at_random(values: Cells, count: int, random: np.random.Generator) -> Places:
    """Any rows."""
    return random.permutation(len(values))[:count]


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with one column.

    Attributes:
        title: in words.
        column: its name.
        change: from the values of all rows to those with the fault.
        draw: chooses the rows of a window, by the column's values.
    """

    title: str
    column: str
    change: Callable[[Cells, np.random.Generator], Cells] = lambda values, _: values
    draw: Callable[[Cells, int, np.random.Generator], Places] = at_random


class Later:
    """Rows that arrive after training, scored once by the model."""

    def __init__(self, columns: Mapping[str, Cells], model: Model) -> None:
        self.columns = columns
        inputs = [column.name for column in CONTRACT.inputs]
        rows = zip(*(columns[name] for name in inputs), strict=True)
        self.scores = model.probabilities([dict(zip(inputs, row, strict=True)) for row in rows])

    def window(self, rows: Places) -> Window:
        """Some of them."""
        columns = {name: values[rows].tolist() for name, values in self.columns.items()}
        return columns, self.scores[rows].tolist()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure false alarms and power of drift.")
    parser.add_argument("csv", type=Path, nargs="?", help="rows; the built-in data by default")
    parser.add_argument("--trials", type=int, default=2000, help="windows of each size")
    parser.add_argument("--splits", type=int, default=50, help="models trained")
    parser.add_argument("--seed", type=int, default=0, help="of the splits and the windows")
    options = parser.parse_args()
    rows = columns_of(options.csv)
    count = len(rows[CONTRACT.outcome.name])
    if count * (1 - TRAINING) < 2 * SIZES[-1]:
        parser.error(f"{count:,} rows are too few: two windows must be left beside training")
    pairs = -(-options.trials // (2 * options.splits))
    tally = Tally(list)
    for seed in np.random.SeedSequence(options.seed).spawn(options.splits):
        measure(rows, pairs, np.random.default_rng(seed), tally)
    windows = 2 * pairs * options.splits
    name = options.csv.name if options.csv else "Built-in data"
    print(
        f"{name}: {count:,} rows, {options.splits} splits; of each size {windows:,} windows "
        f"without drift, and {pairs * options.splits:,} with each fault.\n"
    )
    print("| | " + " | ".join(f"n = {size}" for size in SIZES) + " |")
    print("|---|" + "---:|" * len(SIZES))
    for what in dict.fromkeys([WARNS, PAGES, PSI, P_VALUE, *(what for what, _ in tally)]):
        cells = [tally.get((what, size)) for size in SIZES]
        shares = ("" if cell is None else f"{np.mean(cell):.1%}" for cell in cells)
        print(f"| {what} | " + " | ".join(shares) + " |")


def measure(
    rows: Mapping[str, Cells], pairs: int, random: np.random.Generator, tally: Tally
) -> None:
    """Cut the rows once, train, and add to the tally what some pairs of running windows found."""
    order = random.permutation(len(rows[CONTRACT.outcome.name]))
    first, rest = np.split(order, [round(TRAINING * len(order))])
    learnt = {name: values[first].tolist() for name, values in rows.items()}
    model = train(learnt, learnt[CONTRACT.outcome.name], CONTRACT)
    # As the card keeps it.
    baseline: Baseline = json.loads(model.card.to_json())["baseline"]
    arriving = {name: values[rest] for name, values in rows.items()}
    later = Later(arriving, model)
    for size in SIZES:
        for _ in range(pairs):
            places = random.permutation(len(rest))[: 2 * size]
            quiet(baseline, later.window(places[:size]), later.window(places[size:]), tally)
    for fault in faults_of(rows):
        changed = fault.change(arriving[fault.column], random)
        faulty = Later({**arriving, fault.column: changed}, model)
        for size in SIZES_FOR_POWER:
            for _ in range(pairs):
                places = fault.draw(changed, size, random)
                found = compare(baseline, CONTRACT, *faulty.window(places))
                warned = any(f.feature == fault.column and f.decision for f in found)
                tally[f"warns: {fault.title}", size].append(warned)


def quiet(baseline: Baseline, first: Window, second: Window, tally: Tally) -> None:
    """Add the alarms of two running windows without drift."""
    drifted: set[tuple[str, str]] = set()
    size = len(first[1])
    for window in (first, second):
        found = compare(baseline, CONTRACT, *window, drifted_before=drifted)
        tally[WARNS, size].append(any(f.decision for f in found))
        if window is second:
            tally[PAGES, size].append(any(f.decision is Decision.PAGE for f in found))
        tally[PSI, size].append(any(index > 0.2 for index in usual_psi(baseline, window)))
        tally[P_VALUE, size].append(any(f.p_value is not None and f.p_value < 0.05 for f in found))
        drifted = {(f.kind, f.feature) for f in found if f.decision}


def usual_psi(baseline: Baseline, window: Window) -> Iterator[float]:
    """The population stability index of every feature and of the score, as it is usually taken."""
    columns, scores = window
    for name, distribution in baseline["columns"].items():
        if CONTRACT[name].is_numeric:
            yield psi_of_numbers(cast("NumberBaseline", distribution), numbers_of(columns[name]))
        else:
            yield psi_of_levels(cast("LevelBaseline", distribution), columns[name])
    yield psi_of_numbers(baseline["score"], np.array(scores))


def psi_of_levels(baseline: LevelBaseline, values: Sequence[Value]) -> float:
    """Of a category; what the baseline does not list is one level more."""
    counts = counts_of(values)
    listed = [counts[level] for level in baseline["levels"]]
    known = counts.total()
    before = [*baseline["levels"].values(), baseline["rest"]]
    return psi_of(
        np.array([*before, baseline["rows"] - sum(before)]),
        np.array([*listed, known - sum(listed), len(values) - known]),
    )


def psi_of_numbers(baseline: NumberBaseline, values: NDArray[np.float64]) -> float:
    """Of a number without blanks."""
    return psi_of(np.array(baseline["counts"]), binned(values, baseline["edges"]))


def psi_of(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Of rows by cell."""
    p = np.maximum(first / first.sum(), 1e-4)
    q = np.maximum(second / second.sum(), 1e-4)
    return float(np.sum((p - q) * np.log(p / q)))


def faults_of(rows: Mapping[str, Cells]) -> list[Fault]:
    """What goes wrong, each with one column."""
    open_text = next(column for column in CONTRACT.features if column.kind is Kind.TEXT)
    counts = counts_of(rows[open_text.name].tolist())
    # One of middling size, and one so small that its share alone makes it hard to see.
    levels = [
        min(counts, key=lambda level: abs(counts[level] - share * counts.total()))
        for share in (0.02, 0.01)
    ]
    gender = rows["gender"]
    filled = 1 - np.mean(gender == np.array(None))
    return [
        *(
            Fault(
                f"{level} ({counts[level] / counts.total():.1%} of rows) × 4",
                open_text.name,
                draw=multiplied(level, 4),
            )
            for level in levels
        ),
        Fault("company_size, a quarter of the filled blank", "company_size", blanked(0.25)),
        Fault("training_hours × 1.4", "training_hours", scaled("training_hours", 1.4)),
        Fault("city_development_index − 0.05", "city_development_index", lowered(0.05)),
        Fault("gender, 11 points more blank", "gender", blanked(0.11 / float(filled))),
    ]


def multiplied(level: str, times: float) -> Callable[[Cells, int, np.random.Generator], Places]:
    """Rows are chosen so that a level is so many times as frequent."""

    def draw(values: Cells, count: int, random: np.random.Generator) -> Places:
        order = random.permutation(len(values))
        has = values[order] == level
        wanted = random.binomial(count, times * has.mean())
        return np.concatenate([order[has][:wanted], order[~has][: count - wanted]])

    return draw


def blanked(chance: float) -> Callable[[Cells, np.random.Generator], Cells]:
    """A value goes blank by chance."""

    def change(values: Cells, random: np.random.Generator) -> Cells:
        changed = values.copy()
        changed[random.random(len(values)) < chance] = None
        return changed

    return change


def scaled(name: str, factor: float) -> Callable[[Cells, np.random.Generator], Cells]:
    """A whole number is multiplied, as far as its bounds allow."""
    highest = CONTRACT[name].maximum or 0

    def change(values: Cells, _: np.random.Generator) -> Cells:
        return objects(min(round(value * factor), int(highest)) for value in values)

    return change


def lowered(by: float) -> Callable[[Cells, np.random.Generator], Cells]:
    """A number loses something, and ends at 0."""
    return lambda values, _: objects(max(round(value - by, 3), 0.0) for value in values)


def columns_of(path: Path | None) -> dict[str, Cells]:
    """The values of every column, of a file or of the built-in data."""
    names = [column.name for column in CONTRACT.columns]
    if path is None:
        texts = synth.generate(BUILT_IN_ROWS)
        return {name: objects(map(CONTRACT[name].read, texts[name])) for name in names}
    records = list(read_rows(path, CONTRACT).records.values())
    return {name: objects(record.get(name) for record in records) for name in names}


def objects(values: Iterator[Value]) -> Cells:
    """Values as an array that keeps them as they are."""
    listed = list(values)
    found = np.empty(len(listed), dtype=object)
    found[:] = listed
    return found


if __name__ == "__main__":
    main()
