"""The contract's rules about values as a Great Expectations suite, run on the texts of a column.

The one importer of Great Expectations.
"""

from __future__ import annotations

import logging
import math
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from jobchurn.contract import (
    CONTROL_PATTERN,
    NOT_FINITE_PATTERN,
    NUMBER_PATTERN,
    Column,
    Kind,
    Rule,
)

# It is read once, when Great Expectations is imported.
os.environ["GX_ANALYTICS_ENABLED"] = "false"
import great_expectations as gx
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations import (  # type: ignore[attr-defined]  # not in an __all__
    ExpectColumnValueLengthsToBeBetween,
    ExpectColumnValuesToBeBetween,
    ExpectColumnValuesToBeInSet,
    ExpectColumnValuesToMatchRegex,
    ExpectColumnValuesToNotBeInSet,
    ExpectColumnValuesToNotBeNull,
    ExpectColumnValuesToNotMatchRegex,
)

if TYPE_CHECKING:
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.expectations.expectation import Expectation

_WHOLE_NUMBER = re.compile(r"([+-]?[0-9]{1,30})(\.0*)?")
_NUMBER = re.compile(NUMBER_PATTERN)

# Not the default: "unexpected_list" stops at 200 values without a word, the index list does not.
_RESULT_FORMAT = {
    "result_format": "COMPLETE",
    "exclude_unexpected_values": True,
    "return_unexpected_index_query": False,
}


class JudgementFailed(RuntimeError):
    """Great Expectations could not evaluate a rule, or judged against the contract: our fault."""


def expectations_of(column: Column) -> list[Expectation]:
    """The column's rules as expectations, in the order of :attr:`Column.rules`.

    Texts are judged in the series of the column's own name, where ``None`` stands for a blank;
    what they spell is judged in a numeric column's two derived series. Each expectation's ``meta``
    says which ``column`` and ``rule`` it stands for; a rule may need two.

    Raises:
        ValueError: a bound that Great Expectations cannot hold exactly.
    """
    return [expectation for rule in column.rules for expectation in _stated(column, rule)]


def names_of(column: Column, rule: Rule) -> str:
    """The Great Expectations classes that judge one rule of a column."""
    return " + ".join(type(expectation).__name__ for expectation in _stated(column, rule))


def _stated(column: Column, rule: Rule) -> list[Expectation]:
    text: dict[str, Any] = {
        "column": column.name,
        "meta": {"column": column.name, "rule": str(rule)},
    }
    number = text | {"column": _number_series(column)}
    fraction = text | {"column": _fraction_series(column)}
    match rule:
        case Rule.REQUIRED:
            return [ExpectColumnValuesToNotBeNull(**text)]
        case Rule.FINITE:
            # Infinity has a spelling of its own; other numbers are only too large, as 1e400.
            return [
                ExpectColumnValuesToNotMatchRegex(regex=_whole(NOT_FINITE_PATTERN), **text),
                ExpectColumnValuesToNotBeInSet(value_set=[math.inf, -math.inf], **number),
            ]
        case Rule.KIND:
            return [ExpectColumnValuesToMatchRegex(regex=_whole(NUMBER_PATTERN), **text)]
        case Rule.INTEGRAL:
            return [ExpectColumnValuesToBeInSet(value_set=[0], **fraction)]
        case Rule.RANGE:
            return [ExpectColumnValuesToBeBetween(**_bounds(column), **number)]
        case Rule.DOMAIN:
            return [ExpectColumnValuesToBeInSet(value_set=list(column.accepted), **text)]
        case Rule.CHARACTERS:
            return [ExpectColumnValuesToNotMatchRegex(regex=CONTROL_PATTERN, **text)]
        case Rule.LENGTH:
            return [ExpectColumnValueLengthsToBeBetween(max_value=column.max_length, **text)]


def _number_series(column: Column) -> str:
    return f"{column.name} (number)"


def _fraction_series(column: Column) -> str:
    return f"{column.name} (fraction)"


