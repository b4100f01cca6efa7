import math

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchurn.columnar import (
    Coded,
    Numbers,
    Objects,
    Pieces,
    Records,
    coded,
    interleaved,
    joined,
    judged,
    judged_texts,
    pieces,
)
from jobchurn.columnar.objects import numbers as written_numbers
from jobchurn.columnar.series import few
from jobchurn.contract import BIGGEST_INTEGER, JOB_CHANGE, Column, Violation
from small_model import random_records
from toy import TOY

COLUMNS = {f"{c.name}.{k}": c[k] for c in (JOB_CHANGE, TOY) for k in c.by_name}
every_column = pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)

numbers = (
    st.integers(-5, 300)
    | st.sampled_from([BIGGEST_INTEGER, BIGGEST_INTEGER + 1, 2**53 + 1, -0.0, 0.0, 1.0, 1e300])
    | st.floats()
)
typed = st.none() | st.booleans() | numbers | st.text(max_size=4) | st.just([]) | st.just({})
digits = st.text("0123456789+-.e ", max_size=20)


def same(one, other):
    return type(one) is type(other) and (
        one == other and math.copysign(1, one or 0) == math.copysign(1, other or 0)
        if isinstance(one, float)
        else one == other
    )


def verdicts(judge, values):
    """What a judge of single values says of each: a value, or that it is refused."""
    found = []
    for value in values:
        try:
            found.append((judge(value), False))
        except Violation:
            found.append((None, True))
    return found


def agree(judged, expected):
    refused = [False] * len(expected) if judged.refused is None else judged.refused.tolist()
    assert refused == [is_refused for _, is_refused in expected]
    for value, (canonical, is_refused) in zip(judged.series.to_list(), expected, strict=True):
        assert is_refused or same(value, canonical)


def likely(column):
    """Values of which a column may well admit some, and others."""
    found = [*column.examples, *column.levels, *column.spellings]
    if column.is_numeric:
        found += [column.minimum, column.maximum, int(column.minimum), float(column.maximum)]
    found += [int(level) for level in column.levels if level.isdecimal()]
    return st.sampled_from(found)


@every_column
@settings(max_examples=30)
@given(data=st.data())
def test_typed_values_are_judged_by_columns_as_one_by_one(column, data):
    for values in (likely(column), numbers, typed, likely(column) | typed):
        drawn = data.draw(st.lists(values))
        agree(judged(column, drawn), verdicts(column.accept, drawn))


@every_column
@settings(max_examples=30)
@given(data=st.data())
def test_texts_are_judged_by_columns_as_one_by_one(column, data):
    own = likely(column).map(column.write)
    for texts in (own, digits, st.integers(0, 10**20).map(str), own | digits | st.text(max_size=4)):
        drawn = data.draw(st.lists(texts))
        agree(judged_texts(column, drawn), verdicts(column.read, drawn))


@every_column
@settings(max_examples=30)
@given(data=st.data())
def test_arrays_of_numbers_are_judged_as_their_numbers(column, data):
    for values, kind in (
        (st.integers(-(2**63), 2**63 - 1), np.int64),
        (st.integers(-5, 1100), np.int64),
        (st.floats(), np.float64),
        (st.floats(-1, 300) | st.integers(0, 2).map(float), np.float64),
    ):
        drawn = data.draw(st.lists(values))
        found = judged(column, Numbers(np.array(drawn, kind)))
        agree(found, verdicts(column.accept, drawn))


@given(st.lists(typed.filter(lambda value: not isinstance(value, float) or value == value)))
def test_values_are_coded_by_their_types_too(values):
    plain = [value for value in values if not isinstance(value, list | dict)]
    assert list(map(repr, coded(plain).to_list())) == list(map(repr, plain)) or any(
        value == 0 for value in plain if isinstance(value, float)
    )
    assert [type(value) for value in coded(plain).to_list()] == list(map(type, plain))
    assert len(coded(values).codes) == len(values)


class Meeting:
    """A number that meets all others of its kind in one place of a dictionary."""

    comparisons = 0

    def __init__(self, number):
        self.number = number

    def __hash__(self):
        return 0

    def __eq__(self, other):
        Meeting.comparisons += 1
        return self is other

    def __repr__(self):
        return str(self.number)


def test_many_numbers_whose_hashes_meet_are_not_each_compared_with_all_before():
    values = [Meeting(number) for number in range(5_000)]
    found = coded(values)
    assert found.to_list() == values
    assert Meeting.comparisons < 100_000


@pytest.mark.parametrize(
    "values",
    [
        [1 + (2**61 - 1) * (2**70 + number) for number in range(1_000)],
        [2**63 - 1 - number % 500 for number in range(1_000)],
        [-0.0, *(number / 7 for number in range(-400, 400)), 0.0, math.inf, -math.inf],
        [None, True, False, *(value for n in range(400) for value in (n, float(n), str(n)))],
        [10**5_000 + number for number in range(300)],
    ],
    ids=["long", "whole", "fractions", "of several types", "very long"],
)
def test_of_very_many_numbers_each_row_has_its_own(values):
    found = coded(values)
    assert all(same(one, other) for one, other in zip(found.to_list(), values, strict=True))
    signs = [math.copysign(1, value) if type(value) is float else 0 for value in values]
    assert len(found.values) == len(set(zip(map(type, values), values, signs, strict=True)))


