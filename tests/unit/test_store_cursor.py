"""A cursor stands for a place in the order of predictions, and cannot be forged by accident."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobchurn.errors import InvalidRequest
from jobchurn.store.predictions import cursor_of, read_cursor


@given(
    st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(min_value=0, max_value=2**63 - 1),
)
def test_a_cursor_names_the_place_that_it_was_made_of(then, number):
    assert read_cursor(cursor_of(then, number)) == (then, number)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "next",
        "*" * 24,
        "é" * 24,
        "AAAA",
        cursor_of(datetime(2026, 1, 1, tzinfo=UTC), 1)[:-4],
        cursor_of(datetime(2026, 1, 1, tzinfo=UTC), 1) + "AAAA",
        "f/////////8AAAAAAAAAAQ==",
        "f_________8AAAAAAAAAAQ==",  # a time that no calendar holds
        "\x00",
        "\ud800",
    ],
)
def test_what_is_no_cursor_is_refused(cursor):
    with pytest.raises(InvalidRequest, match="cursor"):
        read_cursor(cursor)


@given(st.text(max_size=40))
def test_any_text_is_a_cursor_or_is_refused(text):
    try:
        then, _ = read_cursor(text)
    except InvalidRequest:
        return
    assert then.tzinfo is UTC
