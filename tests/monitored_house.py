"""A house in which a little of everything has happened, for numbers that are reckoned by hand."""

import dataclasses
import time
from datetime import UTC, datetime, timedelta

from conftest import cloned
from jobchurn.contract import JOB_CHANGE
from jobchurn.drift import baseline_of
from jobchurn.panels import dashboards_of
from jobchurn.registry import Registry
from jobchurn.store import AlertState, LogEntry, NewAlert, Store
from jobchurn.verdict import Reason, Verdict
from monitoring_work import Past, drift_of, window_of
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


def monitored(server, template, folder):
    """Yields a store in which a little has happened, written as the product writes it."""
    for url in cloned(server, template):
        opened = Store.connect(url, JOB_CHANGE)
        past = Past(url)
        version = promote(opened, folder)
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
