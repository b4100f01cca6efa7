"""Alerts: one for each run and channel, tried until delivered."""

import time

import psycopg
import pytest

from jobchurn.errors import LeaseLost
from jobchurn.store.engine import LOCK_SECONDS
from store_work import claimed


def recorded(store, claim=None, channel="teams", **values):
    defaults = {"kind": "ingestion", "severity": "high", "title": "75% bad", "body": {"n": [1]}}
    return store.alerts.record(claim=claim, channel=channel, **defaults | values)


@pytest.fixture
def claim(store):
    return claimed(store)


def test_an_alert_is_kept_as_it_was_given(store, claim):
    alert = recorded(store, claim, title="caf\udce9 \x00", body={"file": "\udce9"})
    assert (alert.run_id, alert.kind, alert.severity) == (claim.run_id, "ingestion", "high")
    assert (alert.title, alert.body, alert.channel) == (
        "caf\udce9 \x00",
        {"file": "\udce9"},
        "teams",
    )
    assert (alert.status, alert.attempts, alert.last_error) == ("pending", 0, None)
    assert store.alerts.latest() == [alert]


def test_of_a_run_and_a_channel_there_is_one_alert(store, claim):
    first = recorded(store, claim)
    delivered(store, first)
    assert recorded(store, claim, body={"n": [2]}).status == "delivered"
    assert recorded(store, claim, channel="slack").id != first.id


def test_what_is_said_otherwise_of_a_run_is_delivered_anew(store, claim):
    first = recorded(store, claim, severity="low")
    failed(store, first, "timeout")
    delivered(store, first)
    graver = recorded(store, claim, severity="high", title="unreadable", body={"n": [2]})
    assert (graver.id, graver.severity, graver.body) == (first.id, "high", {"n": [2]})
    assert (graver.status, graver.attempts, graver.last_error) == ("pending", 0, None)
    assert graver.delivered_at is None
    assert store.alerts.pending() == [graver]


def test_a_worker_that_was_overtaken_alerts_nobody(store):
    late = claimed(store, lease=0)
    recorded(store, store.arrivals.take_up("other", 60, lambda _: False))
    with pytest.raises(LeaseLost):
        recorded(store, late, title="another")
    assert [alert.title for alert in store.alerts.latest()] == ["75% bad"]


def test_alerts_about_no_run_are_each_their_own(store):
    assert recorded(store).id != recorded(store).id


def delivered(store, alert):
    with store.alerts.held([alert.id]) as held:
        held.delivered(alert.id)


def failed(store, alert, error):
    with store.alerts.held([alert.id]) as held:
        held.failed(alert.id, error)


def test_what_waits_is_in_the_order_in_which_it_was_kept_whatever_the_clock_said(store, database):
    first, second = recorded(store, title="it began"), recorded(store, title="it is over")
    ahead = "UPDATE alerts SET created_at = created_at + interval '1 day' WHERE id = %s"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(ahead, [first.id])
    assert [alert.id for alert in store.alerts.pending()] == [first.id, second.id]


def test_an_alert_stays_pending_until_it_is_delivered(store):
    first, second = recorded(store), recorded(store)
    failed(store, first, "no route \x00")
    failed(store, first, "timeout")
    delivered(store, second)
    [waiting] = store.alerts.pending()
    assert (waiting.id, waiting.status, waiting.attempts) == (first.id, "failed", 2)
    assert waiting.last_error == "timeout"
    delivered(store, first)
    assert store.alerts.pending() == []
    [latest, earlier] = store.alerts.latest()
    assert (latest.id, earlier.id) == (second.id, first.id)
    assert earlier.delivered_at >= earlier.created_at
    assert earlier.attempts == 3


def test_after_its_last_attempt_an_alert_rests(store):
    alert = recorded(store)
    for _ in range(3):
        failed(store, alert, "refused")
    assert store.alerts.pending(max_attempts=3) == []
    assert len(store.alerts.pending(max_attempts=4)) == 1


def test_a_skipped_alert_is_never_delivered(store):
    recorded(store, status="skipped")
    assert store.alerts.pending() == []


def test_what_one_messenger_holds_another_finds_taken(store):
    first, second = recorded(store), recorded(store)
    with store.alerts.held([first.id]) as one, store.alerts.held([first.id, second.id]) as other:
        assert [alert.id for alert in one.alerts] == [first.id]
        assert [alert.id for alert in other.alerts] == [second.id]


def test_what_a_sleeping_messenger_holds_is_recorded_again_without_waiting(store, claim):
    alert = recorded(store, claim)
    begun = time.monotonic()
    with store.alerts.held([alert.id]) as held:
        held.delivered(alert.id)
        assert recorded(store, claim) == alert
    assert time.monotonic() - begun < LOCK_SECONDS / 2


def test_what_was_delivered_is_held_by_nobody(store):
    alert = recorded(store)
    delivered(store, alert)
    with store.alerts.held([alert.id]) as held:
        assert held.alerts == []


def test_a_messenger_that_dies_lets_go_of_what_it_held(store):
    alert = recorded(store)

    def die():
        with store.alerts.held([alert.id]) as held:
            held.delivered(alert.id)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()
    [waiting] = store.alerts.pending()
    assert (waiting.id, waiting.attempts) == (alert.id, 0)
