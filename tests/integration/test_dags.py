"""The DAGs: what they declare, and whole runs of them on a real database and a real API."""

import dataclasses
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from airflow_house import DRIVER, environment_of
from api_house import open_house
from api_process import Served
from jobchurn.contract import JOB_CHANGE
from jobchurn.flow import ingest
from jobchurn.flow.predict import predict
from ports import free_port
from small_model import random_records
from watched_house import WINDOW, fresh, watched_house
from webhook import listener

pytestmark = pytest.mark.airflow

NAMES = [column.name for column in JOB_CHANGE.columns]
RUN_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}")
INGESTION = {
    "read_data": ["validate_data"],
    "validate_data": ["save_statistics", "send_alerts", "split_and_save"],
    "save_statistics": ["finish"],
    "send_alerts": ["finish"],
    "split_and_save": ["finish"],
    "finish": [],
}
PREDICTION = {"check_for_new_data": ["make_predictions"], "make_predictions": []}
MONITORING = {
    "measure_drift": ["evaluate_rules", "fail_the_run"],
    "evaluate_rules": ["fail_the_run", "send_alerts"],
    "send_alerts": ["fail_the_run"],
    "fail_the_run": [],
}
DAGS = {"dag_ingestion": INGESTION, "dag_prediction": PREDICTION, "dag_monitoring": MONITORING}


