"""The shape of the fitted parameters: what ``parameters.json`` holds.

All weights are relative: they are whole numbers, so that the file is short and sampling exact.
"""

from __future__ import annotations

from typing import TypedDict


class Levels(TypedDict):
    """A column with few values, drawn by class.

    Attributes:
        texts: its values as files spell them; blank is the empty text.
        weights: for each class, the weight of each text.
    """

    texts: list[str]
    weights: list[list[int]]


class Bin(TypedDict):
    """Neighbouring values of a number, with the weight of each within the bin."""

    texts: list[str]
    weights: list[int]


class Binned(TypedDict):
    """A number with many values: a bin is drawn by class, then a value of the bin.

    Attributes:
        bins: in ascending order.
        weights: for each class, the weight of each bin.
    """

    bins: list[Bin]
    weights: list[list[int]]


# The functional form, since "from" is a keyword.
Derived = TypedDict("Derived", {"from": str, "texts": dict[str, str], "bands": list[float]})
"""A number that follows from another column: that column, text there → text here, and the upper
bounds (inclusive) of the bands in which the outcome looks at it."""

ImpliedBlank = TypedDict("ImpliedBlank", {"from": str, "texts": list[str]})
"""A column that is blank wherever another column has one of certain texts."""


class Term(TypedDict):
    """What one column, or two together, add to the outcome's log-odds.

    Attributes:
        columns: one name or two.
        weights: for each level, bin or band of the column; for two columns, a list for each of the
            first.
    """

    columns: list[str]
    weights: list[float] | list[list[float]]


class Outcome(TypedDict):
    """The outcome: a logistic model of the class and the other columns.

    Attributes:
        column: its name.
        texts: of a negative and of a positive.
        intercept: log-odds before anything is known.
        classes: what each class adds.
        terms: what the columns add.
    """

    column: str
    texts: list[str]
    intercept: float
    classes: list[float]
    terms: list[Term]


class Id(TypedDict):
    """The id: distinct random whole numbers from 1 to ``highest``."""

    column: str
    highest: int


class Parameters(TypedDict):
    """A latent-class model: within a class, columns are independent of each other.

    Attributes:
        about: what the file is, in words.
        fitted: on how many rows, with which settings.
        columns: every column, in the order of files.
        id: the column that names the subject, or ``None``.
        classes: the weight of each class.
        levels, binned, derived, implied_blanks: column → how its values come about.
        outcome: the column to predict.
    """

    about: str
    fitted: dict[str, float]
    columns: list[str]
    id: Id | None
    classes: list[int]
    levels: dict[str, Levels]
    binned: dict[str, Binned]
    derived: dict[str, Derived]
    implied_blanks: dict[str, ImpliedBlank]
    outcome: Outcome
