"""What a database answers, as JSON."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobchurn.api.cells import cell, cells_of, moment
from jobchurn.store import Frame

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (False, False),
        (0, 0),
        (2**63 - 1, 2**63 - 1),
        (2**63, float(2**63)),
        (-(10**400), None),
        (1.5, 1.5),
        (NAN, None),
        (INF, None),
        (-INF, None),
        (Decimal("0.1"), 0.1),
        (Decimal(3), 3.0),
        (Decimal("NaN"), None),
        (Decimal("sNaN"), None),
        (Decimal("Infinity"), None),
        (Decimal("1e999"), None),
        ("text", "text"),
        (date(2026, 1, 2), "2026-01-02"),
        (timedelta(minutes=1), 60.0),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_a_value_is_shown_as_json_has_it(value, shown):
    found = cell(value)
    assert found == shown
    assert type(found) is type(shown)


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 1, 2, 3, tzinfo=UTC),
        datetime(2026, 1, 2, 3),  # noqa: DTZ001
        datetime(2026, 1, 2, 5, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_a_moment_is_shown_in_utc(value):
    assert cell(value) == moment(value) == "2026-01-02T03:00:00+00:00"


@pytest.mark.parametrize("seconds", [1767322800, 1767322800.0, Decimal(1767322800)])
def test_a_number_in_the_column_of_time_is_a_moment(seconds):
    found = cells_of(Frame(("time", "value"), [(seconds, seconds)], more=True))
    assert found.rows == [["2026-01-02T03:00:00+00:00", seconds]]
    assert (found.columns, found.more) == (("time", "value"), True)


@pytest.mark.parametrize("seconds", [None, 10**30, NAN, INF, Decimal("NaN")])
def test_a_time_beyond_all_bounds_is_none(seconds):
    assert moment(seconds) is None


@given(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text()
    | st.binary()
    | st.dates()
    | st.timedeltas()
    | st.datetimes()
    | st.datetimes(timezones=st.timezones())
)
def test_whatever_a_database_answers_is_json(value):
    for column in ("time", "value"):
        [row] = cells_of(Frame((column,), [(value,)], more=False)).rows
        assert json.loads(orjson.dumps(row)) == row
