"""Airflow and ``jobchurn ingest`` side by side over the same files: each is taken in once."""

import os
import signal
import threading
import time
from collections import Counter

import psycopg
import pytest

from api_process import Served
from faults.boundaries import Death
from faults.promises import broken_promises
from faults.test_workers import ended, sleeps, wait_for
from faults.worker import HEARD
from webhook import listener

pytestmark = pytest.mark.airflow

FILES = int(os.environ.get("TORTURE_SCHEDULED_FILES", "200"))
"""How many files the two share in the long form."""


@pytest.fixture
def run(airflow, scene):
    """Runs a DAG over the scene; whom it tells of files is written down where workers do so."""
    api = Served(scene.database, scene.home)
    with listener() as hook:

        def run(dag):
            found = airflow.run(
                dag,
                {
                    "JOBCHURN_HOME": str(scene.home),
                    "DATABASE_URL": scene.database,
                    "API_URL": api.address,
                    "SETTLE_SECONDS": "0",
                    "TEAMS_WEBHOOK": hook.webhook,
                    "WEBHOOK_HOSTS": "127.0.0.1",
                },
            )
            with (scene.home / HEARD).open("ab") as heard:
                while hook.received:
                    heard.write(hook.received.pop()[2] + b"\n")
            return found

        yield run
    api.end()


def share(scene, run, files, figures):
    """Files arrive all the while; Airflow and two workers at a time take them in and score them."""
    over, runs, states = threading.Event(), Counter(), Counter()

    def schedule():
        while not over.is_set():
            for dag in ("dag_ingestion", "dag_prediction"):
                states[run(dag)["state"]] += 1
                runs[dag] += 1

    begun = time.monotonic()
    for _ in range(files // 4 + 1):
        scene.deliver()
    scheduler = threading.Thread(target=schedule)
    scheduler.start()
    try:
        wait_for(lambda: runs["dag_ingestion"], seconds=300)  # it has had its share
        while len(scene.deliveries) < files:
            workers = [scene.nursery.begin(scene.home, scene.database) for _ in range(2)]
            while not all(ended(worker) for worker in workers):
                if len(scene.deliveries) < files:
                    scene.deliver()
                time.sleep(0.3)
            lives = [scene.nursery.end_of(worker) for worker in workers]
            assert [life.code for life in lives] == [0, 0], [life.said for life in lives]
    finally:
        over.set()
        scheduler.join()
    last = scene.live()
    assert last.code == 0, last.said
    with psycopg.connect(scene.database) as connection:
        triggers = connection.execute("SELECT trigger FROM ingestion_runs").fetchall()
    figures(
        f"{files} files shared by Airflow and two workers at a time",
        files_by=dict(Counter(trigger for (trigger,) in triggers)),
        dag_runs=dict(runs),
        seconds=f"{time.monotonic() - begun:.0f}",
    )
    assert set(states) == {"success"}
    assert broken_promises(scene.home, scene.database, scene.deliveries) == []


def test_airflow_and_workers_share_files_and_no_file(scene, run, figures):
    share(scene, run, 6, figures)


@pytest.mark.torture
def test_airflow_and_workers_share_many_files_and_no_file(scene, run, figures):
    share(scene, run, FILES, figures)


def broken_by_a_nap(scene, run, plant=None):
    """A worker sleeps once it has predicted a file; Airflow predicts what is to be predicted."""
    scene.deliver()
    trace = scene.live(plant=plant).trace
    [*_, predicted, _noted] = [n for n, what in enumerate(trace, 1) if what == "commit"]
    one = scene.deliver()
    late = scene.nursery.begin(
        scene.home, scene.database, Death(predicted, after=True, asleep=True), plant
    )
    wait_for(lambda: sleeps(late))
    assert run("dag_prediction")["state"] == "success"
    os.kill(late, signal.SIGCONT)
    assert scene.nursery.end_of(late).code == 0
    return broken_promises(scene.home, scene.database, [one])


def test_what_a_worker_has_predicted_is_not_predicted_by_airflow(scene, run):
    assert broken_by_a_nap(scene, run) == []


def test_a_planted_fault_is_noticed(scene, run):
    assert broken_by_a_nap(scene, run, plant="the idempotency key is dropped")
