"""Great Expectations refuses exactly the texts that the contract refuses, by the same rule.

Texts are judged in batches, one run of Great Expectations for many of them. Then each expectation
is dropped, and loosened by the least that matters: the agreement must break every time.
"""

import csv
import math
import string

import great_expectations.expectations as gxe
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchurn import quality
from jobchurn.contract import BIGGEST_INTEGER, JOB_CHANGE, Column, Contract, Kind, Role, Violation

VESSELS = Contract(
    name="vessels",
    subject="vessel",
    positive="will be late",
    negative="will be on time",
    columns=(
        Column(
            name="imo number",
            label="IMO number",
            kind=Kind.INTEGER,
            role=Role.ID,
            meaning="A number beyond those that a float holds exactly.",
            minimum=-BIGGEST_INTEGER,
            maximum=BIGGEST_INTEGER,
        ),
        Column(
            name="draught",
            label="Draught",
            kind=Kind.NUMBER,
            role=Role.FEATURE,
            meaning="Metres under water.",
            minimum=-0.1,
            maximum=1e300,
        ),
        Column(
            name="flag",
            label="Flag",
            kind=Kind.TEXT,
            role=Role.FEATURE,
            meaning="Optional, and short.",
            max_length=3,
        ),
        Column(
            name="sea state",
            label="Sea state",
            kind=Kind.ORDERED,
            role=Role.FEATURE,
            meaning="Levels that are patterns or numbers to other tools.",
            required=True,
            levels=("0", "1.0", ".*", "NA", "nan", "très forte"),
            spellings={"None": "NA", " ": "0"},
        ),
        Column(
            name="late",
            label="Late",
            kind=Kind.INTEGER,
            role=Role.OUTCOME,
            meaning="Whether it came late.",
            required=True,
            minimum=0,
            maximum=1,
        ),
    ),
)
COLUMNS = [*JOB_CHANGE.columns, *VESSELS.columns]
by_column = pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)

ODDITIES = (
    "", " ", "NA", "None", "null", "nan", "NaN", "-nan", "inf", "-inf", "+Infinity", "infinit",
    "0", "-0", "-0.0", "+1", "01", "1.", ".5", ".", "-", "1e3", "1E+2", "1e-3", "1e400", "-1e400",
    "1.0", "1.5", "0.5", "-0.5", "100.50", "1_000", "1,000", "0,5", "0x1F", "0b1", "1e", "e1",
    "１２", "٣", "²", "Ⅳ", "True", "3.0000000000000001", "0.99999999999999999", "1\n", "\n1", " 1",
    "1 ", "1\u00a0", "inf\n", "inf ", "9" * 400, "9" * 5000, "1" + "0" * 29 + ".0", "4e-324",
    "\x00", "a\x00", "a\x07", "a\x7f", "a\x85", "a\u2028b", "\u200b", "\ufeff", "Ｍale", "é",
    "e\u0301", "x" * 3, "x" * 4, "x" * 64, "x" * 65, "é" * 64, "😀" * 64, "😀" * 65, "x" * 70_000,
    "=1+1", "<b>", "{{7*7}}", "'; DROP TABLE x; --",
)  # fmt: skip


def corpus(column):
    """Texts on both sides of each of the column's rules, as near to the edge as texts come."""
    texts = [*ODDITIES]
    for text in column.accepted:
        texts += [text, text.swapcase(), f"{text} ", f" {text}", f"{text}\n", f"{text}\u200b"]
        texts += [text[1:], text.replace("a", "а"), text + text]
    for bound in (column.minimum, column.maximum) if column.is_numeric else ():
        texts += [f"{bound}", f"{bound}.0", f"{bound}e0"]
        if column.kind is Kind.INTEGER:
            texts += [f"{bound + step}" for step in (-2, -1, 1, 2)]
            texts += [f"{bound + step}.0" for step in (-2, -1, 1, 2)]
        texts += [repr(math.nextafter(bound, side)) for side in (-math.inf, math.inf)]
    if column.max_length:
        texts += ["y" * (column.max_length + step) for step in (-1, 0, 1, 2)]
    return list(dict.fromkeys(texts))


def disagreements(column, texts, expectations=None):
    """Texts of which Great Expectations and the contract say different things."""
    found = quality.broken_rules(column, texts, expectations)
    return [text for text in texts if found.get(text) != broken_rule(column, text)]


def broken_rule(column, text):
    try:
        column.read(text)
    except Violation as violation:
        return violation.rule
    return None


