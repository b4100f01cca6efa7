"""Watching a real database: windows, rules and alerts, by two at once and after a death."""

import dataclasses
import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from jobchurn import panels
from jobchurn.drift import Decision
from jobchurn.flow import watch
from jobchurn.flow.alert import retry_alerts
from jobchurn.flow.predict import predict
from jobchurn.notify import Notifier, TeamsSender
from jobchurn.panels import AlertRule, Severity
from small_model import small_model
from watched_house import WINDOW, fresh, watched_house
from webhook import listener

LATER = timedelta(seconds=10)
"""After which predictions are old enough to be watched."""

SKEWED = 40
"""Predictions above which the rule of these tests holds."""

MANY = AlertRule(
    name="many",
    title="There are many predictions",
    description="More than can be.",
    severity=Severity.CRITICAL,
    sql="SELECT now() AS time, count(*) AS value FROM predictions WHERE $__timeFilter(created_at)",
    details="SELECT DISTINCT 'from ' || source AS line FROM predictions",
    within_seconds=3_600,
    above=SKEWED,
    dashboard="predictions",
    panel=1,
)


@pytest.fixture
def house(store, tmp_path):
    return watched_house(store, tmp_path / "home")


@pytest.fixture
def only_many(monkeypatch):
    monkeypatch.setattr(panels, "rules_of", lambda _: (MANY,))


def told_by(house, hook):
    return dataclasses.replace(house, notifier=Notifier([TeamsSender(hook.webhook)]))


def predicted(house, records, model=None):
    predict(house, model or house.registry.champion(), records, source="scheduled")


def ripe():
    """A moment at which all that was predicted is old enough."""
    return datetime.now(UTC) + LATER


def headlines(hook):
    sent = [json.loads(content) for _, _, content in hook.received]
    return [message["attachments"][0]["content"]["body"][0]["text"] for message in sent]


def test_a_window_is_judged_once_it_is_full_and_only_once(house):
    predicted(house, fresh(WINDOW - 1, seed=10))
    assert watch.measure_drift(house, ripe()).windows == []
    predicted(house, fresh(WINDOW + 1, seed=11))
    first, second = watch.measure_drift(house, ripe()).windows
    assert {w.rows for w in (first, second)} == {WINDOW}
    assert first.source == "scheduled"
    assert first.model_version == house.registry.champion().version
    assert (first.decision, first.unseen) == (Decision.QUIET, 0)
    names = [*(c.name for c in house.contract.inputs), "score"]
    assert [one.feature for one in first.features] == names
    assert watch.measure_drift(house, ripe()).windows == []


def test_what_drifts_in_two_windows_running_pages(house):
    column = next(c for c in house.contract.inputs if c.is_closed)
    rows = [record | {column.name: column.levels[-1]} for record in fresh(2 * WINDOW, seed=12)]
    predicted(house, rows)
    first, second = watch.measure_drift(house, ripe()).windows
    assert (first.decision, second.decision) == (Decision.WARN, Decision.PAGE)
    assert column.name in {one.feature for one in second.drifted}


def test_predictions_of_a_version_without_a_baseline_are_said_to_be_such(house):
    silent = small_model(house.contract)  # its card has none
    house.registry.add(silent)
    predicted(house, fresh(WINDOW, seed=13), silent)
    predicted(house, fresh(WINDOW, seed=14))
    measured = watch.measure_drift(house, ripe())
    [unjudged] = measured.unjudged
    assert (unjudged.source, unjudged.model_version) == ("scheduled", silent.version)
    assert "train" in unjudged.reason.lower()
    assert [w.model_version for w in measured.windows] == [house.registry.champion().version]


def test_a_version_whose_files_are_gone_is_compared_by_its_card(house):
    predicted(house, fresh(WINDOW, seed=15))
    for file in (house.folders.models / house.registry.champion().version).iterdir():
        file.unlink()
    assert len(watch.measure_drift(house, ripe()).windows) == 1