@pytest.fixture(scope="module")
def declared(tmp_path_factory):
    """What the DAGs' files declare; the database that it names is not there."""
    home = tmp_path_factory.mktemp("declared")
    done = subprocess.run(
        [sys.executable, str(DRIVER), "structure"],
        env=environment_of(home, "postgresql://nobody@127.0.0.1:9/nothing"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_dags_are_those_of_the_design(declared):
    edges = {
        dag_id: {name: task["downstream"] for name, task in dag["tasks"].items()}
        for dag_id, dag in declared.items()
    }
    assert edges == DAGS


def test_ingestion_runs_every_minute_prediction_every_two_monitoring_every_five(declared):
    assert declared["dag_ingestion"]["schedule"] == "* * * * *"
    assert declared["dag_prediction"]["schedule"] == "*/2 * * * *"
    assert declared["dag_monitoring"]["schedule"] == "*/5 * * * *"


def test_every_dag_runs_from_the_start(declared):
    assert not any(dag["paused_at_creation"] for dag in declared.values())


@pytest.mark.parametrize("dag_id", DAGS)
def test_one_run_at_a_time_is_made_of_the_present_and_ends_some_day(declared, dag_id):
    dag = declared[dag_id]
    assert dag["max_active_runs"] == 1
    assert dag["catchup"] is False
    longest = max(task["timeout"] for task in dag["tasks"].values())
    assert dag["timeout"] > longest


@pytest.mark.parametrize("dag_id", DAGS)
def test_every_task_is_tried_again_after_pauses_that_grow_to_a_limit(declared, dag_id):
    for task in declared[dag_id]["tasks"].values():
        assert task["retries"] >= 3
        assert task["backoff"]
        assert 0 < task["delay"] < task["longest_delay"] <= 60


def test_every_task_runs_only_after_all_before_it_have_succeeded(declared):
    for dag in ("dag_ingestion", "dag_prediction"):
        tasks = declared[dag]["tasks"].values()
        assert {task["trigger_rule"] for task in tasks} == {"all_success"}


def test_rules_and_alerts_wait_for_no_step_that_failed_but_the_run_fails_for_it(declared):
    tasks = declared["dag_monitoring"]["tasks"]
    assert {name: task["trigger_rule"] for name, task in tasks.items()} == {
        "measure_drift": "all_success",
        "evaluate_rules": "all_done",
        "send_alerts": "all_done",
        "fail_the_run": "one_failed",
    }


@pytest.fixture
def house(store, tmp_path):
    return open_house(store, tmp_path / "home")


@pytest.fixture
def run(airflow, house, database):
    """Runs a DAG over the house."""

    def run(dag, **environment):
        return airflow.run(
            dag,
            {
                "JOBCHURN_HOME": str(house.folders.root),
                "DATABASE_URL": database,
                "SETTLE_SECONDS": "0",
                "TEAMS_WEBHOOK": "",
            }
            | environment,
        )

    return run


def write_raw(house, name, count, seed=0):
    """A raw file of so many good rows and one bad one."""
    records = random_records(JOB_CHANGE, count + 1, seed)
    cells = [[c.write(record[c.name]) for c in JOB_CHANGE.columns] for record in records]
    cells[-1][NAMES.index("training_hours")] = "-5"
    lines = [",".join(row) for row in [NAMES, *cells]]
    (house.folders.raw_data / name).write_text("\n".join(lines) + "\n")


def all_of(tasks, state):
    return dict.fromkeys(tasks, state)


def test_a_raw_file_goes_through_ingestion(run, house):
    write_raw(house, "a.csv", 5)
    done = run("dag_ingestion")
    assert done["state"] == "success"
    assert done["tasks"] == all_of(INGESTION, "success")
    [ingested] = house.store.runs.finished()
    assert (ingested.file, ingested.trigger) == ("a.csv", "dag")
    assert (ingested.rows_valid, ingested.rows_invalid) == (5, 1)
    for path in (ingested.good, ingested.bad, ingested.reasons, ingested.report):
        assert Path(path).is_file()
    assert not list(house.folders.raw_data.iterdir())
    assert not list(house.folders.work.iterdir())


def test_tasks_hand_on_the_runs_id_and_nothing_else(run, house):
    write_raw(house, "a.csv", 5)
    xcoms = run("dag_ingestion")["xcoms"]
    [ingested] = house.store.runs.finished()
    assert {key for _, key, _ in xcoms} == {"return_value"}
    assert {value for _, _, value in xcoms} == {ingested.run_id}
    assert RUN_ID.fullmatch(ingested.run_id)


def test_one_run_takes_one_file(run, house):
    for n in range(3):
        write_raw(house, f"{n}.csv", 3, seed=n)
    run("dag_ingestion")
    assert len(list(house.folders.raw_data.iterdir())) == 2


@pytest.mark.parametrize(("dag", "tasks"), DAGS.items())
def test_a_quiet_run_skips_all_tasks(run, dag, tasks):
    done = run(dag)
    assert done["tasks"] == all_of(tasks, "skipped")
    assert done["state"] == "success"
    assert done["xcoms"] == []


def test_a_run_that_a_dead_worker_left_is_finished_by_the_next(run, house):
    write_raw(house, "a.csv", 3)
    settings = house.settings.model_copy(update={"settle_seconds": 0.0, "lease_seconds": 0.001})
    left = ingest.read_data(
        dataclasses.replace(house, settings=settings), trigger="dag", holder="dag:gone"
    )
    assert run("dag_ingestion")["tasks"] == all_of(INGESTION, "success")
    assert [ingested.run_id for ingested in house.store.runs.finished()] == [left.run_id]


def test_good_rows_are_predicted_through_the_api_once_with_their_lineage(run, house, database):
    write_raw(house, "a.csv", 5)
    run("dag_ingestion")
    [ingested] = house.store.runs.finished()
    before = Path(ingested.good).stat()
    served = Served(database, house.folders.root)
    try:
        done = run("dag_prediction", API_URL=served.address)
        quiet = run("dag_prediction", API_URL=served.address)
    finally:
        served.end()
    assert done["tasks"] == all_of(PREDICTION, "success")
    assert [(task, value) for task, _, value in done["xcoms"]] == [
        ("check_for_new_data", [ingested.run_id])
    ]
    assert quiet["tasks"] == all_of(PREDICTION, "skipped")
    rows, _ = house.store.predictions.page()
    assert {row.source for row in rows} == {"scheduled"}
    assert Counter((row.run_id, row.file_name, row.row_number) for row in rows) == Counter(
        (ingested.run_id, "a.csv", n) for n in range(1, 6)
    )
    after = Path(ingested.good).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_webhook_that_is_away_stops_no_ingestion(run, house):
    write_raw(house, "a.csv", 3)
    done = run("dag_ingestion", TEAMS_WEBHOOK=f"http://127.0.0.1:{free_port()}/hook")
    assert done["tasks"] == all_of(INGESTION, "success")
    assert [alert.status for alert in house.store.alerts.latest()] == ["failed"]


@pytest.fixture
def watched(store, tmp_path):
    """A house whose champion can be compared with."""
    return watched_house(store, tmp_path / "home")


def aged(database):
    """Make what was predicted old enough to be watched."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE predictions SET created_at = created_at - interval '9 seconds'")


def test_monitoring_judges_windows_and_tells_people_once(run, watched, database):
    records = [fresh(1, seed=3)[0]] * 2 * WINDOW
    predict(watched, watched.registry.champion(), records, source="scheduled")
    aged(database)
    with listener() as hook:
        variables = {
            "JOBCHURN_HOME": str(watched.folders.root),
            "TEAMS_WEBHOOK": hook.webhook,
            "DRIFT_WINDOW_ROWS": str(WINDOW),
        }
        done = run("dag_monitoring", **variables)
        again = run("dag_monitoring", **variables)
    assert done["state"] == "success"
    assert done["tasks"] == all_of(MONITORING, "success") | {"fail_the_run": "skipped"}
    assert again["tasks"] == all_of(MONITORING, "skipped")
    said = [content.decode() for _, _, content in hook.received]
    assert len(said) == len(watched.store.alerts.latest())
    for rule in ("drift", "one-class"):
        assert sum(f"runbook/{rule}" in card for card in said) == 1
    assert watched.store.alert_states.all()["drift"].state == "firing"


def test_a_rule_that_cannot_be_evaluated_fails_the_run_and_holds_no_alert_back(
    run, watched, database
):
    records = [fresh(1, seed=4)[0]] * WINDOW
    predict(watched, watched.registry.champion(), records, source="scheduled")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE request_log RENAME COLUMN weight TO heaviness")
    with listener() as hook:
        done = run(
            "dag_monitoring",
            JOBCHURN_HOME=str(watched.folders.root),
            TEAMS_WEBHOOK=hook.webhook,
            DRIFT_WINDOW_ROWS=str(WINDOW),
        )
    assert done["state"] == "failed"
    assert done["tasks"] == {
        "measure_drift": "skipped",
        "evaluate_rules": "failed",
        "send_alerts": "success",
        "fail_the_run": "failed",
    }
    assert any("runbook/one-class" in content.decode() for _, _, content in hook.received)


def recorded(home, database):
    """What the scheduler says while it records a run twice; that it lives."""
    done = subprocess.run(
        [sys.executable, str(DRIVER), "record"],
        env=environment_of(home, "postgresql://nobody@127.0.0.1:9/nothing")
        | {"DATABASE_URL": database},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_a_run_that_failed_is_recorded_once(tmp_path, database):
    recorded(tmp_path, database)
    with psycopg.connect(database) as connection:
        [row] = connection.execute(
            "SELECT job, run, outcome, finished_at - started_at, started_at - due_at FROM job_runs"
        ).fetchall()
    assert row[:3] == ("dag_ingestion", "scheduled__2026-11-24T07:30:00+00:00", "failed")
    assert [span.total_seconds() for span in row[3:]] == [4, 1]


@pytest.mark.parametrize("database", ["postgresql://x@127.0.0.1:1/x", "no address"])
def test_a_scheduler_lives_without_the_applications_database(tmp_path, database):
    said = recorded(tmp_path, database)
    assert said.count("is not recorded") == 1  # the second is not tried
    assert "Traceback" not in said
