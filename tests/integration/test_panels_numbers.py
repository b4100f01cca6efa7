"""The panels show the right numbers: what is stored is few enough to be reckoned by hand."""

import dataclasses
import math
import time
from datetime import UTC, datetime, timedelta

import pytest

from conftest import cloned
from jobchurn.contract import JOB_CHANGE
from jobchurn.drift import baseline_of
from jobchurn.panels import dashboards_of
from jobchurn.registry import Registry
from jobchurn.store import AlertState, LogEntry, NewAlert, Store
from jobchurn.verdict import Reason, Verdict
from monitoring_work import Past, drift_of, number, seen, window_of
from small_model import small_model
from store_work import batch_of, claimed, record_of

INGESTION, PREDICTIONS, SERVICE = dashboards_of(JOB_CHANGE)

TRAINING = {
    "city": ["city_103"] * 60 + ["city_21"] * 30 + ["city_16"] * 10,
    "city_development_index": [0.9] * 50 + [0.5] * 50,
    "gender": ["Male"] * 50 + ["Female"] * 25 + [None] * 25,
    "training_hours": list(range(1, 101)),
}
METRICS = {
    "rows": 100,
    "roc_auc": 0.8,
    "log_loss": 0.45,
    "brier": 0.15,
    "precision": 0.6,
    "recall": 0.7,
    "confusion": {"tp": 20, "fp": 10, "fn": 5, "tn": 65},
}

CITIES = ["city_103"] * 5 + ["city_21"] * 3 + ["city_999"] * 2
GENDERS = ["Male"] * 4 + ["Female"] + [None] * 5
HOURS = [5, 10, 11, 95, 100, 50, 50, 50, 50, 50]
RECORDS = [
    record_of(city=city, gender=gender, training_hours=hours, city_development_index=0.9)
    for city, gender, hours in zip(CITIES, GENDERS, HOURS, strict=True)
]
BY_HAND = [0.05, 0.15, 0.55, 0.95]
BY_SCHEDULE = [0.25, 0.25, 0.35, 0.45, 0.65, 0.75]
OUTCOMES = [0, 1, 0, 1, 1, 0]
"""Of the scheduled ones."""

