"""What a link to Monitoring says, and what is asked for because of it."""

from datetime import UTC, datetime

import pytest

from look import RANGES, REFRESHES, Look, look_of, range_of, refresh_of

NAMES = ["ingestion", "predictions"]


def read(**address):
    """The look that an address asks for."""
    return look_of({name: [value] for name, value in address.items()}).among(NAMES)


def test_an_address_that_says_nothing_leaves_all_to_the_first_dashboard():
    look = read()
    assert look == Look(dashboard="ingestion")
    assert look.ends == (None, None)
    assert look.address == {"dashboard": "ingestion"}
    assert look_of({}).address == {}


def test_a_link_shows_the_same_as_where_it_was_made():
    address = {
        "dashboard": ["predictions"],
        "range": ["24h"],
        "refresh": ["1m"],
        "var-source": ["webapp", "scheduled"],
        "var-feature": ["city"],
    }
    look = look_of(address)
    said = {k: v if isinstance(v, list) else [v] for k, v in look.address.items()}
    assert said == address
    assert look.ends == ("now-24h", "now")


def test_both_ends_of_a_time_range_are_kept_in_utc_and_take_its_place():
    look = read(**{"from": "2026-11-24T08:00:00+02:00", "to": "2026-11-24T07:00:00Z"}, range="6h")
    assert look.range is None
    assert look.ends == ("2026-11-24T06:00:00Z", "2026-11-24T07:00:00Z")
    assert look_of({k: [v] for k, v in look.address.items()}).among(NAMES) == look


@pytest.mark.parametrize(
    "address",
    [
        {"dashboard": "<b>"},
        {"range": "5y"},
        {"refresh": "0"},
        {"from": "yesterday", "to": "now"},
        {"from": "0001-01-01T00:00:00+14:00", "to": "9999-12-31T23:59:59-14:00"},
        {"from": "2026-11-24"},
        {"shoe": "44"},
        {"var-": ""},
    ],
)
def test_what_makes_no_sense_is_left_out(address):
    assert read(**address).address.keys() <= {"dashboard", "var-"}


def test_ends_in_the_wrong_order_or_too_far_apart_are_told():
    early, late = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)
    assert "before it begins" in Look(dashboard="x", start=late, end=early).trouble
    assert "before it begins" in Look(dashboard="x", start=late, end=late).trouble
    assert "longer than 400 days" in Look(dashboard="x", start=early, end=late).trouble
    assert Look(dashboard="x", range="6h").trouble is None


def test_a_dashboards_own_hours_and_pace_are_named_where_they_can_be_chosen():
    assert range_of(6) == "6h"
    assert range_of(168) == "7d"
    assert range_of(5) is None
    assert refresh_of(30) == "30s"
    assert refresh_of(3_600) == "1m"
    assert len({long.words for long in (*RANGES.values(), *REFRESHES.values())}) == 10
