"""Structure: what a real data set is made of, found in it and in the contract.

Which values are common enough to be told, which numbers follow from a text, and where a blank in
one column follows from another.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from jobchurn.contract import Column, Contract, Kind
from jobchurn.synth.shape import Bin, Derived, Id, ImpliedBlank

FEWEST = 5
"""A value that fewer rows share is left out: the usual threshold of disclosure control."""

FEWEST_OF_A_RULE = 50
"""So many rows must agree for "always blank there" to be a rule rather than chance."""

BINS = 16
"""Into how many bins a number is cut, to be drawn."""

BANDS = 9
"""Into how many bands a number that follows from another column is cut, for the outcome."""

Codes = NDArray[np.int64]
"""For each row the place of its value; -1 where the value is left out or implied."""

Cells = Mapping[str, Sequence[str]]
"""Column → the texts of its cells, one a row."""


def derived_of(columns: Cells, contract: Contract) -> Iterator[tuple[str, Derived]]:
    """Numbers of which each value of an open text has exactly one."""
    for number in (c for c in contract.inputs if c.is_numeric):
        for text in (c for c in contract.inputs if not c.is_numeric and not c.is_closed):
            pairs = set(zip(columns[text.name], columns[number.name], strict=True))
            seen = Counter(columns[text.name])
            values = np.array([float(cell or "nan") for cell in columns[number.name]])
            follows = len(pairs) == len(seen) and not np.isnan(values).any()
            if follows and len(seen) * FEWEST < len(values):
                shares = np.arange(1, BANDS) / BANDS
                bands = np.unique(np.quantile(values, shares, method="inverted_cdf"))
                texts = {a: b for a, b in sorted(pairs) if seen[a] >= FEWEST}
                yield number.name, {"from": text.name, "texts": texts, "bands": bands.tolist()}
                break


def implied_blanks_of(columns: Cells, contract: Contract) -> dict[str, ImpliedBlank]:
    """Columns that are blank wherever an earlier one has one of certain values.

    Of several earlier columns the one counts that explains the most blanks.
    """
    closed = [column.name for column in contract.inputs if column.is_closed]
    found: dict[str, tuple[int, ImpliedBlank]] = {}
    for source, name in itertools.combinations(closed, 2):
        blanks = Counter(a for a, b in zip(columns[source], columns[name], strict=True) if b == "")
        seen = Counter(columns[source])
        texts = [t for t in seen if blanks[t] == seen[t] >= FEWEST_OF_A_RULE]
        explained = sum(blanks[text] for text in texts)
        if explained > found.get(name, (0,))[0]:
            found[name] = explained, {"from": source, "texts": sorted(texts)}
    # In order, so that a column is settled before another follows from it.
    return {name: found[name][1] for name in closed if name in found}


def levels_of(column: Column, cells: Sequence[str]) -> tuple[list[str], Codes]:
    """The texts that enough rows share, in the contract's order or by frequency; blank last."""
    seen = Counter(cells)
    places = {level: place for place, level in enumerate(column.levels)}
    texts = sorted(
        (text for text, rows in seen.items() if rows >= FEWEST),
        key=lambda t: (t == "", places.get(str(column.read(t)), -seen[t]), t),
    )
    codes = {text: place for place, text in enumerate(texts)}
    return texts, np.array([codes.get(cell, -1) for cell in cells])


def bins_of(column: Column, cells: Sequence[str]) -> tuple[list[Bin], Codes]:
    """Bins as equally filled as ties allow; blank is a bin of its own, the last."""
    values = np.array([float(cell) if cell else np.nan for cell in cells])
    known = values[~np.isnan(values)]
    shares = np.arange(1, BINS) / BINS
    edges = np.unique(np.quantile(known, shares, method="inverted_cdf"))
    codes = np.where(np.isnan(values), -1, np.searchsorted(edges, values, side="left"))
    bins: list[Bin] = []
    for place in np.unique(codes[codes >= 0]):
        inside = values[codes == place]
        seen = Counter(cell for cell, code in zip(cells, codes, strict=True) if code == place)
        kept = {text: rows for text, rows in seen.items() if rows >= FEWEST}
        if not kept:
            middle = round(float(inside.mean()), 0 if column.kind is Kind.INTEGER else 3)
            kept = {column.write(column.accept(middle)): len(inside)}
        texts = sorted(kept, key=float)
        codes[codes == place] = len(bins)
        bins.append({"texts": texts, "weights": [kept[text] for text in texts]})
    if np.isnan(values).sum() >= FEWEST:
        codes[np.isnan(values)] = len(bins)
        bins.append({"texts": [""], "weights": [1]})
    return bins, codes


def bands_of(cells: Sequence[str], bands: Sequence[float]) -> Codes:
    """The band of each cell's number."""
    return np.searchsorted(bands, [float(cell) for cell in cells], side="left")


def id_of(columns: Cells, contract: Contract) -> Id | None:
    """The range of ids, rounded up so that no one's is told."""
    if contract.id is None:
        return None
    highest = max(int(cell) for cell in columns[contract.id.name] if cell)
    return {"column": contract.id.name, "highest": -(-highest // 1000) * 1000}
