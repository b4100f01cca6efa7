"""Values judged: the contract as a Great Expectations suite, and a file's cells as a verdict.

Every rule is about one value, so the suite runs on each column's distinct texts (a few thousand
even in a million rows, save for ids), and what it finds is joined back to the rows by their text.
Great Expectations decides which text breaks which rule; the contract only says it in words.

The one importer of Great Expectations. Importing this takes seconds: whoever judges no files
should not load it.
"""

from __future__ import annotations

import logging
import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from jobchurn.contract import (
    CONTROL_PATTERN,
    NOT_FINITE_PATTERN,
    NUMBER_PATTERN,
    Column,
    Contract,
    Kind,
    Role,
    Rule,
    Violation,
    shown,
)
from jobchurn.verdict import Reason, RuleResult, StructureRule, Verdict

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

TEXT_LIMIT = 200
"""The most characters of an offending text that a verdict keeps."""

_EXAMPLES = 5
_LISTED = 10
_REPAIRS = 10_000
"""For how many distinct texts of a column a repair is looked for: each costs up to 50 µs."""

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
        numbers = [_number(text) for text in texts]
        series[_number_series(column)] = numbers
        series[_fraction_series(column)] = [None if n is None else n % 1 for n in numbers]
    # As objects: pandas would make floats of whole numbers beside a None.
    return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in series.items()})


def _number(text: str) -> float | None:
    """The number that a text spells: exact where it is whole, infinite where it is too large."""
    if whole := _WHOLE_NUMBER.fullmatch(text):
        return int(whole[1])
    return float(text) if _NUMBER.fullmatch(text) else None


def judge(
    columns: Mapping[str, Sequence[str]],
    contract: Contract,
    *,
    rows: int,
    faults: Mapping[int, Reason] | None = None,
    missing: Sequence[str] = (),
    known_levels: Mapping[str, Collection[str]] | None = None,
    notes: Iterable[str] = (),
) -> Verdict:
    """What the contract says of a file's cells.

    A bad row has one reason for each column that it breaks: the first rule broken. Where required
    columns are missing every row is bad, which the verdict says once; the columns that are there
    are judged all the same, for the statistics.

    Args:
        columns: name → the text of each row's cell; "" in rows whose structure is bad.
        contract: what is promised.
        rows: how many there are.
        faults: row number, from 1 → what is wrong with its structure; its cells are not judged.
        missing: required columns that the file lacks.
        known_levels: column name → the values that the model in charge has seen.
        notes: what was noticed about the file before.

    Raises:
        ValueError: the arguments contradict each other.
        JudgementFailed: a rule could not be evaluated, or the contract admits what it refuses.
    """
    faults = faults or {}
    _check_arguments(columns, contract, rows, missing)
    judged = [
        _Judged.of(column, columns[column.name], faults)
        for column in contract.columns
        if column.name in columns
    ]
    structure = [
        *(RuleResult(name, StructureRule.MISSING_COLUMN, None, rows, rows) for name in missing),
        *(
            RuleResult(None, rule, None, rows, failed)
            for rule, failed in Counter(reason.rule for reason in faults.values()).items()
        ),
    ]
    bad = _bad_rows(judged, faults)
    return Verdict(
        rows_total=rows,
        bad={} if missing else bad,
        missing=tuple(missing),
        results=(*structure, *(result for column in judged for result in column.results())),
        notes=(*notes, *(note for column in judged for note in column.notes(known_levels or {}))),
    )


def _check_arguments(
    columns: Mapping[str, Sequence[str]], contract: Contract, rows: int, missing: Sequence[str]
) -> None:
    for name, texts in columns.items():
        if name not in contract.by_name:
            raise ValueError(f"{name} is no column of the contract")
        if len(texts) != rows:
            raise ValueError(f"{name} has {len(texts)} cells in {rows} rows")
    for column in contract.required:
        if (column.name in columns) == (column.name in missing):
            raise ValueError(f"{column.name} is required: it is either there or missing")


def _bad_rows(
    judged: Iterable[_Judged], faults: Mapping[int, Reason]
) -> dict[int, tuple[Reason, ...]]:
    bad: dict[int, list[Reason]] = defaultdict(list)
    for row, fault in faults.items():
        bad[row].append(fault)
    for column in judged:
        for row, reason in column.reasons():
            bad[row].append(reason)
    return {row: tuple(bad[row]) for row in sorted(bad)}