def _whole(pattern: str) -> str:
    """The pattern for a whole text: Great Expectations searches, and $ lets a newline pass."""
    captures_nothing = re.sub(r"\((?!\?)", "(?:", pattern)  # pandas warns of groups that capture
    return rf"\A(?:{captures_nothing})\Z"


def _bounds(column: Column) -> dict[str, Any]:
    """A range for Great Expectations, which turns bounds into floats without a word.

    A whole number that no float holds (2**63 - 1) is bounded by its neighbour, exclusively.
    """
    bounds: dict[str, Any] = {}
    for side, bound, step in (("min", column.minimum, -1), ("max", column.maximum, 1)):
        if bound is None or float(bound) == bound:
            bounds[f"{side}_value"] = bound
        elif column.kind is Kind.INTEGER and float(bound + step) == bound + step:
            bounds |= {f"{side}_value": bound + step, f"strict_{side}": True}
        else:
            raise ValueError(f"{column.name} has a bound that no float holds: {bound}")
    return bounds


def broken_rules(
    column: Column, texts: Sequence[str], expectations: Sequence[Expectation] | None = None
) -> dict[str, Rule]:
    """Which of the texts Great Expectations refuses: each with the first rule that it breaks.

    Args:
        column: whose values the texts are; the order of its rules decides which comes first.
        texts: as a file in UTF-8 holds them, which has no lone surrogates; blank is "".
        expectations: those of the column, unless others are given.

    Raises:
        JudgementFailed: an expectation could not be evaluated.
    """
    if expectations is None:
        expectations = expectations_of(column)
    suite = gx.ExpectationSuite(name=column.name, expectations=list(expectations))
    batch = _batches().get_batch({"dataframe": _frame_of(column, texts)})
    # pandas' Arrow strings would match with RE2, which is not Python's language of patterns.
    with pd.option_context("mode.string_storage", "python"):
        outcome = batch.validate(suite, result_format=_RESULT_FORMAT)
    if len(outcome.results) != len(expectations):
        raise JudgementFailed(f"{column.name}: {len(outcome.results)} of {len(expectations)} ran")
    failing: dict[Rule, list[int]] = defaultdict(list)
    for result in outcome.results:
        rule, positions = _found(result)
        failing[rule] += positions
    broken: dict[str, Rule] = {}
    for rule in column.rules:
        for position in failing[rule]:
            broken.setdefault(texts[position], rule)
    return broken


def _found(result: ExpectationValidationResult) -> tuple[Rule, list[int]]:
    """A rule, and the positions of the texts that it refuses.

    Results come in another order than the suite, so each says by itself what it stands for; one
    without positions was not evaluated.
    """
    config = result.expectation_config
    positions = result.result.get("unexpected_index_list")
    if config is None or positions is None:
        raise JudgementFailed(f"{config} could not be evaluated: {result.exception_info}")
    return Rule(config.meta["rule"]), positions


@cache
def _batches() -> BatchDefinition[Any]:
    """Where frames are handed in: one context in memory for the life of the process."""
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("cells")
    return source.add_dataframe_asset("column").add_batch_definition_whole_dataframe("texts")


def _frame_of(column: Column, texts: Sequence[str]) -> pd.DataFrame:
    """The texts, and of a numeric column the numbers that they spell and their fractions."""
    series: dict[str, list[Any]] = {column.name: [text or None for text in texts]}
    if column.is_numeric:
        numbers = [number_of(text) for text in texts]
        series[_number_series(column)] = numbers
        series[_fraction_series(column)] = [None if n is None else n % 1 for n in numbers]
    # As objects: pandas would make floats of whole numbers beside a None.
    return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in series.items()})


def number_of(text: str) -> float | None:
    """The number that a text spells: exact where it is whole, infinite where it is too large."""
    if whole := _WHOLE_NUMBER.fullmatch(text):
        return int(whole[1])
    return float(text) if _NUMBER.fullmatch(text) else None
