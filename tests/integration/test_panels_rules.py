"""Each alert rule fires exactly when it should, on both sides of each of its bounds."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from jobchurn.contract import JOB_CHANGE
from jobchurn.panels import operations, rules_of
from monitored_house import SERVICE
from monitoring_work import Past, drift_of, fires, lines_of, number, value_of, window_of

RULES = {rule.name: rule for rule in rules_of(JOB_CHANGE)}


@pytest.fixture
def past(database):
    writer = Past(database)
    yield writer
    writer.close()


def in_days():
    return datetime.now(UTC) + timedelta(days=40)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_nothing_that_is_long_past_fires(rule, store, past):
    past.champion()
    past.run(1, 10, 9, criticality="high", good=None)
    past.predictions(300, 1, target=0)
    past.request(1, count=30, status=500, seconds=9.0)
    past.alert(30)
    store.drift.save(window_of(1), [], unseen=400, decision=2)
    assert not fires(store, rule, at=in_days())


def test_bad_rows_fires_above_two_fifths(store, past):
    rule = RULES["bad-rows"]
    past.run(5, 10, 2)
    past.run(10, 10, 6)
    assert value_of(store, rule) == 0.4
    assert not fires(store, rule)
    past.run(15, 10, 5)
    assert fires(store, rule)


def test_bad_rows_looks_at_the_last_hour(store, past):
    past.run(61, 10, 10)
    past.run(30, 10, 1)
    assert value_of(store, RULES["bad-rows"]) == 0.1


def test_bad_rows_does_not_count_the_rows_of_a_file_twice(store, past):
    first = past.run(20, 10, 1)
    past.run(10, 10, 1, duplicate_of=first, good=None)
    past.run(5, 10, 3)
    assert value_of(store, RULES["bad-rows"]) == 0.2


def test_bad_rows_are_none_where_files_had_no_rows(store, past):
    past.run(5, 0, 0)
    assert value_of(store, RULES["bad-rows"]) == 0


def test_the_details_of_bad_rows_are_the_rules_most_broken(store, past):
    past.run(5, 10, 5, issues=[("required", "city", 4), ("nul", None, 1)])
    past.run(6, 10, 5, issues=[("required", "city", 5)])
    assert lines_of(store, RULES["bad-rows"]) == [
        "city, required: 9 rows of 2 files",
        "nul: 1 rows of 1 files",
    ]


def test_nothing_ingested_fires_after_ten_minutes(store, past):
    rule = RULES["nothing-ingested"]
    past.run(9.9)
    assert not fires(store, rule)
    assert fires(store, rule, at=datetime.now(UTC) + timedelta(minutes=0.2))


def test_nothing_ingested_is_silent_where_nothing_came_for_a_day(store, past):
    rule = RULES["nothing-ingested"]
    past.run(24 * 60 + 1)
    assert value_of(store, rule) == 0
    past.run(24 * 60 - 1)
    assert fires(store, rule)


def test_nothing_ingested_is_silent_while_a_file_that_came_before_comes_again(store, past):
    first = past.run(60)
    past.run(5, duplicate_of=first)
    assert not fires(store, RULES["nothing-ingested"])


def test_high_criticality_fires_for_a_quarter_of_an_hour(store, past):
    rule = RULES["high-criticality"]
    past.run(5, 10, 4, criticality="medium")
    past.run(16, 10, 9, criticality="high")
    assert not fires(store, rule)
    past.run(14, 10, 9, criticality="high", file="broken.csv")
    assert fires(store, rule)
    assert lines_of(store, rule) == ["broken.csv: 9 of 10 rows bad"]


def test_one_class_fires_from_a_hundred_predictions_on(store, past):
    rule = RULES["one-class"]
    past.predictions(99, 10, prediction=1)
    assert not fires(store, rule)
    past.predictions(1, 10, prediction=1)
    assert fires(store, rule)
    past.predictions(1, 61, prediction=0)
    assert fires(store, rule)
    past.predictions(1, 59, prediction=0)
    assert not fires(store, rule)


def test_one_class_is_about_the_latest_two_hundred(store, past):
    rule = RULES["one-class"]
    past.predictions(1_000, 40, prediction=0)
    past.predictions(199, 10, prediction=1)
    assert not fires(store, rule)
    past.predictions(1, 9, prediction=1)
    assert fires(store, rule)


def test_one_class_fires_for_either_class(store, past):
    past.predictions(100, 10, prediction=0, probability=0.1, source="scheduled")
    assert fires(store, RULES["one-class"])
    assert lines_of(store, RULES["one-class"]) == [
        "scheduled: 100 predictions, all 0, mean probability 0.10"
    ]


def save(store, minutes, decision, *, previous=None, source="webapp", **values):
    metrics = [
        drift_of("training_hours", "integer", decision, p_adjusted=3e-5, effect=0.214, shift=0.5),
        drift_of("score", "score", min(decision, 1)),
    ]
    window = window_of(minutes, source=source, previous=previous, **values)
    assert store.drift.save(window, metrics, unseen=0, decision=decision)
    return window


def last_window(past, source="webapp"):
    found = past.execute("SELECT max(id) FROM drift_windows WHERE source = %s", source)
    return found.fetchone()[0]


def test_drift_fires_for_a_page_and_not_for_a_warning(store, past):
    rule = RULES["drift"]
    past.champion()
    save(store, 30, 1)
    assert not fires(store, rule)
    save(store, 20, 2, previous=last_window(past))
    assert value_of(store, rule) == 1
    save(store, 15, 2, source="scheduled")
    assert value_of(store, rule) == 2
    assert lines_of(store, rule)[0] == (
        "Training time (scheduled): p 3e-05, effect 0.21, mean +0.50 sd, blank 0% against 0%"
    )
    save(store, 10, 1, previous=last_window(past))
    assert value_of(store, rule) == 1


def test_drift_is_that_of_the_champion(store, past):
    past.champion()
    save(store, 20, 2, version="lgbm-ffffffffffff")
    assert not fires(store, RULES["drift"])
    past.champion("lgbm-ffffffffffff")
    assert fires(store, RULES["drift"])


def test_drift_of_yesterday_fires_no_more(store, past):
    past.champion()
    save(store, 24 * 60 + 1, 2)
    assert not fires(store, RULES["drift"])
    save(store, 24 * 60 - 1, 2, source="scheduled")
    assert fires(store, RULES["drift"])


def test_unseen_levels_fires_above_a_twentieth_of_the_latest_window(store, past):
    rule = RULES["unseen-levels"]
    past.champion()
    store.drift.save(window_of(30), [], unseen=100, decision=0)
    store.drift.save(window_of(20, previous=last_window(past)), [], unseen=25, decision=0)
    assert value_of(store, rule) == 0.05
    assert not fires(store, rule)
    store.drift.save(window_of(20, source="scheduled"), [], unseen=26, decision=0)
    assert fires(store, rule)
    assert lines_of(store, rule) == ["scheduled: 26 of 500 rows", "webapp: 25 of 500 rows"]


def test_calibration_fires_above_ten_points_from_two_hundred_outcomes_on(store, past):
    rule = RULES["calibration"]
    past.predictions(100, 60, probability=0.25, target=0)
    past.predictions(99, 60, probability=0.25, target=1)
    past.predictions(500, 60, probability=0.9, target=None)
    assert not fires(store, rule)
    past.predictions(1, 60, probability=0.25, target=1)
    assert value_of(store, rule) == pytest.approx(0.25)
    assert fires(store, rule)
    assert lines_of(store, rule) == ["mean probability 25%, positive 50%, of 200 known outcomes"]


def test_calibration_is_silent_at_less_than_ten_points_and_after_a_week(store, past):
    rule = RULES["calibration"]
    past.predictions(140, 60, probability=0.25, target=0)
    past.predictions(60, 60, probability=0.25, target=1)
    past.predictions(1000, 7 * 24 * 60 + 1, probability=0.25, target=1)
    assert value_of(store, rule) == pytest.approx(0.05)
    assert not fires(store, rule)


def test_slow_answers_fires_where_more_than_one_in_twenty_takes_over_a_second(store, past):
    rule = RULES["slow-answers"]
    past.request(5, count=19, seconds=0.1)
    past.request(5, count=1, seconds=3.0)
    assert not fires(store, rule)
    past.request(5, count=1, seconds=3.0)
    assert fires(store, rule)


def test_slow_answers_needs_twenty_requests_of_a_quarter_of_an_hour(store, past):
    rule = RULES["slow-answers"]
    past.request(5, count=19, seconds=3.0)
    past.request(16, count=19, seconds=3.0)
    assert not fires(store, rule)
    past.request(14, seconds=3.0)
    assert value_of(store, rule) == 3.0


def test_slow_answers_is_about_small_requests_for_predictions(store, past):
    rule = RULES["slow-answers"]
    past.request(5, count=30, seconds=3.0, records=1_000)
    past.request(5, count=30, seconds=3.0, route="/past-predictions", method="GET")
    assert value_of(store, rule) == 0
    past.request(5, count=30, seconds=3.0, records=999)
    assert fires(store, rule)


def test_slow_answers_counts_a_request_as_often_as_its_weight_says(store, past):
    rule = RULES["slow-answers"]
    past.request(5, count=20, seconds=3.0)
    past.request(5, seconds=0.1, weight=380)
    assert not fires(store, rule)
    past.request(5, seconds=3.0)
    assert fires(store, rule)


def test_errors_fires_above_a_twentieth_of_twenty_requests(store, past):
    rule = RULES["errors"]
    past.request(5, count=18)
    past.request(5, status=503)
    assert not fires(store, rule)  # 19 requests
    past.request(5)
    assert value_of(store, rule) == 0.05
    assert not fires(store, rule)
    past.request(5, status=500)
    assert fires(store, rule)
    assert lines_of(store, rule) == [
        "POST /predict: 1 times 500",
        "POST /predict: 1 times 503",
    ]


def test_errors_are_not_those_of_clients_nor_those_of_before(store, past):
    past.request(5, count=50, status=422)
    past.request(11, count=50, status=500)
    assert value_of(store, RULES["errors"]) == 0


def test_errors_counts_a_request_as_often_as_its_weight_says(store, past):
    past.request(5, weight=90)
    past.request(5, weight=10, status=500)
    assert value_of(store, RULES["errors"]) == pytest.approx(0.1)


def test_alerts_undelivered_fires_after_five_minutes(store, past):
    rule = RULES["alerts-undelivered"]
    past.alert(4.8)
    assert not fires(store, rule)
    assert fires(store, rule, at=datetime.now(UTC) + timedelta(minutes=0.3))


@pytest.mark.parametrize(
    ("fields", "fired"),
    [
        ({"status": "failed", "attempts": 9}, True),
        ({"status": "failed", "attempts": 10}, True),
        ({"status": "delivered", "attempts": 1}, False),
        ({"status": "skipped"}, False),
    ],
)
def test_alerts_undelivered_is_about_those_that_were_to_be_delivered_and_were_not(
    fields, fired, store, past
):
    past.alert(10, **fields)
    assert fires(store, RULES["alerts-undelivered"]) is fired
    assert number(store, SERVICE, operations.UNDELIVERED) == fired  # where the rule has one look


def test_the_details_of_undelivered_alerts_say_why(store, past):
    past.alert(10, status="failed", attempts=1, last_error="HTTP 410")
    past.alert(10, channel="slack")
    past.alert(11, channel="slack")
    assert lines_of(store, RULES["alerts-undelivered"]) == [
        "slack, 2 alerts: not tried yet",
        "teams, 1 alerts: HTTP 410",
    ]


def test_late_predictions_fires_after_ten_minutes(store, past):
    rule = RULES["late-predictions"]
    late = past.run(9.8, file="late.csv")
    past.run(60, good=None)
    past.predicted(past.run(60), 59)
    assert not fires(store, rule)
    later = datetime.now(UTC) + timedelta(minutes=0.3)
    assert fires(store, rule, at=later)
    assert lines_of(store, rule, at=later) == ["late.csv: 10 good rows"]
    past.predicted(late, 0)
    assert not fires(store, rule, at=later)


def test_a_file_that_came_before_is_never_late(store, past):
    first = past.run(60)
    past.predicted(first, 59)
    past.run(30, duplicate_of=first)
    assert not fires(store, RULES["late-predictions"])


def tidied(store, minutes, outcome):
    moment = datetime.now(UTC) - timedelta(minutes=minutes)
    store.job_runs.save("tidy", moment.isoformat(), outcome, moment, moment, moment)


def test_upkeep_fires_while_the_last_time_failed(store):
    rule = RULES["upkeep"]
    assert value_of(store, rule) == 0
    tidied(store, 60, "failed")
    assert fires(store, rule)
    assert lines_of(store, rule)[0].startswith("It failed at ")
    tidied(store, 30, "quiet")
    assert not fires(store, rule)
    assert lines_of(store, rule) == []


def test_upkeep_fires_before_the_partitions_end(store, database):
    rule = RULES["upkeep"]
    with psycopg.connect(database) as connection:
        connection.execute("SET TimeZone TO UTC")
        end = connection.execute("SELECT date_trunc('month', now()) + interval '3 months'")
        [end] = end.fetchone()
    assert not fires(store, rule, at=end - timedelta(days=7, hours=1))
    assert fires(store, rule, at=end - timedelta(days=6, hours=23))
    [line] = lines_of(store, rule, at=end)
    assert line == f"The partitions end at {end:%Y-%m-%d}"
