"""How services have fared: what is counted, what is news, and what is a failure."""

import pytest

from jobchurn.stack.history import (
    CRASHES,
    SILENT_SECONDS,
    STEADY_SECONDS,
    WINDOW_SECONDS,
    History,
    Turn,
)
from jobchurn.stack.keeper import LONGEST_REST_SECONDS, rest_after
from jobchurn.stack.record import ServiceState, State


def seen(history, state, pid=1, at=0.0):
    """What is news when the toy is seen so."""
    states = [ServiceState("toy", State(state), pid, "here")]
    return history.see(states, {"toy": {"toy": pid} if pid else {}}, at)


def texts(events):
    return [event.text for event in events]


@pytest.fixture
def history():
    return History.begin([ServiceState("toy", State.RUNNING, 1, "here")], {"toy": {"toy": 1}}, 0.0)


def test_a_restart_is_news_at_once_and_a_state_once_it_lasts(history):
    assert seen(history, "running") == []
    assert seen(history, "starting") == []
    assert seen(history, "running") == []
    assert seen(history, "starting") == []
    assert texts(seen(history, "starting")) == ["toy is starting"]
    assert texts(seen(history, "running", 2)) == ["toy was restarted (pid 2)"]
    assert seen(history, "running", 2) == []


def test_a_service_that_was_given_up_is_told_of_at_once_and_only_once(history):
    events = seen(history, "failed", None)
    assert texts(events) == ["toy is failed", "toy is failing: it ends as soon as it is started"]
    assert [event.turn for event in events] == [None, Turn.FAILING]
    assert seen(history, "failed", None, at=1.0) == []


def test_restarts_are_counted_across_the_moments_without_a_process(history):
    for pid in (None, 2, None, None, 3, 3):
        seen(history, "starting", pid)
    assert history.courses["toy"].restarts == 2


def crash(history, times, every=1.0):
    """Restarts, one after the other; the turns that they bring, and when the last one was."""
    turns = []
    for number in range(1, times + 1):
        turns += [event.turn for event in seen(history, "running", number + 1, number * every)]
    return [turn for turn in turns if turn], times * every


def test_a_service_that_crashes_often_fails_although_it_answers_each_time(history):
    assert crash(history, CRASHES - 1) == ([], CRASHES - 1)
    assert crash(history, CRASHES)[0] == [Turn.FAILING]


def test_a_service_that_crashes_seldom_does_not_fail(history):
    assert crash(history, 5 * CRASHES, every=WINDOW_SECONDS / (CRASHES - 1))[0] == []


def test_a_service_that_failed_is_well_once_it_was_steady_and_the_window_is_clear(history):
    _, last = crash(history, CRASHES)
    pid = CRASHES + 1
    assert seen(history, "running", pid, last + STEADY_SECONDS + 1) == []
    over = seen(history, "running", pid, last + WINDOW_SECONDS)
    assert [(event.text, event.turn) for event in over] == [("toy is well again", Turn.OVER)]


def test_a_service_that_does_not_answer_for_long_fails(history):
    seen(history, "starting", at=1.0)
    assert [e.turn for e in seen(history, "starting", at=2.0)] == [None]
    [event] = seen(history, "starting", at=2.0 + SILENT_SECONDS)
    assert event.turn is Turn.FAILING
    assert "has not answered" in event.text


def test_a_clock_that_is_set_back_a_day_keeps_nothing_waiting(history):
    day = 86_400.0
    seen(history, "running", 2, at=day)
    seen(history, "starting", 2, at=day)
    assert seen(history, "starting", 2, at=0.0)[0].turn is None
    [event] = seen(history, "starting", 2, at=SILENT_SECONDS + 1)
    assert event.turn is Turn.FAILING
    assert seen(history, "running", 2, at=SILENT_SECONDS + 2) == []
    seen(history, "running", 2, at=WINDOW_SECONDS)
    assert history.courses["toy"].recent == ()


def test_a_new_state_and_a_restart_are_new_beginnings(history):
    seen(history, "running", at=5.0)
    assert history.courses["toy"].since == 0.0
    seen(history, "running", 2, at=6.0)
    assert history.courses["toy"].since == 6.0
    seen(history, "starting", 2, at=7.0)
    assert history.courses["toy"].since == 7.0


def test_what_failed_before_the_stack_was_stopped_is_told_to_be_well_once_it_is_steady():
    states = [ServiceState("toy", State.RUNNING, 1, "here")]
    history = History.begin(states, {"toy": {"toy": 1}}, 0.0, {"toy", "of another stack"})
    assert seen(history, "running", at=STEADY_SECONDS) == []
    [over] = seen(history, "running", at=STEADY_SECONDS + 1)
    assert (over.text, over.turn) == ("toy is well again", Turn.OVER)


def test_a_keeper_that_takes_over_goes_on_from_what_was_written(history):
    crash(history, CRASHES)
    other = History.from_json(history.to_json())
    assert other.courses == history.courses
    assert seen(other, "running", CRASHES + 1, CRASHES) == []


def test_the_rests_of_what_is_given_up_again_and_again_grow_up_to_a_limit():
    rests = [rest_after(number) for number in range(40)]
    assert rests == sorted(rests)
    assert len(set(rests)) > 2
    assert max(rests) == LONGEST_REST_SECONDS