@dataclass(frozen=True)
class _Judged:
    """One column of a file, judged.

    Attributes:
        column: whose cells these are.
        texts: the text of each row's cell.
        faults: rows whose structure is bad; their cells count for nothing.
        counts: distinct text → how many rows hold it.
        broken: distinct text → the first rule that it breaks; absent where it is good.
    """

    column: Column
    texts: Sequence[str]
    faults: Collection[int]
    counts: Counter[str]
    broken: dict[str, Rule]

    @classmethod
    def of(cls, column: Column, texts: Sequence[str], faults: Collection[int]) -> _Judged:
        """The column's cells, judged by Great Expectations."""
        counts = Counter(texts)
        counts.subtract(texts[row - 1] for row in faults)
        counts = +counts  # leaves out what only records of a bad structure hold
        return cls(column, texts, faults, counts, broken_rules(column, list(counts)))

    def reasons(self) -> Iterable[tuple[int, Reason]]:
        """Bad rows, each with its reason."""
        if not self.broken:
            return
        why = {
            text: self._why(text, rule, number < _REPAIRS)
            for number, (text, rule) in enumerate(self.broken.items())
        }
        for row, text in self._rows():
            if text in why:
                yield row, Reason(row, self.column.name, *why[text])

    def _rows(self) -> Iterable[tuple[int, str]]:
        return ((r, text) for r, text in enumerate(self.texts, 1) if r not in self.faults)

    def _why(self, text: str, rule: Rule, repair: bool) -> tuple[str, str, str, str | None]:
        """A reason's rule, text, message and repair."""
        violation = self._violation(text, rule) if repair else Violation(self.column, rule, text)
        message, kept = str(violation), self._kept(text)
        if self.column.role is not Role.ID:
            return str(rule), kept, message, violation.repair
        subject = f"{self.column.name} is "
        return (
            str(rule),
            kept,
            f"{subject}{kept}{message.removeprefix(subject + shown(text))}",
            None,
        )

    def _kept(self, text: str) -> str:
        """What a verdict holds of a text: its beginning; of an id, no more than its length."""
        if self.column.role is not Role.ID or not text:
            return text if len(text) <= TEXT_LIMIT else f"{text[: TEXT_LIMIT - 1]}…"
        return f"text of {_counted(len(text), 'character')}"

    def _violation(self, text: str, rule: Rule) -> Violation:
        """What the contract says of a text that Great Expectations refused."""
        try:
            self.column.read(text)
        except Violation as violation:
            if violation.rule is rule:
                return violation
            found = f"it breaks the rule {violation.rule!r}"
        else:
            found = "it is admitted"
        raise JudgementFailed(
            f"{self.column.name}: by Great Expectations {self._kept(text)!r} breaks the rule "
            f"{rule!r}; by the contract {found}"
        )

    def results(self) -> Iterable[RuleResult]:
        """How each rule fared, over the rows that reach it.

        A blank reaches only the rule that refuses it; a row ends at the first rule that it breaks.
        """
        failed: dict[Rule, Counter[str]] = defaultdict(Counter)
        for text, rule in self.broken.items():
            failed[rule][text] = self.counts[text]
        rows = self.counts.total()
        blanks = self.counts[""]
        for rule in self.column.rules:
            if rule is not Rule.REQUIRED:
                rows, blanks = rows - blanks, 0
            texts = failed[rule]
            yield RuleResult(
                self.column.name,
                str(rule),
                " + ".join(type(e).__name__ for e in _stated(self.column, rule)),
                rows,
                texts.total(),
                self._examples(texts),
            )
            rows -= texts.total()
            blanks -= texts[""]

    def _examples(self, texts: Counter[str]) -> tuple[tuple[str, int], ...]:
        kept: Counter[str] = Counter()
        for text, count in texts.items():
            kept[self._kept(text)] += count
        return tuple(kept.most_common(_EXAMPLES))

    def notes(self, known_levels: Mapping[str, Collection[str]]) -> Iterable[str]:
        """What is admitted and worth knowing."""
        if self.column.role is Role.ID:
            yield from self._repeats()
        for text, level in self.column.spellings.items():
            if count := self.counts[text]:
                yield (
                    f"{self.column.label}: {shown(text)} was read as {shown(level)} in "
                    f"{_counted(count, 'row')}."
                )
        if self.column.kind is Kind.TEXT and self.column.name in known_levels:
            yield from self._unknown(known_levels[self.column.name])

    def _repeats(self) -> Iterable[str]:
        """Ids that occur more than once: told by row numbers, never shown."""
        key: Callable[[str], object] = _number if self.column.is_numeric else str
        found: Counter[object] = Counter()
        for text, count in self.counts.items():
            if text and text not in self.broken:
                found[key(text)] += count
        repeated = {value for value, count in found.items() if count > 1}
        if repeated:
            rows = [
                f"{row}"
                for row, text in self._rows()
                if text not in self.broken and key(text) in repeated
            ]
            yield (
                f"{self.column.label}: {_counted(len(repeated), 'value')} more than once, in "
                f"rows {_listed(rows)}."
            )

    def _unknown(self, known: Collection[str]) -> Iterable[str]:
        passed = {"", *known, *self.broken}
        unknown = Counter({text: n for text, n in self.counts.items() if text not in passed})
        if unknown:
            values = _listed(f"{shown(text)} ({count})" for text, count in unknown.most_common())
            yield (
                f"{self.column.label}: {_counted(len(unknown), 'value')} unknown to the model, in "
                f"{_counted(unknown.total(), 'row')}: {values}."
            )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _listed(words: Iterable[str]) -> str:
    every = list(words)
    more = f" and {len(every) - _LISTED:,} more" if len(every) > _LISTED else ""
    return ", ".join(every[:_LISTED]) + more
