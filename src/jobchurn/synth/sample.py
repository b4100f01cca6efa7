"""Sample: the fitted parameters become rows.

The same seed gives the same bytes, on every Python and numpy: all randomness is the stream of
doubles of numpy's PCG64, and all tables are of whole numbers.
"""

from __future__ import annotations

import csv
import functools
import json
import os
import secrets
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from jobchurn.synth.shape import Binned, Outcome, Parameters

ROWS = 19_158
"""As many as the original data set has."""

Codes = NDArray[np.int64]
"""For each row the place of its value among a column's levels, bins or bands."""


@functools.cache
def parameters() -> Parameters:
    """The parameters that are shipped."""
    text = files("jobchurn.synth").joinpath("parameters.json").read_text(encoding="utf-8")
    return cast("Parameters", json.loads(text))


def generate(
    rows: int = ROWS, seed: int = 0, fitted: Parameters | None = None
) -> dict[str, list[str]]:
    """Random rows, as the texts of a file's cells; a blank is the empty text.

    Args:
        rows: how many.
        seed: the same seed gives the same rows.
        fitted: the parameters; those that are shipped by default.

    Returns:
        Column name → one text a row, in the order of files.
    """
    fitted = fitted or parameters()
    random = np.random.Generator(np.random.PCG64(seed))
    classes = _drawn(fitted["classes"], random.random(rows))
    codes: dict[str, Codes] = {}
    texts: dict[str, list[str]] = {}
    for name, levels in fitted["levels"].items():
        codes[name] = _drawn_by_class(levels["weights"], classes, random.random(rows))
    for name, implied in fitted["implied_blanks"].items():
        source = fitted["levels"][implied["from"]]["texts"]
        blank = np.isin(codes[implied["from"]], [source.index(text) for text in implied["texts"]])
        codes[name][blank] = fitted["levels"][name]["texts"].index("")
    for name, levels in fitted["levels"].items():
        texts[name] = _texts(levels["texts"], codes[name])
    for name, binned in fitted["binned"].items():
        codes[name] = _drawn_by_class(binned["weights"], classes, random.random(rows))
        texts[name] = _values_of_bins(binned, codes[name], random.random(rows))
    for name, derived in fitted["derived"].items():
        known = fitted["levels"][derived["from"]]["texts"]
        here = [derived["texts"][text] for text in known]
        texts[name] = _texts(here, codes[derived["from"]])
        bands = np.searchsorted(derived["bands"], [float(text) for text in here], side="left")
        codes[name] = bands[codes[derived["from"]]]
    outcome = fitted["outcome"]
    positive = random.random(rows) < _probabilities(outcome, classes, codes)
    texts[outcome["column"]] = _texts(outcome["texts"], positive.astype(np.int64))
    if fitted["id"] is not None:
        highest = max(fitted["id"]["highest"], rows)
        ids = np.argsort(random.random(highest), kind="stable")[:rows] + 1
        texts[fitted["id"]["column"]] = list(map(str, ids.tolist()))
    return {name: texts[name] for name in fitted["columns"]}


def write_csv(
    path: Path, rows: int = ROWS, seed: int = 0, fitted: Parameters | None = None
) -> None:
    """Write random rows as a CSV file, whole or not at all: see :func:`generate`.

    Raises:
        OSError: the file cannot be written.
    """
    columns = generate(rows, seed, fitted)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _drawn(weights: list[int], random: NDArray[np.float64]) -> Codes:
    """Places drawn by weight: where a random share of the total falls."""
    bounds = np.cumsum(np.array(weights, dtype=np.int64))
    places: Codes = np.searchsorted(bounds, random * bounds[-1], side="right")
    # A share so close to 1 that its product rounds up to the total falls to the last place.
    return places.clip(max=len(weights) - 1)


def _drawn_by_class(weights: list[list[int]], classes: Codes, random: NDArray[np.float64]) -> Codes:
    codes = np.empty(len(classes), dtype=np.int64)
    for number, row in enumerate(weights):
        members = classes == number
        codes[members] = _drawn(row, random[members])
    return codes


def _values_of_bins(binned: Binned, codes: Codes, random: NDArray[np.float64]) -> list[str]:
    texts = np.empty(len(codes), dtype=object)
    for number, values in enumerate(binned["bins"]):
        members = codes == number
        drawn = _drawn(values["weights"], random[members])
        texts[members] = np.array(values["texts"], dtype=object)[drawn]
    return cast("list[str]", texts.tolist())


def _probabilities(
    outcome: Outcome, classes: Codes, codes: Mapping[str, Codes]
) -> NDArray[np.float64]:
    log_odds = outcome["intercept"] + np.array(outcome["classes"])[classes]
    for term in outcome["terms"]:
        places = tuple(codes[name] for name in term["columns"])
        log_odds += np.array(term["weights"])[places]
    probabilities: NDArray[np.float64] = 1 / (1 + np.exp(-log_odds))
    return probabilities


def _texts(texts: list[str], codes: Codes) -> list[str]:
    return [texts[code] for code in codes.tolist()]
