"""The model's encoding takes exactly the canonical values of the contract, and tells them apart."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchurn.contract import JOB_CHANGE, Kind, Violation
from jobchurn.model import encode
from jobchurn.model.encode import Encoder
from toy import TOY

FEATURES = [
    pytest.param(contract, column, id=f"{contract.name}-{column.name}")
    for contract in (JOB_CHANGE, TOY)
    for column in contract.features
]


def anything(column):
    """Values that are admitted, nearly so, or not at all."""
    bounds = [b for b in (column.minimum, column.maximum) if b is not None]
    near = [b + d for b in bounds for d in (-1, -0.5, 0, 0.5, 1)]
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.floats(column.minimum, column.maximum) if bounds else st.floats(),
        st.integers(int(column.minimum), int(column.maximum)) if bounds else st.integers(),
        st.sampled_from(near) if near else st.nothing(),
        st.text(max_size=70),
        st.sampled_from([*column.accepted, *map(str.lower, column.levels)] or ["x"]),
    )


def admitted(column):
    """Values that the contract takes, in any spelling."""
    match column.kind:
        case Kind.INTEGER:
            values = st.integers(column.minimum, column.maximum)
            values |= values.filter(lambda n: n < 2**53).map(float)
        case Kind.NUMBER:
            values = st.floats(column.minimum, column.maximum) | st.just(-0.0)
        case Kind.CATEGORY | Kind.ORDERED:
            whole = [int(level) for level in column.levels if level.isdecimal()]
            values = st.sampled_from([*column.accepted, *whole])
        case Kind.TEXT:
            values = st.text(min_size=1, max_size=column.max_length).filter(column.admits)
    return values if column.required else values | st.none()


def canonical(column, value):
    """Whether it is admitted, and stands as the contract stores it."""
    try:
        accepted = column.accept(value)
    except Violation:
        return False
    if column.is_numeric and value is not None:
        whole = column.kind is not Kind.INTEGER or type(value) is int
        return type(value) in (int, float) and whole
    return accepted == value and type(accepted) is type(value)


def encoder_of(contract):
    seen = {c.name: ("a", "b") for c in contract.features if c.kind is Kind.TEXT}
    return Encoder(contract, seen)


def code_of(contract, column, value):
    """The code of one value in an otherwise admissible record."""
    record = {c.name: c.accept(c.examples[0]) for c in contract.features}
    codes = encoder_of(contract).row(record | {column.name: value})
    return codes[[c.name for c in contract.features].index(column.name)]


@pytest.mark.parametrize(("contract", "column"), FEATURES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_value_encodes_exactly_where_it_is_canonical(contract, column, data):
    value = data.draw(anything(column))
    if canonical(column, value):
        code = code_of(contract, column, value)
        assert math.isnan(code) == (value is None)
    else:
        with pytest.raises(ValueError, match="not a canonical value"):
            code_of(contract, column, value)


@pytest.mark.parametrize(("contract", "column"), FEATURES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_the_contract_accepts_encodes_as_it_is_stored(contract, column, data):
    value = data.draw(admitted(column))
    code_of(contract, column, column.accept(value))


@pytest.mark.parametrize(("contract", "column"), FEATURES)
def test_no_two_levels_share_a_code(contract, column):
    levels = column.levels or ("a", "b", "neither")
    values = [column.minimum, column.maximum] if column.is_numeric else levels
    codes = [code_of(contract, column, column.accept(value)) for value in values]
    assert len(set(codes)) == len(codes)


CLOSED = [p for p in FEATURES if p.values[1].is_closed]


@pytest.mark.parametrize(("contract", "column"), CLOSED)
def test_an_encoding_that_lacks_a_level_would_be_found(contract, column, monkeypatch):
    whole = encode._Codes.__init__
    monkeypatch.setattr(
        encode._Codes, "__init__", lambda self, c, levels: whole(self, c, levels[:-1])
    )
    with pytest.raises(ValueError, match="not a canonical value"):
        code_of(contract, column, column.levels[-1])