def texts_of(column):
    """Texts that come near to what the column admits, and texts that do not."""
    near = st.sampled_from(corpus(column))
    numbers = st.one_of(
        st.integers().map(str),
        st.floats().map(repr),
        st.decimals(allow_nan=False, allow_infinity=False).map(str),
        st.from_regex(r"\A[+-]?[0-9]{0,3}\.?[0-9]{0,3}([eE][+-]?[0-9]{1,3})?\Z"),
    )
    # No lone surrogates: a file in UTF-8 holds none.
    anything = st.text(st.characters(codec="utf-8"), max_size=80)
    damaged = st.builds(
        lambda text, at, mark: text[: at % (len(text) + 1)] + mark + text[at % (len(text) + 1) :],
        st.sampled_from([*map(str, column.examples), *column.accepted, "1", ""]),
        st.integers(0, 80),
        st.sampled_from([*string.punctuation, *string.whitespace, "\x00", "\u202e", "é", "0"]),
    )
    return st.one_of(near, numbers, anything, damaged)


@by_column
def test_both_judge_the_edges_of_every_rule_alike(column):
    texts = corpus(column)
    assert disagreements(column, texts) == []
    assert set(column.rules) <= {broken_rule(column, text) for text in texts}


@by_column
@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_both_judge_any_text_alike(column, data):
    texts = data.draw(st.lists(texts_of(column), min_size=1, max_size=120, unique=True))
    assert disagreements(column, texts) == []


def loosened(column, expectation):
    """Copies of an expectation that each admit the least more.

    That blanks are refused can only be dropped.
    """
    changes = []
    match expectation:
        case gxe.ExpectColumnValuesToBeBetween():
            changes = [wider(column, expectation, side) for side in ("min", "max")]
        case gxe.ExpectColumnValuesToMatchRegex(regex=regex):
            pattern = regex.removeprefix(r"\A").removesuffix(r"\Z")
            changes = [{"regex": p} for p in (pattern + r"\Z", r"\A" + pattern, rf"\A{pattern}$")]
        case gxe.ExpectColumnValuesToNotMatchRegex(regex=regex):
            parts = {"I": "", "N": "", "[+-]?": "", r"\x00": r"\x01", r"-\x9f": ""}
            changes = [
                {"regex": regex.replace(*part)} for part in parts.items() if part[0] in regex
            ]
        case gxe.ExpectColumnValuesToNotBeInSet(value_set=values):
            changes = [{"value_set": [value]} for value in values]
        case gxe.ExpectColumnValuesToBeInSet(value_set=[0]):
            changes = [{"value_set": [0, 0.5]}]
        case gxe.ExpectColumnValuesToBeInSet(value_set=values):
            changes = [{"value_set": [*values, f"{values[0]} "]}]
        case gxe.ExpectColumnValueLengthsToBeBetween(max_value=length):
            changes = [{"max_value": length + 1}]
    return [expectation.copy(update=change) for change in changes]


def wider(column, expectation, side):
    if getattr(expectation, f"strict_{side}"):
        return {f"strict_{side}": False}
    bound = getattr(expectation, f"{side}_value")
    sign = 1 if side == "max" else -1
    whole = column.kind is Kind.INTEGER
    return {f"{side}_value": bound + sign if whole else math.nextafter(bound, sign * math.inf)}


def mutants():
    for column in COLUMNS:
        exact = quality.expectations_of(column)
        for at, expectation in enumerate(exact):
            others = exact[:at], exact[at + 1 :]
            name = f"{column.name}: {expectation.meta['rule']} {type(expectation).__name__}"
            yield pytest.param(column, [*others[0], *others[1]], id=f"{name} dropped")
            for number, weaker in enumerate(loosened(column, expectation), 1):
                yield pytest.param(
                    column, [*others[0], weaker, *others[1]], id=f"{name} loosened {number}"
                )


@pytest.mark.parametrize(("column", "expectations"), mutants())
def test_an_expectation_that_is_dropped_or_loosened_is_noticed(column, expectations):
    assert disagreements(column, corpus(column), expectations)


def test_every_row_of_the_real_data_is_good(real_csv):
    with real_csv.open(newline="", encoding="utf-8") as file:
        header, *records = csv.reader(file)
    columns = dict(zip(header, map(list, zip(*records, strict=True)), strict=True))
    verdict = quality.judge(columns, JOB_CHANGE, rows=len(records))
    assert verdict.bad == {}
    assert verdict.rows_valid == len(records) > 0
