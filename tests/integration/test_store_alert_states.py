"""Alert states: changed one after the other, together with the alerts that tell of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from jobchurn.store import AlertState, NewAlert
from store_work import at_once

RULE = "bad-rows"
ALERT = NewAlert(
    kind="rule", severity="warning", title="100% \x00", body={"file": "\udce9"}, channel="teams"
)


def firing(before, now):
    """Fires, and tells of it where it did not fire before."""
    told = before is not None and before.state == "firing"
    state = AlertState(
        rule=RULE,
        state="firing",
        value=0.75,
        error=None,
        since=before.since if told else now,
        told_at=before.told_at if told else now,
        evaluated_at=now,
    )
    return state, () if told else (ALERT,)


def test_at_first_no_rule_is_known(store):
    assert store.alert_states.all() == {}


def test_a_state_and_its_alerts_are_kept_as_they_were_decided(store):
    decided = []

    def decide(before, now):
        assert before is None
        decided.append(firing(before, now)[0])
        return decided[0], (ALERT, replace(ALERT, channel="slack"))

    began = datetime.now(UTC)
    alerts = store.alert_states.change(RULE, decide)
    assert store.alert_states.all() == {RULE: decided[0]}
    assert abs(decided[0].since - began) < timedelta(minutes=1)
    assert [alert.channel for alert in alerts] == ["teams", "slack"]
    assert sorted(store.alerts.pending(), key=lambda alert: alert.id) == alerts
    first = alerts[0]
    assert (first.run_id, first.kind, first.severity) == (None, "rule", "warning")
    assert (first.title, first.body, first.status) == ("100% \x00", {"file": "\udce9"}, "pending")


def test_each_change_sees_the_one_before(store):
    store.alert_states.change(RULE, firing)
    kept = store.alert_states.all()[RULE]

    def decide(before, now):
        assert before == kept
        assert now >= kept.evaluated_at
        return replace(before, state="ok", value=None, error="no \udce9", evaluated_at=now), ()

    assert store.alert_states.change(RULE, decide) == []
    changed = store.alert_states.all()[RULE]
    assert (changed.state, changed.value, changed.error) == ("ok", None, "no \udce9")


def test_of_many_who_find_it_firing_one_tells(store):
    told = at_once(8, lambda _: store.alert_states.change(RULE, firing))
    assert sorted(len(alerts) for alerts in told) == [0] * 7 + [1]
    assert len(store.alerts.pending()) == 1


def test_rules_do_not_wait_for_each_other(store):
    def decide(before, now):
        def other(before, now):
            return replace(firing(before, now)[0], rule="errors"), ()

        store.alert_states.change("errors", other)
        return firing(before, now)

    store.alert_states.change(RULE, decide)
    assert set(store.alert_states.all()) == {RULE, "errors"}


def test_where_deciding_fails_nothing_is_changed(store):
    def decide(before, now):
        raise LookupError("no value")

    with pytest.raises(LookupError):
        store.alert_states.change(RULE, decide)
    assert store.alert_states.all() == {}


def test_a_state_that_cannot_be_kept_leaves_no_alert_behind(store):
    def decide(before, now):
        return replace(firing(before, now)[0], state="on fire"), (ALERT,)

    with pytest.raises(sa.exc.IntegrityError, match="alert_states_state"):
        store.alert_states.change(RULE, decide)
    assert store.alerts.pending() == []


def test_an_alert_that_cannot_be_kept_leaves_the_state_as_it_was(store):
    store.alert_states.change(RULE, lambda before, now: (firing(before, now)[0], ()))
    kept = store.alert_states.all()

    def decide(before, now):
        return replace(before, state="ok"), (ALERT, replace(ALERT, body={"x": object()}))

    with pytest.raises(Exception, match="serializable"):
        store.alert_states.change(RULE, decide)
    assert store.alert_states.all() == kept
    assert store.alerts.pending() == []
