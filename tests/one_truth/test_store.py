"""The database and the contract agree on what a column may hold."""

import dataclasses
import math

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import DataError

from jobchurn.contract import BIGGEST_INTEGER, JOB_CHANGE, Column, Kind, Role, Violation
from jobchurn.store import columns
from jobchurn.store.columns import checks_of, column_of
from jobchurn.store.engine import engine_of
from toy import TOY

# An integer that may be negative, a number without practical bounds, an open text.
EXTRA = (
    Column(
        name="delta",
        label="Delta",
        kind=Kind.INTEGER,
        role=Role.FEATURE,
        meaning="A difference.",
        minimum=-BIGGEST_INTEGER,
        maximum=5,
    ),
    Column(
        name="any number",
        label="Any number",
        kind=Kind.NUMBER,
        role=Role.FEATURE,
        meaning="Whatever is finite.",
        minimum=-math.inf,
        maximum=math.inf,
    ),
    Column(
        name='"select"',
        label="A text",
        kind=Kind.TEXT,
        role=Role.FEATURE,
        meaning="An awkward name.",
        required=True,
        max_length=3,
    ),
)
COLUMNS = [
    pytest.param(column, id=column.name) for column in (*JOB_CHANGE.columns, *TOY.columns, *EXTRA)
]
TABLE = "one_column"


@pytest.fixture(scope="module")
def connection(postgres_server):
    """A connection whose transaction is never committed."""
    engine = engine_of(postgres_server)
    with engine.connect() as opened:
        yield opened
        opened.rollback()
    engine.dispose()


@pytest.fixture
def table_of(connection):
    """Makes the table that holds one column, as the store derives it."""
    with connection.begin_nested() as savepoint:

        def made(column):
            table = sa.Table(TABLE, sa.MetaData(), column)
            table.create(connection)
            return table

        yield made
        savepoint.rollback()


def holds(connection, table, value):
    """Whether the database stores the value."""
    try:
        with connection.begin_nested() as savepoint:
            connection.execute(sa.insert(table).values([value]))
            savepoint.rollback()
    except (sa.exc.IntegrityError, sa.exc.DataError, DataError, UnicodeEncodeError):
        return False
    return True


def disagreement(connection, table, column, value):
    """How database and contract disagree on a value of the column's type, or ``None``.

    The database holds canonical values: of those it must hold each that the contract admits, and
    nothing else. (A blank is admitted by every column of the table: doors differ in what they
    require.)
    """
    try:
        promised = column.accept(value) == value
    except Violation:
        promised = False
    if holds(connection, table, value) == promised:
        return None
    return f"{column.name}: the contract says {promised} of {value!r}, and the database does not"


def typed_values(column):
    """Values of the column's storage type, nasty ones among them."""
    if column.kind is Kind.INTEGER:
        edges = [int(column.minimum), int(column.maximum)]
        near = [edge + step for edge in edges for step in (-1, 0, 1)]
        return st.sampled_from(near) | st.integers() | st.integers(-(2**63), 2**63 - 1)
    if column.kind is Kind.NUMBER:
        edges = [column.minimum, column.maximum]
        near = [math.nextafter(e, to) for e in edges for to in (-math.inf, math.inf)]
        return st.sampled_from([*map(float, edges), *near, -0.0, math.nan]) | st.floats()
    text = st.text(alphabet=st.characters(categories=None, exclude_categories=()), max_size=80)
    if column.is_closed:
        known = [*column.accepted, "", *(f"{level} " for level in column.levels)]
        known += [level.lower() for level in column.levels]
        return st.sampled_from(known) | text
    longest = column.max_length
    edges = ["", "x" * longest, "x" * (longest + 1), "é" * longest, "😀" * (longest + 1)]
    control = ["\x00", "\x01", "\t", "\n", "\x1f", "\x7f", "\x80", "\x9f", "\ud800", "\udfff"]
    harmless = [" ", "~", "\xa0", "\xad", "\u200b", "\u2028", "\\u0001", "[", "]", "^", "-"]
    return st.sampled_from([*edges, *control, *harmless]) | text


@pytest.mark.parametrize("column", COLUMNS)
def test_the_database_holds_what_the_contract_admits_and_nothing_else(connection, table_of, column):
    table = table_of(column_of(column))

    @settings(max_examples=60, deadline=None)
    @given(typed_values(column))
    def agree(value):
        assert disagreement(connection, table, column, value) is None

    agree()


@pytest.mark.parametrize("column", COLUMNS)
def test_a_blank_is_held_by_every_column(connection, table_of, column):
    assert holds(connection, table_of(column_of(column)), None)


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        pytest.param(column, rule, id=f"{column.name}-{rule}")
        for column in (*JOB_CHANGE.columns, *TOY.columns, *EXTRA)
        for rule in checks_of(column)
    ],
)
def test_a_rule_left_out_of_the_derivation_is_noticed(
    connection, table_of, column, rule, monkeypatch
):
    def weakened(of):
        return {name: check for name, check in checks_of(of).items() if name is not rule}

    monkeypatch.setattr(columns, "checks_of", weakened)
    table = table_of(column_of(column))

    @settings(
        max_examples=300,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(typed_values(column))
    def agree(value):
        assert disagreement(connection, table, column, value) is None

    with pytest.raises(AssertionError, match="the database does not"):
        agree()


@pytest.mark.parametrize("column", [c for c in JOB_CHANGE.columns if c.is_closed])
def test_a_level_left_out_of_the_derivation_is_noticed(connection, table_of, column):
    narrowed = dataclasses.replace(column, levels=column.levels[1:], spellings={})
    table = table_of(column_of(narrowed))
    assert disagreement(connection, table, column, column.levels[0]) is not None