INTERVAL = 120
"""Seconds: what six hours are cut into."""
BASE = datetime.fromtimestamp((time.time() // INTERVAL - 1) * INTERVAL + 10, UTC)
"""When all of it happened, but for what is said to have happened before: within one interval."""


@pytest.fixture(scope="module")
def store(postgres_server, template_database, tmp_path_factory):
    """A store in which a little has happened, written as the product writes it."""
    for url in cloned(postgres_server, template_database):
        opened = Store.connect(url, JOB_CHANGE)
        past = Past(url)
        version = promote(opened, tmp_path_factory.mktemp("models"))
        ingest(opened, past)
        predict(opened, past, version)
        drift(opened, version)
        serve(opened)
        yield opened
        past.close()
        opened.close()


def promote(store, folder):
    """A model whose card tells of the training above."""
    model = small_model(JOB_CHANGE)
    card = dataclasses.replace(
        model.card,
        metrics=METRICS,
        calibration_bins=[
            {"low": 0.0, "high": 0.1, "rows": 60, "predicted": 0.05, "observed": 0.05},
            {"low": 0.7, "high": 0.8, "rows": 40, "predicted": 0.75, "observed": 0.7},
        ],
        baseline=baseline_of(JOB_CHANGE, TRAINING, [n / 100 for n in range(100)]),
    )
    registry = Registry(folder, store.models, JOB_CHANGE)
    version = registry.add(type(model)(model.text, card, JOB_CHANGE))
    registry.promote(version)
    return version


def ingest(store, past):
    """Three files of 10, 10 and 20 rows, 8 of them bad, and the first one once more."""
    first = ingested(
        store,
        b"first",
        Verdict(
            rows_total=10,
            bad={
                1: (reason(1, "city", "required"),),
                2: (reason(2, "gender", "domain"), reason(2, "training_hours", "range")),
            },
        ),
        "medium",
        good="/data/good_data/first.csv",
        report="/data/reports/first.html",
    )
    bad = {row: (reason(row, "city", "required"),) for row in range(1, 7)}
    second = ingested(
        store, b"second", Verdict(rows_total=10, bad=bad), "high", good="/data/good_data/s.csv"
    )
    third = ingested(
        store, b"third", Verdict(rows_total=20), "none", trigger="dag", good="/data/good_data/t.csv"
    )
    again = ingested(store, b"first", Verdict(rows_total=10), "medium")
    store.predictions.mark_predicted("1" * 64, "first.csv", 1.0, 8, first)
    store.predictions.mark_predicted("3" * 64, "t.csv", 1.0, 20, third)
    past.execute("UPDATE predicted_files SET predicted_at = %s", BASE)
    for run_id, seconds in ((first, 60), (third, 660)):
        past.execute(
            "UPDATE arrivals SET arrived_at = %s WHERE run_id = %s",
            BASE - timedelta(seconds=seconds),
            run_id,
        )
    for run_id, seconds in ((first, 0), (second, -1_200), (third, 1), (again, 2)):
        past.execute(
            "UPDATE ingestion_runs SET finished_at = %s WHERE run_id = %s",
            BASE + timedelta(seconds=seconds),
            run_id,
        )


def reason(row, column, rule):
    return Reason(row=row, column=column, rule=rule, text="x", message="x")


def ingested(store, content, verdict, criticality, *, good=None, report=None, trigger="cli"):
    claim = claimed(store, name=f"{content.decode()}.csv", content=content, trigger=trigger)
    if claim.duplicate_of is None:
        store.runs.save_statistics(claim, verdict, criticality)
    store.runs.finish(claim, good, None, None, report)
    return claim.run_id


def predict(store, past, version):
    """Four predictions by hand, an hour before six by schedule, whose outcomes are known."""
    for source, probabilities, records in (
        ("webapp", BY_HAND, RECORDS[:4]),
        (
            "scheduled",
            BY_SCHEDULE,
            [
                record | {"target": outcome}
                for record, outcome in zip(RECORDS[4:], OUTCOMES, strict=True)
            ],
        ),
    ):
        store.predictions.write(
            batch_of(
                records,
                probabilities=probabilities,
                decisions=[int(probability >= 1 / 3) for probability in probabilities],
                source=source,
                model_version=version,
            )
        )
    for source, moment in (("webapp", BASE - timedelta(hours=1)), ("scheduled", BASE)):
        past.execute("UPDATE predictions SET created_at = %s WHERE source = %s", moment, source)


def drift(store, version):
    """Two windows by schedule, in which the hours drift, and one by hand."""
    found = [(30, None, 1), (10, 1, 2)]
    for minutes, previous, decision in found:
        window = window_of(minutes, source="scheduled", version=version, previous=previous)
        metrics = [
            drift_of("training_hours", "integer", decision, psi=0.3, effect=0.2, shift=0.5),
            drift_of("gender", "category", psi=0.01, effect=0.02, missing=0.3),
            drift_of("score", "score", psi=0.05, effect=0.04),
        ]
        assert store.drift.save(window, metrics, unseen=10, decision=decision)
    window = window_of(20, source="webapp", version=version, rows=100)
    metrics = [drift_of("gender", "category", 1, psi=0.4, effect=0.01)]
    assert store.drift.save(window, metrics, unseen=50, decision=1)


def serve(store):
    """Requests, runs of jobs, alerts and the state of a rule."""
    asked = [
        ("/predict", "POST", 200, 0.1, 4, 0, 1.0),
        ("/predict", "POST", 200, 0.2, 10, 2, 8.0),
        ("/predict", "POST", 500, 0.3, 0, 6, 1.0),
        ("/model", "GET", 200, 0.01, 0, 0, 10.0),
    ]
    store.request_log.write(
        [
            LogEntry(
                at=BASE,
                route=route,
                method=method,
                status=status,
                seconds=seconds,
                records=records,
                waiting=waiting,
                weight=weight,
            )
            for route, method, status, seconds, records, waiting, weight in asked
        ]
    )
    for job, outcome, seconds in (
        ("dag_ingestion", "success", 5),
        ("dag_ingestion", "quiet", 2),
        ("dag_prediction", "failed", 7),
    ):
        begun = BASE - timedelta(seconds=seconds)
        store.job_runs.save(job, f"{job} {outcome}", outcome, begun, begun, BASE)
    told = store.alert_states.change("drift", lambda _, present: (firing(present), [news()]))
    with store.alerts.held([alert.id for alert in told]) as held:
        held.delivered(told[0].id)
    store.alert_states.change("bad-rows", lambda _, present: (resting(present), [news("Wait")]))


def firing(moment):
    return AlertState(
        rule="drift",
        state="firing",
        value=1.0,
        error=None,
        since=moment,
        told_at=moment,
        evaluated_at=moment,
    )


def resting(moment):
    return dataclasses.replace(firing(moment), rule="bad-rows", state="ok", value=0.0)


def news(title="The data has drifted"):
    return NewAlert(kind="rule", severity="critical", title=title, body={}, channel="teams")


def by_label(rows):
    return {row["label"]: (row["serving"], row["training"]) for row in rows}


def lines(rows):
    """Metric → its values, in the order of time."""
    found = {}
    for row in rows:
        found.setdefault(row["metric"], []).append(row["value"])
    return found


@pytest.mark.parametrize("dashboard", [INGESTION, PREDICTIONS, SERVICE], ids=lambda d: d.name)
def test_every_panel_has_something_to_show(dashboard, store):
    for panel in dashboard.panels:
        assert seen(store, dashboard, panel.id), panel.title


def test_rows_and_files_are_counted_once(store):
    assert number(store, INGESTION, 1) == 40
    assert number(store, INGESTION, 3) == 3
    assert number(store, INGESTION, 5) == 1


def test_the_share_of_bad_rows_is_of_all_rows(store):
    assert number(store, INGESTION, 2) == 0.2


def test_ingestion_by_one_trigger_is_told_apart(store):
    assert number(store, INGESTION, 1, trigger=["dag"]) == 20
    assert number(store, INGESTION, 2, trigger=["dag"]) == 0
    assert number(store, INGESTION, 2, trigger=["start"]) is None


def test_files_are_counted_by_criticality_the_least_first(store):
    assert seen(store, INGESTION, 8) == [
        {"label": "none", "files": 1},
        {"label": "low", "files": 0},
        {"label": "medium", "files": 1},
        {"label": "high", "files": 1},
    ]
    assert number(store, INGESTION, 4) == 1


def test_good_and_bad_rows_are_stacked_over_time(store):
    assert lines(seen(store, INGESTION, 7)) == {"bad": [6, 2], "good": [4, 28]}


def test_the_worst_file_of_a_moment_gives_the_state(store):
    assert lines(seen(store, INGESTION, 11)) == {"hand": [3, 2], "Airflow": [0]}


def test_reasons_are_told_by_column_and_rule(store):
    assert seen(store, INGESTION, 12) == [
        {"label": "required", "rows": 7},
        {"label": "domain", "rows": 1},
        {"label": "range", "rows": 1},
    ]
    assert seen(store, INGESTION, 13) == [
        {"column": "City", "rule": "required", "rows": 7, "share": 0.175, "files": 2},
        {"column": "Gender", "rule": "domain", "rows": 1, "share": 0.025, "files": 1},
        {"column": "Training time", "rule": "range", "rows": 1, "share": 0.025, "files": 1},
    ]


def test_the_latest_files_lead_to_their_reports(store):
    files = seen(store, INGESTION, 14)
    assert [(row["file"], row["repeated"], row["report"]) for row in files] == [
        ("first.csv", "yes", None),
        ("third.csv", "no", None),
        ("first.csv", "no", "first.html"),
        ("second.csv", "no", None),
    ]
    assert files[1]["ingested by"] == "Airflow"
    assert files[3]["bad share"] == 0.6


def test_the_last_file_tells_how_long_ago_it_came(store):
    since = (datetime.now(UTC) - BASE) / timedelta(minutes=1)
    assert number(store, INGESTION, 6) == pytest.approx(since, abs=0.1)


def test_predictions_and_their_positive_rate(store):
    assert number(store, PREDICTIONS, 1) == 10
    assert number(store, PREDICTIONS, 2) == pytest.approx(0.6)
    assert number(store, PREDICTIONS, 2, source=["webapp"]) == pytest.approx(0.5)
    assert number(store, PREDICTIONS, 3) == pytest.approx(0.3)
    assert number(store, PREDICTIONS, 4) == pytest.approx(0.6)
    assert number(store, PREDICTIONS, 4, source=["scheduled"]) == pytest.approx(2 / 3)


def test_lines_of_serving_stand_beside_those_of_training(store):
    assert lines(seen(store, PREDICTIONS, 8)) == {
        "serving": [pytest.approx(0.5), pytest.approx(2 / 3)],
        "training": [pytest.approx(0.3)] * 2,
    }
    assert lines(seen(store, PREDICTIONS, 10)) == {
        "serving": [pytest.approx(0.425), pytest.approx(0.45)],
        "training": [pytest.approx(0.495)] * 2,
    }


def test_the_averages_of_each_number_stand_beside_those_of_training(store):
    index, hours = (panel for panel in PREDICTIONS.panels if panel.title.endswith("on average"))
    assert lines(seen(store, PREDICTIONS, index.id)) == {
        "serving": [pytest.approx(0.9)] * 2,
        "training": [pytest.approx(0.7)] * 2,
    }
    assert lines(seen(store, PREDICTIONS, hours.id)) == {
        "serving": [pytest.approx(30.25), pytest.approx(350 / 6)],
        "training": [pytest.approx(50.5)] * 2,
    }


def test_predictions_are_stacked_by_source(store):
    assert lines(seen(store, PREDICTIONS, 7)) == {"webapp": [4], "scheduled": [6]}


def test_probabilities_are_spread_over_tenths(store):
    spread = by_label(seen(store, PREDICTIONS, 9))
    assert len(spread) == 10
    assert spread["0–10%"] == (pytest.approx(0.1), pytest.approx(0.6))
    assert spread["20–30%"] == (pytest.approx(0.2), 0)
    assert spread["70–80%"] == (pytest.approx(0.1), pytest.approx(0.4))
    assert spread["90–100%"] == (pytest.approx(0.1), 0)


def test_a_category_is_spread_in_the_order_of_the_contract_with_blanks_last(store):
    spread = by_label(seen(store, PREDICTIONS, 14, feature=["gender"]))
    assert list(spread) == ["Male", "Female", "blank"]
    assert spread["Male"] == (pytest.approx(0.4), pytest.approx(0.5))
    assert spread["Female"] == (pytest.approx(0.1), pytest.approx(0.25))
    assert spread["blank"] == (pytest.approx(0.5), pytest.approx(0.25))


def test_an_open_text_is_spread_with_the_commonest_first(store):
    spread = by_label(seen(store, PREDICTIONS, 14, feature=["city"]))
    assert spread == {
        "city_103": (pytest.approx(0.5), pytest.approx(0.6)),
        "city_21": (pytest.approx(0.3), pytest.approx(0.3)),
        "city_999": (pytest.approx(0.2), 0),
        "city_16": (0, pytest.approx(0.1)),
    }


def test_a_number_is_spread_over_the_bins_of_training_whose_upper_end_belongs_to_them(store):
    spread = by_label(seen(store, PREDICTIONS, 14, feature=["training_hours"]))
    assert list(spread) == ["≤ 10", *(f"{n} – {n + 10}" for n in range(10, 90, 10)), "> 90"]
    assert all(training == pytest.approx(0.1) for _, training in spread.values())
    assert spread["≤ 10"][0] == pytest.approx(0.2)
    assert spread["10 – 20"][0] == pytest.approx(0.1)
    assert spread["40 – 50"][0] == pytest.approx(0.5)
    assert spread["> 90"][0] == pytest.approx(0.2)
    assert sum(serving for serving, _ in spread.values()) == pytest.approx(1)


def test_a_number_with_two_values_has_the_bins_that_there_are(store):
    spread = by_label(seen(store, PREDICTIONS, 14, feature=["city_development_index"]))
    assert spread == {"≤ 0.5": (0, pytest.approx(0.5)), "> 0.5": (1, pytest.approx(0.5))}


def test_a_feature_that_is_blank_throughout_is_one_bar(store):
    spread = by_label(seen(store, PREDICTIONS, 14, feature=["company_size"]))
    assert spread == {"blank": (1, 1)}


def test_blanks_stand_beside_those_of_training_the_most_first(store):
    blanks = by_label(seen(store, PREDICTIONS, 15))
    assert len(blanks) == 8
    assert blanks["Gender"] == (pytest.approx(0.5), pytest.approx(0.25))
    assert list(blanks)[-1] == "Gender"
    assert blanks["Company size"] == (1, 1)


def test_drift_is_decided_at_the_end_of_each_window(store):
    assert lines(seen(store, PREDICTIONS, 11, source=["scheduled"])) == {
        "Gender": [0],
        "Probability": [0],
        "Training time": [1, 2],
    }
    assert lines(seen(store, PREDICTIONS, 11)) == {
        "Gender · scheduled": [0],
        "Gender · webapp": [1],
        "Probability · scheduled": [0],
        "Training time · scheduled": [1, 2],
    }


def test_a_drift_that_ended_at_the_moment_of_its_worst_window_does_not_seem_to_last(database):
    store = Store.connect(database, JOB_CHANGE)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    for place, decision in enumerate([1, 2, 0]):
        ended = hour + timedelta(seconds=1 + place)
        window = dataclasses.replace(window_of(previous=place or None), last_at=ended)
        found = [drift_of("training_hours", "integer", decision)]
        assert store.drift.save(window, found, unseen=0, decision=decision)
    assert lines(seen(store, PREDICTIONS, 11)) == {"Training time": [2, 0]}
    store.close()


def test_features_that_drifted_are_those_of_the_latest_window_of_each_source(store):
    assert number(store, PREDICTIONS, 5) == 2
    assert number(store, PREDICTIONS, 5, source=["scheduled"]) == 1


def test_the_size_of_the_shift_is_the_greater_one_of_the_sources(store):
    assert seen(store, PREDICTIONS, 12) == [
        {"label": "Training time", "effect": 0.2, "PSI": 0.3},
        {"label": "Probability", "effect": 0.04, "PSI": 0.05},
        {"label": "Gender", "effect": 0.02, "PSI": 0.4},
    ]


def test_the_latest_windows_are_told_feature_by_feature(store):
    windows = seen(store, PREDICTIONS, 13)
    assert [(row["feature"], row["source"], row["decision"]) for row in windows] == [
        ("Training time", "scheduled", "page"),
        ("Gender", "webapp", "warn"),
        ("Probability", "scheduled", "quiet"),
        ("Gender", "scheduled", "quiet"),
    ]
    assert windows[3]["blank"] == 0.3


def test_names_that_training_did_not_see_are_counted_and_named(store):
    assert number(store, PREDICTIONS, 6) == pytest.approx(60 / 600)
    assert lines(seen(store, PREDICTIONS, 17)) == {
        "scheduled": [pytest.approx(0.02)] * 2,
        "webapp": [pytest.approx(0.5)],
    }
    assert seen(store, PREDICTIONS, 18) == [{"column": "City", "name": "city_999", "rows": 2}]


def test_performance_is_that_of_the_rows_whose_outcome_is_known(store):
    pairs = list(zip(BY_SCHEDULE, OUTCOMES, strict=True))
    loss = -sum(math.log(p if outcome else 1 - p) for p, outcome in pairs) / 6
    brier = sum((p - outcome) ** 2 for p, outcome in pairs) / 6
    assert number(store, PREDICTIONS, 19) == 6
    # Of nine pairs of a positive and a negative, four are in order and one is a tie.
    assert number(store, PREDICTIONS, 20) == pytest.approx(4.5 / 9)
    assert number(store, PREDICTIONS, 21) == pytest.approx(loss)
    assert number(store, PREDICTIONS, 22) == pytest.approx(0.05)
    assert seen(store, PREDICTIONS, 24) == [
        {"measure": "ROC-AUC", "serving": pytest.approx(0.5), "hold-out": 0.8},
        {"measure": "Log loss", "serving": pytest.approx(loss), "hold-out": 0.45},
        {"measure": "Brier score", "serving": pytest.approx(brier), "hold-out": 0.15},
        {"measure": "Precision", "serving": pytest.approx(0.5), "hold-out": 0.6},
        {"measure": "Recall", "serving": pytest.approx(2 / 3), "hold-out": 0.7},
    ]


def test_nothing_is_said_of_performance_where_no_outcome_is_known(store):
    for panel_id in (20, 21, 22):
        assert number(store, PREDICTIONS, panel_id, source=["webapp"]) is None
    for panel_id in (23, 24, 25):
        assert seen(store, PREDICTIONS, panel_id, source=["webapp"]) == []


def test_calibration_compares_what_happened_with_what_was_expected(store):
    assert seen(store, PREDICTIONS, 23) == [
        {"label": "20–30%", "happened": 0.5, "expected": pytest.approx(0.25)},
        {"label": "30–40%", "happened": 0, "expected": pytest.approx(0.35)},
        {"label": "40–50%", "happened": 1, "expected": pytest.approx(0.45)},
        {"label": "60–70%", "happened": 1, "expected": pytest.approx(0.65)},
        {"label": "70–80%", "happened": 0, "expected": pytest.approx(0.75)},
    ]
    assert lines(seen(store, PREDICTIONS, 25)) == {
        "expected": [pytest.approx(0.45)],
        "happened": [pytest.approx(0.5)],
    }


def test_requests_count_as_often_as_their_weight_says(store):
    assert number(store, SERVICE, 1) == 20
    assert number(store, SERVICE, 1, route=["/predict"]) == 10
    assert number(store, SERVICE, 2) == pytest.approx(0.05)
    assert number(store, SERVICE, 2, route=["/predict"]) == pytest.approx(0.1)
    assert lines(seen(store, SERVICE, 11)) == {"2xx": [19], "5xx": [1]}


def test_percentiles_of_latency_are_weighted(store):
    assert number(store, SERVICE, 3) == 0.2
    assert number(store, SERVICE, 3, route=["/predict"]) == 0.3
    assert lines(seen(store, SERVICE, 12)) == {"p50": [0.01], "p95": [0.2], "p99": [0.3]}


def test_the_queue_is_deep_in_the_mean_and_at_most(store):
    assert lines(seen(store, SERVICE, 15)) == {"mean": [pytest.approx(22 / 20)], "most": [6]}


def test_routes_are_told_apart_the_busiest_first(store):
    model, predict = seen(store, SERVICE, 17)
    assert model["route"] == "GET /model"
    assert predict == {
        "route": "POST /predict",
        "requests": 10,
        "failed": pytest.approx(0.1),
        "p50": 0.2,
        "p95": 0.3,
        "p99": 0.3,
        "records each": pytest.approx(8.4),
    }


def test_predictions_a_second_are_those_of_each_interval(store):
    assert lines(seen(store, SERVICE, 16)) == {
        "predictions": [pytest.approx(4 / 120), pytest.approx(6 / 120)]
    }


def test_freshness_is_from_arriving_to_stored_predictions(store):
    assert number(store, SERVICE, 7) == pytest.approx(60)
    assert number(store, SERVICE, 8) == pytest.approx(660)
    assert lines(seen(store, SERVICE, 14)) == {
        "p50": [pytest.approx(60)],
        "p99": [pytest.approx(660)],
    }


def test_a_file_that_took_long_and_one_that_waits_miss_the_objective(store):
    assert number(store, SERVICE, 9) == pytest.approx(1 / 3)
    assert number(store, SERVICE, 4) == pytest.approx(1 - (2 / 3) / 0.01)
    assert number(store, SERVICE, 10) == 1


def test_jobs_show_their_worst_and_their_longest_run(store):
    assert number(store, SERVICE, 5) == 1
    assert lines(seen(store, SERVICE, 18)) == {"dag_ingestion": [1], "dag_prediction": [2]}
    assert lines(seen(store, SERVICE, 19)) == {"dag_ingestion": [5], "dag_prediction": [7]}


def test_alerts_tell_whether_they_were_delivered(store):
    assert number(store, SERVICE, 6) == 1
    waiting, delivered = seen(store, SERVICE, 21)
    assert (waiting["title"], waiting["status"], waiting["took"]) == ("Wait", "pending", None)
    assert (delivered["status"], delivered["attempts"]) == ("delivered", 1)
    assert delivered["took"] >= 0


def test_rules_that_fire_stand_first(store):
    assert [(row["rule"], row["state"], row["value"]) for row in seen(store, SERVICE, 20)] == [
        ("drift", "firing", 1),
        ("bad-rows", "ok", 0),
    ]


def test_the_database_tells_of_its_size_and_its_connections(store):
    assert number(store, SERVICE, 22) > 1_000_000
    assert number(store, SERVICE, 24) >= 1
    assert 0 < number(store, SERVICE, 25) < 1
