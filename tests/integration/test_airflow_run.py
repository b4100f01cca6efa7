"""The whole stack, started as a person does it: its scheduler takes raw files to predictions."""

import json
import os
import shlex
import subprocess
import sys
import time
from collections import Counter

import httpx
import psycopg
import pytest

from jobchurn import synth
from ports import free_port
from stacks import processes_of

pytestmark = pytest.mark.airflow

SERVICES = ("postgres", "api", "webapp", "airflow")
UP_SECONDS = 900
ANSWER_SECONDS = 120
PREDICTED_SECONDS = 6 * 60
TASKS = {
    "dag_ingestion": {
        "read_data", "validate_data", "save_statistics", "send_alerts", "split_and_save", "finish",
    },
    "dag_prediction": {"check_for_new_data", "make_predictions"},
    "dag_monitoring": {"measure_drift", "evaluate_rules", "send_alerts", "fail_the_run"},
}  # fmt: skip
WORKING = ("dag_ingestion", "dag_prediction")
"""Those for which there is something to do here; there is nothing to tell anybody."""


class Stack:
    """``jobchurn`` on a home of its own; four small files are all that it is given."""

    def __init__(self, home):
        self.home = home
        home.mkdir()
        synth.write_csv(home.with_suffix(".csv"), rows=600, seed=11)
        variables = {f"{name.upper()}_PORT": str(free_port()) for name in SERVICES}
        self.api = f"http://127.0.0.1:{variables['API_PORT']}"
        self.airflow = f"http://127.0.0.1:{variables['AIRFLOW_PORT']}"
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AIRFLOW") and name not in ("API_URL", "DATABASE_URL")
        }
        self.environment |= variables | {
            "JOBCHURN_HOME": str(home),
            "JOBCHURN_CSV": str(home.with_suffix(".csv")),
            "OMP_NUM_THREADS": "1",
            "START_FILES": "4",
        }

    def command(self, *words):
        return subprocess.run(
            [sys.executable, "-m", "jobchurn.cli", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=UP_SECONDS,
            check=False,
        )

    def logs(self):
        return self.command("logs", "--lines", "30").stdout

    def runs(self):
        return json.loads(self.command("runs", "--json").stdout)

    def database(self):
        """The database's URL, out of what ``jobchurn env`` prints for a shell."""
        words = shlex.split(self.command("env").stdout)
        return dict(word.split("=", 1) for word in words if "=" in word)["DATABASE_URL"]

    def scheduled(self):
        """Every scheduled prediction that the API tells of."""
        rows, cursor = [], None
        while True:
            query = {"source": "scheduled", "limit": 100} | ({"cursor": cursor} if cursor else {})
            page = httpx.get(f"{self.api}/past-predictions", params=query, timeout=60).json()
            rows += page["rows"]
            cursor = page["next"]
            if cursor is None:
                return rows

    def dag_runs(self, dag):
        """Airflow's own word on the runs of a DAG, by way of its generated password."""
        [(user, password)] = json.loads(self.password_file.read_text()).items()
        with httpx.Client(base_url=self.airflow, timeout=60) as client:
            login = client.post("/auth/token", json={"username": user, "password": password})
            client.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
            runs = client.get(f"/api/v2/dags/{dag}/dagRuns?limit=100").json()["dag_runs"]
            for run in runs:
                place = f"/api/v2/dags/{dag}/dagRuns/{run['dag_run_id']}/taskInstances"
                tasks = client.get(place).json()["task_instances"]
                run["tasks"] = {task["task_id"]: task["state"] for task in tasks}
        return runs

    @property
    def password_file(self):
        return self.home / "secrets" / "airflow-passwords.json"

    def processes(self):
        """The processes of this home, by their ids."""
        return processes_of(self.home)


def eventually(stack, condition, seconds):
    """What a condition answers once that is anything."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, stack.logs()
        time.sleep(2)
    return answer


@pytest.fixture(scope="module")
def stack(open_folder):
    started = Stack(open_folder / "airflow-run")
    try:
        started.up = started.command("up", "--detach")
        assert started.up.returncode == 0, started.up.stdout + started.up.stderr + started.logs()
        yield started
    finally:
        started.command("down")


def test_everything_is_up_and_its_address_told(stack):
    def all_running():
        # A service that is too busy to answer for a moment is told of as starting.
        states = json.loads(stack.command("status", "--json").stdout)
        return all(one["state"] == "running" for one in states) and states

    states = eventually(stack, all_running, ANSWER_SECONDS)
    assert tuple(one["name"] for one in states) == SERVICES
    for one in states:
        assert one["address"] in stack.up.stdout


def test_the_generated_password_is_told_once_and_kept_from_others(stack):
    [password] = json.loads(stack.password_file.read_text()).values()
    assert len(password) >= 12
    assert stack.up.stdout.count(password) == 1
    assert stack.password_file.stat().st_mode & 0o077 == 0


def test_the_scheduler_takes_raw_files_to_predictions_each_good_row_once(stack):
    def all_predicted():
        runs = stack.runs()
        rows = sum(run["rows_valid"] for run in runs)
        return len(runs) == 4 and len(stack.scheduled()) >= rows and runs

    runs = eventually(stack, all_predicted, PREDICTED_SECONDS)
    assert Counter(run["trigger"] for run in runs) == {"start": 3, "dag": 1}
    assert not list((stack.home / "data" / "raw_data").iterdir())
    assert not list((stack.home / "data" / "work").iterdir())
    with psycopg.connect(stack.database()) as connection:
        stored = connection.execute("SELECT run_id, row_number FROM predictions").fetchall()
    assert Counter(stored) == Counter(
        (run["run_id"], row) for run in runs for row in range(1, run["rows_valid"] + 1)
    )
    assert len(stack.scheduled()) == len(stored)


@pytest.mark.parametrize("dag", TASKS)
def test_a_quiet_run_has_skipped_tasks_and_a_note(stack, dag):
    def quiet():
        return [run for run in stack.dag_runs(dag) if run["note"]]

    run = eventually(stack, quiet, PREDICTED_SECONDS)[0]
    assert run["note"].startswith("Nothing to ")
    assert run["state"] == "success"
    assert run["tasks"] == dict.fromkeys(TASKS[dag], "skipped")


def test_runs_that_did_something_succeeded_in_all_tasks_and_none_failed(stack):
    runs = {dag: stack.dag_runs(dag) for dag in TASKS}
    for of_dag in runs.values():
        assert {run["state"] for run in of_dag} <= {"success", "running", "queued"}
    for dag in WORKING:
        of_dag = runs[dag]
        done = [run for run in of_dag if run["state"] == "success" and not run["note"]]
        assert done, of_dag
        for run in done:
            assert run["tasks"] == dict.fromkeys(TASKS[dag], "success")


def test_every_finished_run_is_recorded_where_monitoring_looks_for_it(stack):
    finished = {
        (dag, run["dag_run_id"]): "quiet" if run["note"] else "success"
        for dag in TASKS
        for run in stack.dag_runs(dag)
        if run["state"] == "success"
    }
    with psycopg.connect(stack.database()) as connection:
        rows = connection.execute(
            "SELECT job, run, outcome, due_at <= started_at AND started_at < finished_at "
            "FROM job_runs"
        ).fetchall()
    recorded = {(job, run): outcome for job, run, outcome, _ in rows}
    assert recorded.items() >= finished.items()
    assert set(TASKS) <= {job for job, _ in recorded}  # and the tidying of the day
    assert all(in_order for *_, in_order in rows)


def test_a_stop_leaves_no_process(stack):
    assert len(stack.processes()) > 8
    done = stack.command("down")
    assert (done.returncode, done.stderr) == (0, "Stopped.\n")
    assert stack.processes() == {}
