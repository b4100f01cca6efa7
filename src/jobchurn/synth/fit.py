"""Fit: a real data set becomes the parameters of a synthetic one, and nothing of its rows.

A latent-class model (a mixture of products of categorical distributions, fitted by
expectation-maximisation) gives the columns, a ridge-penalised logistic regression on columns and
pairs of columns the outcome. Structure is found in the data (:mod:`jobchurn.synth.structure`).

Nobody is to be recognised in the result: values that few rows share are left out, every class is
blended with the whole (pseudo-counts), and of the ids only their range is looked at.

Needs the ``pipeline`` extra (scikit-learn).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression

from jobchurn.contract import Contract, Role
from jobchurn.synth.shape import Binned, ImpliedBlank, Levels, Outcome, Parameters, Term
from jobchurn.synth.structure import (
    Cells,
    Codes,
    bands_of,
    bins_of,
    derived_of,
    id_of,
    implied_blanks_of,
    levels_of,
)

CLASSES = 18
"""More are more faithful, and remember more: ``benchmarks/fidelity.py`` measures both."""

PSEUDO_COUNT = 10.0
"""So many rows of the whole's distribution are blended into each class, for each column."""

PSEUDO_COUNT_OF_BINS = 2000.0
"""The same for numbers in bins: fine-grained, they would tell people apart and say little."""

STEPS = 150
PENALTY = 0.06
"""Of the outcome's regression: scikit-learn's ``C``. Smaller forgets more."""

SCALE = 1_000_000
"""To which weights sum before they are rounded to whole numbers."""

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class _Coded:
    """A column as the mixture sees it: places, and how many there are."""

    codes: Codes
    size: int
    pseudo_count: float

    def one_hot(self) -> Matrix:
        matrix = np.zeros((len(self.codes), self.size), dtype=np.float32)
        known = np.flatnonzero(self.codes >= 0)
        matrix[known, self.codes[known]] = 1
        return matrix


def fit(
    columns: Cells,
    contract: Contract,
    *,
    classes: int = CLASSES,
    pseudo_count: float = PSEUDO_COUNT,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Parameters:
    """Fit the parameters.

    Args:
        columns: every column of the contract → the texts of its cells, as a file holds them. Each
            row has a known outcome, and all of them admitted values.
        contract: says what the columns are.
        classes: of the mixture. More are more faithful, and remember more of single rows.
        pseudo_count: see :data:`PSEUDO_COUNT`.
        seed: of the mixture's start.
        progress: told what is being done, in sentences.
    """
    tell = progress or (lambda _: None)
    inputs = {column.name: column for column in contract.inputs}
    derived = dict(derived_of(columns, contract))
    implied = implied_blanks_of(columns, contract)
    levels: dict[str, Levels] = {}
    binned: dict[str, Binned] = {}
    coded: dict[str, _Coded] = {}
    for name, column in inputs.items():
        if name in derived:
            continue
        if column.is_numeric:
            bins, codes = bins_of(column, columns[name])
            binned[name] = {"bins": bins, "weights": []}
            coded[name] = _Coded(codes, len(bins), PSEUDO_COUNT_OF_BINS)
        else:
            texts, codes = levels_of(column, columns[name])
            levels[name] = {"texts": texts, "weights": []}
            coded[name] = _Coded(codes, len(texts), pseudo_count)
    tell(f"Fitting {classes} classes …")
    free = {
        name: _without_implied(column, implied.get(name), columns) for name, column in coded.items()
    }
    weights, distributions, memberships = _mixture(free, classes, seed)
    for name, distribution in distributions.items():
        place = levels[name] if name in levels else binned[name]
        place["weights"] = [_whole(row) for row in distribution]
    tell("Fitting the outcome …")
    factors = coded | {
        name: _Coded(bands_of(columns[name], rule["bands"]), len(rule["bands"]) + 1, 0)
        for name, rule in derived.items()
    }
    return {
        "about": (
            "Aggregates of a real data set, made by scripts/fit_synth.py: weights of classes and "
            "values, and a logistic model of the outcome. No row of it, and no id, is here."
        ),
        "fitted": {
            "rows": len(columns[contract.outcome.name]),
            "classes": classes,
            "pseudo_count": pseudo_count,
            "seed": seed,
        },
        "columns": [column.name for column in contract.columns],
        "id": id_of(columns, contract),
        "classes": _whole(weights),
        "levels": levels,
        "binned": binned,
        "derived": derived,
        "implied_blanks": implied,
        "outcome": _outcome(columns, contract, factors, memberships),
    }


def _without_implied(column: _Coded, rule: ImpliedBlank | None, columns: Cells) -> _Coded:
    """The column without the blanks that a rule accounts for: the classes need not learn them."""
    if rule is None:
        return column
    implied = np.isin(columns[rule["from"]], rule["texts"])
    return _Coded(np.where(implied, -1, column.codes), column.size, column.pseudo_count)


def _mixture(
    columns: Mapping[str, _Coded], classes: int, seed: int
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]], Matrix]:
    """Expectation-maximisation for a mixture of products of categorical distributions.

    Returns:
        The weight of each class; for each column the distribution of its places in each class; for
        each row the probability of each class.
    """
    one_hot = np.concatenate([column.one_hot() for column in columns.values()], axis=1)
    sizes = [column.size for column in columns.values()]
    parts = [slice(end - n, end) for end, n in zip(np.cumsum(sizes), sizes, strict=True)]
    whole = np.concatenate([_shares(one_hot[:, part].sum(axis=0)) for part in parts])
    blend = np.repeat([column.pseudo_count for column in columns.values()], sizes)
    random = np.random.default_rng(seed)
    memberships = random.dirichlet(np.full(classes, 0.3), len(one_hot)).astype(np.float32)
    for _ in range(STEPS):
        weights = _shares(memberships.sum(axis=0) + 1)
        counts = memberships.T @ one_hot + (blend * whole).astype(np.float32)
        shares = np.concatenate([_shares(counts[:, part]) for part in parts], axis=1)
        log_likelihood = one_hot @ np.log(shares + 1e-12).T + np.log(weights)
        memberships = _shares(np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True)))
    by_column = {
        name: shares[:, part].astype(np.float64) for name, part in zip(columns, parts, strict=True)
    }
    return weights.astype(np.float64), by_column, memberships