@given(st.lists(st.integers(0, 9)), st.data())
def test_compact_columns_hold_what_their_rows_have_and_nothing_else(codes, data):
    column = Coded(list("abcdefghij"), np.array(codes, np.int32))
    compact = column.compact()
    assert compact.to_list() == column.to_list()
    assert set(compact.values) == set(column.to_list())


@pytest.mark.parametrize(
    "series", [Coded(["a", None, 2], np.array([2, 0, 1, 0], np.int32)), Numbers(np.array([0.5, 2]))]
)
def test_the_value_of_one_row_is_that_of_the_list(series):
    found = [series.at(place) for place in range(len(series))]
    assert list(map(repr, found)) == list(map(repr, series.to_list()))


@pytest.mark.parametrize("contract", [JOB_CHANGE, TOY], ids=lambda c: c.name)
def test_records_by_columns_are_the_records(contract):
    records = random_records(contract, 50)
    held = Records.of(records, contract)
    assert list(held) == records
    assert held.to_list() == records
    assert list(held[10:20]) == records[10:20]
    assert held[-1] == records[-1]
    mask = np.arange(50) % 3 == 0
    assert held.taken(mask).to_list() == records[::3]
    assert len(held.taken(mask)) == 17
    assert held.compact().to_list() == records
    with pytest.raises(IndexError):
        held[50]


def test_pieces_are_interleaved():
    assert interleaved([[b"a", b"b"], [b"1", b"2"]]) == b"a1b2"
    assert interleaved([[], []]) == b""


@given(st.integers(0, 30), st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 100))
def test_joined_columns_write_the_same_rows_with_no_more_texts_than_they_may(rows, sizes, most):
    chance = np.random.default_rng(rows)
    columns = [
        Pieces.of(
            [b"%d.%d;" % (place, value) for value in range(size)],
            chance.integers(0, size, rows).astype(np.int32),
        )
        for place, size in enumerate(sizes)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "MOST_COMBINATIONS", most)
        found = joined(columns)
    some = slice(1, max(1, rows - 1))
    assert interleaved([column.written(some) for column in found]) == interleaved(
        [column.written(some) for column in columns]
    )
    bound = max(*sizes, min(most, rows))
    assert all(len(column.texts) <= bound for column in found)


def test_neighbours_of_few_combinations_are_joined():
    codes = np.arange(100, dtype=np.int32) % 5
    column = Pieces.of([b"a", b"b", b"c", b"d", b"e"], codes)
    assert [len(c.texts) for c in joined([column, Pieces.same(b"-", 100), column, column])] == [
        25,
        5,
    ]


@given(
    st.lists(st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1), max_size=40)
    | st.lists(st.floats(-2, 2).map(lambda number: round(number, 1) + 0.0), max_size=40),
    st.integers(1, 8),
)
def test_numbers_are_coded_where_few_are_distinct(values, most):
    array = np.array(values, np.float64 if isinstance([*values, 0][0], float) else np.int64)
    found = few(array, most)
    if 0 < len(set(values)) <= most:
        assert found.to_list() == values
    else:
        assert found is None


@pytest.mark.parametrize("count", [5, 5_000])
def test_objects_write_numbers_that_are_few_or_many(count):
    columns = {
        "a": Numbers(np.arange(count) % 7),
        "b": Numbers(np.arange(count) / 8),
        "c": Coded(["x", None], np.arange(count, dtype=np.int32) % 2),
        "d": Numbers(np.arange(count) - 3),
    }
    rows = [
        dict(zip(columns, row, strict=True))
        for row in zip(*(c.to_list() for c in columns.values()), strict=True)
    ]
    some = slice(2, count - 1)
    assert b"[%b]" % Objects(columns, orjson.dumps).of(some) == orjson.dumps(rows[some])


def test_numbers_stand_between_what_is_said():
    array = np.array([1, -2, 3])
    assert written_numbers(array, orjson.dumps) == [b"1", b"-2", b"3"]
    assert written_numbers(array, orjson.dumps, before=b"<", after=b">") == [
        b"<1>",
        b"<-2>",
        b"<3>",
    ]


def test_no_value_is_guessed_where_many_are_judged(monkeypatch):
    closed = next(column for column in JOB_CHANGE.columns if column.is_closed)
    monkeypatch.setattr(Column, "nearest", lambda *_: pytest.fail("guessed"))
    texts = [f"{level} of old, {number}" for level in closed.levels for number in range(100)]
    for found in (judged(closed, texts), judged_texts(closed, texts)):
        assert found.refused.all()