def test_two_that_measure_at_once_judge_each_window_once(house):
    predicted(house, fresh(4 * WINDOW, seed=16))
    judged, start = [], threading.Barrier(2)

    def measure():
        start.wait()
        judged.extend(watch.measure_drift(house, ripe()).windows)

    both = [threading.Thread(target=measure) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(judged) == 4


def test_an_alert_goes_out_once_and_once_more_when_it_is_over(house, only_many):
    with listener() as hook:
        watched = told_by(house, hook)
        watch.watch(watched)
        assert hook.received == []
        predicted(house, fresh(SKEWED + 1, seed=17))
        for _ in range(3):
            watch.watch(watched)
        assert headlines(hook) == ["Critical: There are many predictions"]
        assert b"from scheduled" in hook.received[0][2]
        for _ in range(2):
            watch.watch(watched, datetime.now(UTC) + timedelta(hours=2))
    assert headlines(hook) == [
        "Critical: There are many predictions",
        "Over: There are many predictions",
    ]


def test_people_are_reminded_of_what_is_not_over(house, only_many):
    predicted(house, fresh(SKEWED + 1, seed=18))
    with listener() as hook:
        settings = house.settings.model_copy(update={"remind_minutes": 10})
        watched = told_by(dataclasses.replace(house, settings=settings), hook)
        for minutes in (0, 9, 10, 19, 20):
            watch.watch(watched, datetime.now(UTC) + timedelta(minutes=minutes, seconds=1))
    assert [text.split(":")[0] for text in headlines(hook)] == [
        "Critical",
        "Still critical",
        "Still critical",
    ]


def test_two_that_watch_at_once_tell_people_once(house, only_many):
    predicted(house, fresh(SKEWED + 1, seed=19))
    with listener(wait=0.3) as hook:
        watched, start = told_by(house, hook), threading.Barrier(2)

        def round_of():
            start.wait()
            watch.watch(watched)

        both = [threading.Thread(target=round_of) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
    assert headlines(hook) == ["Critical: There are many predictions"]


def test_two_messengers_at_once_send_an_alert_once(house, only_many):
    predicted(house, fresh(SKEWED + 1, seed=20))
    with listener(wait=0.5) as hook:
        watched, start = told_by(house, hook), threading.Barrier(2)
        watch.evaluate_rules(watched)

        def send():
            start.wait()
            retry_alerts(watched)

        both = [threading.Thread(target=send) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
    assert len(hook.received) == 1


def test_a_watcher_that_dies_before_it_tells_anybody_is_followed_by_one_that_does(house, only_many):
    predicted(house, fresh(SKEWED + 1, seed=21))
    with listener() as hook:
        watched = told_by(house, hook)
        watch.evaluate_rules(watched)  # and no more: it was killed
        assert hook.received == []
        watch.watch(watched)
        watch.watch(watched)
    assert headlines(hook) == ["Critical: There are many predictions"]


def test_a_channel_that_was_away_hears_of_both_in_turn(house, only_many):
    predicted(house, fresh(SKEWED + 1, seed=22))
    with listener(status=500) as broken:
        watch.watch(told_by(house, broken))
    assert len(broken.received) == 1
    with listener() as hook:
        watched = told_by(house, hook)
        watch.watch(watched, datetime.now(UTC) + timedelta(hours=2))
    assert headlines(hook) == [
        "Critical: There are many predictions",
        "Over: There are many predictions",
    ]


def test_a_rule_that_asks_for_what_is_not_there_is_reported_and_the_others_go_on(
    house, monkeypatch
):
    broken = dataclasses.replace(MANY, name="broken", sql="SELECT value FROM nowhere")
    monkeypatch.setattr(panels, "rules_of", lambda _: (broken, MANY))
    report = watch.watch(house)
    first, second = report.rules
    assert first.error
    assert (second.state, second.value, second.error) == ("ok", 0.0, None)
    assert not report.is_whole


def test_old_entries_of_the_logs_are_forgotten(house, only_many):
    now = datetime.now(UTC)
    old = now - timedelta(days=house.settings.log_days, hours=1)
    for run, moment in (("old", old), ("new", now)):
        house.store.job_runs.save("dag_ingestion", run, "success", moment, moment, moment)
    watch.watch(house)
    assert house.store.job_runs.forget(now + timedelta(days=1)) == 1
