"""Errors that can be injected into good rows, derived from what the contract promises.

A fault breaks one promise about one column on purpose, so that everything that should find it can
be shown to do so; ``tests/one_truth`` holds each fault to :meth:`Column.read`. Columns are chosen
by role and kind: a contract without a fitting column goes without that fault, and the numbers of
the others stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from jobchurn.contract import Column, Contract, Kind, Role, Rule
from jobchurn.verdict import StructureRule

Injector = Callable[[str, Random], str]
"""The text of a good cell, and what decides among several → a text that breaks the rule."""

_INFINITIES = ("inf", "-inf", "Infinity", "-Infinity")
_NO_NUMBERS = ("unknown", "twelve", "a lot", "n/a", "#REF!", "1O")
_NO_LEVELS = ("Unknown", "Undefined", "N/A", "?", "not asked")
_SPANS_BEYOND = (999, 9_999, 99_999)
_MOST_BELOW = 100


@dataclass(frozen=True)
class Fault:
    """An error that can be injected.

    Attributes:
        number: under which it is known, from 1 to 8.
        name: in a few words.
        description: one sentence.
        rule: the rule that is broken, and that should find it.
        column: the column in question.
        injector: what breaks a cell; ``None`` where the column is taken out of the whole file.
    """

    number: int
    name: str
    description: str
    rule: Rule | StructureRule
    column: Column
    injector: Injector | None

    @property
    def takes_the_column(self) -> bool:
        """Whether a file's whole column is taken out, rather than one cell broken."""
        return self.injector is None

    def inject(self, cells: Mapping[str, str], rng: Random) -> str:
        """The text to put into a row's cell of :attr:`column`, in place of the one that is there.

        Args:
            cells: the row's texts by column.
            rng: decides among several texts; the same state gives the same text.

        Raises:
            ValueError: the fault takes the whole column.
        """
        if self.injector is None:
            raise ValueError(f"fault {self.number} breaks no cell: it takes the whole column")
        return self.injector(cells[self.column.name], rng)


def faults_of(contract: Contract) -> list[Fault]:
    """The faults that a contract's promises make possible, in order of their numbers."""
    return list(_faults(contract))


def _faults(contract: Contract) -> Iterator[Fault]:
    if column := _column(contract, lambda c: c.required, Role.FEATURE, Kind.TEXT):
        yield Fault(
            1,
            "missing value",
            f"{column.label}, which is required, is blank.",
            Rule.REQUIRED,
            column,
            lambda _text, _rng: "",
        )
    if column := _column(contract, lambda c: c.is_numeric, Role.FEATURE, Kind.NUMBER):
        yield Fault(
            2,
            "infinite number",
            f"{column.label} is infinite.",
            Rule.FINITE,
            column,
            lambda _text, rng: rng.choice(_INFINITIES),
        )
    if column := _column(contract, lambda c: c.is_closed and not c.required, Role.PROTECTED):
        yield Fault(
            3,
            "unknown level of an optional category",
            f"{column.label}, which may be blank, is none of its levels.",
            Rule.DOMAIN,
            column,
            _no_level(column),
        )
    if column := _column(contract, lambda c: c.is_closed and c.required, Role.FEATURE):
        yield Fault(
            4,
            "unknown level of a required category",
            f"{column.label}, which is required, is none of its levels.",
            Rule.DOMAIN,
            column,
            _no_level(column),
        )
    if column := _column(contract, _has_room, Role.FEATURE, Kind.INTEGER):
        yield Fault(
            5,
            "impossible number",
            f"{column.label} is below the least that is possible.",
            Rule.RANGE,
            column,
            _below(column),
        )
    if column := _column(contract, lambda c: c.is_numeric, Role.FEATURE, Kind.INTEGER):
        yield Fault(
            6,
            "text in a number",
            f"{column.label} is no number but a text.",
            Rule.KIND,
            column,
            _no_number(column),
        )
    if column := _column(contract, _has_room, Role.FEATURE, Kind.NUMBER):
        yield Fault(
            7,
            "extreme outlier",
            f"{column.label} is a thousand times beyond its range, or more.",
            Rule.RANGE,
            column,
            _beyond(column),
        )
    # A header without any required name would be none at all.
    several = len(contract.required) > 1
    if several and (column := _column(contract, lambda c: c.required, Role.FEATURE)):
        yield Fault(
            8,
            "missing column",
            f"{column.label}, a required column, is missing: every row of the file is bad.",
            StructureRule.MISSING_COLUMN,
            column,
            None,
        )


def _column(
    contract: Contract, fits: Callable[[Column], bool], role: Role, kind: Kind | None = None
) -> Column | None:
    """The first column that fits, of the wanted role and then kind where there is one.

    Never the outcome: a fault there would cost a label, and say nothing about what is predicted.
    """
    fitting = [column for column in contract.columns if fits(column)]
    return min(
        (column for column in fitting if column.role is not Role.OUTCOME),
        key=lambda column: (column.role is not role, column.kind is not kind),
        default=None,
    )


def _no_level(column: Column) -> Injector:
    def injector(text: str, rng: Random) -> str:
        """Another word, or the row's own level misspelt."""
        words = [*_NO_LEVELS, text.swapcase(), f"{text}{text[-1:]}"]
        return rng.choice([word for word in words if word and not column.admits(word)])

    return injector


def _no_number(column: Column) -> Injector:
    def injector(text: str, rng: Random) -> str:
        """A word, or the row's own number with its unit."""
        with_unit = [f"{text} {column.unit}"] if column.unit else []
        return rng.choice([*_NO_NUMBERS, *with_unit])

    return injector


def _has_room(column: Column) -> bool:
    """Whether numbers can be spelt that lie beyond both bounds."""
    if column.minimum is None or column.maximum is None:
        return False
    return column.minimum - 1 < column.minimum and math.isfinite(_far(column, _SPANS_BEYOND[-1]))


def _below(column: Column) -> Injector:
    minimum = column.minimum or 0
    return lambda _text, rng: _spelt(column, minimum - rng.randint(1, _MOST_BELOW))


def _beyond(column: Column) -> Injector:
    return lambda _text, rng: _spelt(column, _far(column, rng.choice(_SPANS_BEYOND)))


def _far(column: Column, spans: int) -> float:
    """A number so many spans of the column's range beyond its maximum."""
    minimum, maximum = column.minimum or 0, column.maximum or 0
    return maximum + spans * max(maximum - minimum, 1)


def _spelt(column: Column, number: float) -> str:
    return str(int(number) if column.kind is Kind.INTEGER else number)
