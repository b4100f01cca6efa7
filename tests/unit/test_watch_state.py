"""The life of an alert: every step of it, and what people are told on the way."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobchurn.flow.watch.state import step, unchanged
from jobchurn.notify import News
from jobchurn.panels import AlertRule, Severity
from jobchurn.store.alert_states import AlertState

START = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
REMIND = timedelta(minutes=240)


def rule(pending_seconds=0, **changes):
    fields = {
        "name": "too-many",
        "title": "There are too many",
        "description": "More than two.",
        "severity": Severity.WARNING,
        "sql": "SELECT now() AS time, 0 AS value",
        "within_seconds": 60,
        "above": 2.0,
        "pending_seconds": pending_seconds,
        "dashboard": "service",
        "panel": 1,
    }
    return AlertRule(**fields | changes)


def state(name, since=START, told_at=None, **changes):
    fields = {
        "rule": "too-many",
        "state": name,
        "value": 3.0,
        "error": None,
        "since": since,
        "told_at": told_at,
        "evaluated_at": since,
    }
    return AlertState(**fields | changes)


def stepped(before, value, minutes=0.0, pending_seconds=0, tells=True):
    now = START + timedelta(minutes=minutes)
    return step(rule(pending_seconds), before, value, now, remind=REMIND, tells=tells)


@pytest.mark.parametrize("before", [None, state("ok")])
def test_a_rule_that_holds_fires_at_once_and_people_are_told(before):
    taken = stepped(before, 3.0, minutes=1)
    now = START + timedelta(minutes=1)
    assert taken.news is News.FIRED
    assert taken.state == state("firing", since=now, told_at=now)
    assert taken.since == now


@pytest.mark.parametrize("value", [2.0, 0.0, -1.0])
def test_a_rule_whose_value_is_not_above_its_limit_is_ok(value):
    taken = stepped(None, value)
    assert (taken.state.state, taken.news) == ("ok", None)


def test_a_rule_that_is_ok_was_so_since_it_became_so():
    taken = stepped(state("ok"), 0.0, minutes=5)
    assert taken.state.since == START
    assert taken.state.evaluated_at == START + timedelta(minutes=5)


def test_a_rule_that_has_to_hold_for_long_is_pending_first():
    taken = stepped(state("ok"), 3.0, minutes=1, pending_seconds=300)
    assert (taken.state.state, taken.news) == ("pending", None)
    assert taken.state.since == START + timedelta(minutes=1)


def test_a_pending_rule_waits_for_its_time_and_then_fires_since_it_first_held():
    early = stepped(state("pending"), 3.0, minutes=4.4, pending_seconds=300)
    assert (early.state.state, early.state.since, early.news) == ("pending", START, None)
    late = stepped(early.state, 3.0, minutes=5, pending_seconds=300)
    assert (late.state.state, late.news) == ("firing", News.FIRED)
    assert late.state.since == START + timedelta(minutes=5)
    assert late.since == START


def test_a_watcher_that_comes_seconds_too_early_need_not_come_again():
    taken = stepped(state("pending"), 3.0, minutes=4.9, pending_seconds=300)
    assert (taken.state.state, taken.news) == ("firing", News.FIRED)


def test_a_pending_rule_that_no_longer_holds_was_nothing():
    taken = stepped(state("pending"), 0.0, minutes=1, pending_seconds=300)
    assert (taken.state.state, taken.news, taken.state.told_at) == ("ok", None, None)


def test_what_fires_is_not_told_twice():
    taken = stepped(state("firing", told_at=START), 9.0, minutes=239)
    assert (taken.state.state, taken.state.told_at, taken.news) == ("firing", START, None)


def test_what_still_fires_is_brought_to_mind():
    taken = stepped(state("firing", told_at=START), 9.0, minutes=240)
    assert taken.news is News.REMINDER
    assert taken.state.told_at == START + REMIND
    assert taken.state.since == START
    assert taken.since == START


def test_a_clock_that_is_set_back_a_day_delays_neither_alert_nor_reminder():
    ahead = START + timedelta(days=1)
    first = stepped(state("pending", since=ahead), 3.0, pending_seconds=300)
    assert (first.state.state, first.state.since) == ("pending", START)
    assert stepped(first.state, 3.0, minutes=5, pending_seconds=300).news is News.FIRED
    firing = stepped(state("firing", since=ahead, told_at=ahead), 3.0)
    assert (firing.news, firing.state.told_at) == (None, START)
    assert stepped(firing.state, 3.0, minutes=240).news is News.REMINDER


def test_what_is_over_is_told_to_those_who_know_of_it():
    taken = stepped(state("firing", told_at=START), 2.0, minutes=9)
    assert (taken.state.state, taken.state.told_at, taken.news) == ("ok", None, News.OVER)
    assert taken.state.since == START + timedelta(minutes=9)
    assert taken.since == START


def test_what_nobody_was_told_of_ends_without_a_word():
    assert stepped(state("firing"), 0.0, minutes=9).news is None


def test_without_anybody_to_tell_the_state_goes_on_all_the_same():
    taken = stepped(None, 3.0, tells=False)
    assert (taken.state.state, taken.state.told_at, taken.news) == ("firing", None, None)
    told = stepped(taken.state, 3.0, minutes=30)
    assert told.news is News.FIRED
    assert told.since == START


def test_a_rule_that_cannot_be_evaluated_stays_as_it_was():
    before = state("firing", told_at=START)
    now = START + timedelta(minutes=3)
    after = unchanged(rule(), before, "no such table", now)
    assert after == state(
        "firing", told_at=START, value=None, error="no such table", evaluated_at=now
    )
    assert stepped(after, 3.0, minutes=4).news is None
    assert stepped(after, 0.0, minutes=4).news is News.OVER
    assert stepped(after, 3.0, minutes=4).state.error is None


def test_a_rule_that_could_never_be_evaluated_is_ok_with_a_reason():
    after = unchanged(rule(), None, "no such table", START)
    assert (after.state, after.value, after.error) == ("ok", None, "no such table")


moments = st.lists(
    st.tuples(
        st.sampled_from([0.0, 2.0, 3.0, None]),  # None: the query fails
        st.integers(min_value=1, max_value=400),  # minutes until then
    ),
    max_size=40,
)


@given(moments, st.sampled_from([0, 60, 7200]))
def test_people_hear_of_each_edge_once_and_in_turn(history, pending_seconds):
    chosen = rule(pending_seconds)
    now, known, told, edges, spoken = START, None, [], [], START
    for value, minutes in history:
        now += timedelta(minutes=minutes)
        old = known.state if known else "ok"
        if value is None:
            known = unchanged(chosen, known, "it failed", now)
            assert known.state == old
            continue
        taken = step(chosen, known, value, now, remind=REMIND, tells=True)
        known = taken.state
        assert (known.state == "ok") == (value <= chosen.above)
        if (old == "firing") != (known.state == "firing"):
            edges.append(News.FIRED if known.state == "firing" else News.OVER)
        if taken.news is News.REMINDER:
            assert now - spoken >= REMIND
        elif taken.news:
            told.append(taken.news)
        if taken.news:
            spoken = now
        assert (known.told_at is None) == (known.state != "firing")
        assert known.evaluated_at == now
        assert known.since <= now
    assert told == edges
    assert told[::2] == [News.FIRED] * len(told[::2])
    assert told[1::2] == [News.OVER] * len(told[1::2])