def _shares(counts: Matrix) -> Matrix:
    shares: Matrix = counts / counts.sum(axis=-1, keepdims=True)
    return shares


def _outcome(
    columns: Cells,
    contract: Contract,
    factors: Mapping[str, _Coded],
    memberships: Matrix,
) -> Outcome:
    """A logistic regression on classes, columns, and pairs of the features with few values."""
    column = contract.outcome
    outcomes = np.array([column.read(cell) for cell in columns[column.name]], dtype=np.int64)
    few = [c.name for c in contract.inputs if c.role is Role.FEATURE and factors[c.name].size <= 32]
    names: list[tuple[str, ...]] = [(name,) for name in factors]
    names += itertools.combinations(few, 2)
    blocks = [csr_matrix(memberships.astype(np.float64))]
    sizes = [tuple(factors[name].size for name in term) for term in names]
    for term, size in zip(names, sizes, strict=True):
        codes = [factors[name].codes for name in term]
        known = np.flatnonzero(np.all([c >= 0 for c in codes], axis=0))
        places = np.ravel_multi_index([c[known] for c in codes], size)
        shape = (len(outcomes), int(np.prod(size)))
        blocks.append(csr_matrix((np.ones(len(known)), (known, places)), shape=shape))
    regression = LogisticRegression(C=PENALTY, max_iter=3000)
    regression.fit(hstack(blocks).tocsr(), outcomes)
    pieces = np.split(regression.coef_[0].round(3), np.cumsum([b.shape[1] for b in blocks])[:-1])
    terms: list[Term] = [
        {"columns": list(term), "weights": weights.reshape(size).tolist()}
        for term, size, weights in zip(names, sizes, pieces[1:], strict=True)
    ]
    return {
        "column": column.name,
        "texts": [column.write(0), column.write(1)],
        "intercept": round(float(regression.intercept_[0]), 3),
        "classes": pieces[0].tolist(),
        "terms": terms,
    }


def _whole(shares: NDArray[np.float64]) -> list[int]:
    return [int(share) for share in (shares * SCALE).round()]
