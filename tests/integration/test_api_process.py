"""The API as a process of its own: what it loads, how it ends, what a kill leaves behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import psycopg
import pytest

from api_house import RECORD, open_house
from api_process import Served
from jobchurn.api.exports import MOST

HEAVY = (
    *("airflow", "great_expectations", "lightgbm", "pandas", "sklearn", "streamlit"),
    *("grafana_foundation_sdk", "yaml"),
    # Only where traces are asked for; newer FastAPIs load OpenTelemetry's bare interface.
    *("opentelemetry.sdk", "google.protobuf", "requests"),
)


class Asked(Served):
    """A served API, and a client that opens a connection for each request: it may be killed."""

    def __init__(self, database, home):
        super().__init__(database, home)
        self.http = httpx.Client(
            base_url=self.address,
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=30,
        )

    def end(self):
        super().end()
        self.http.close()

    def takes_connections(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5):
                return True
        except OSError:
            return False

    def predict(self, records, key=None):
        headers = {"Idempotency-Key": key} if key else {}
        return self.http.post("/predict", json={"records": records}, headers=headers)


@pytest.fixture
def served(store, database, tmp_path):
    open_house(store, tmp_path)
    served = Asked(database, tmp_path)
    yield served
    served.end()


def in_background(function, *args):
    """Run; returns a list that will hold what came of it, and the thread."""
    found = []

    def run():
        try:
            found.append(function(*args))
        except Exception as error:  # noqa: BLE001
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return found, thread


def until(holds, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.02)
    return False


def waiting_for_a_lock(database):
    return until(
        lambda: count_of(
            database,
            "pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE NOT l.granted AND a.datname = current_database()",
        )
    )


def count_of(database, what):
    with psycopg.connect(database) as connection:
        [count] = connection.execute(f"SELECT count(*) FROM {what}").fetchone()
    return count


def test_the_process_loads_nothing_heavy():
    program = (
        "import sys, jobchurn.api.serve; from jobchurn.api import create_app;"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_served_process_loads_nothing_heavy_while_it_predicts_and_explains(
    store, database, tmp_path
):
    open_house(store, tmp_path)
    program = f"""
import sys
from starlette.testclient import TestClient
from jobchurn import wiring
from jobchurn.api import create_app
from jobchurn.settings import read_settings
with (
    wiring.services(read_settings()) as services,
    TestClient(create_app(services), base_url="http://127.0.0.1") as client,
):
    for path in ("/predict", "/explain"):
        assert client.post(path, json={{"records": [{RECORD!r}] * 3}}).status_code == 200
    assert client.get("/past-predictions?format=csv").status_code == 200
    for path in ("/model", "/panels/predictions", "/metrics", "/runbook/drift"):
        assert client.get(path).status_code == 200, path
print([name for name in {HEAVY} if name in sys.modules])
"""
    environment = os.environ | {"DATABASE_URL": database, "JOBCHURN_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_the_head_of_an_export_can_be_had_alone(served):
    served.predict([RECORD])
    for _ in range(2 * MOST):
        head = served.http.head("/past-predictions?format=csv")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"].startswith("text/csv")
    assert len(served.http.get("/past-predictions?format=csv").text.splitlines()) == 2


def test_what_goes_well_leaves_nothing_in_the_log_that_grows(served):
    assert served.http.get("/ready").status_code == 200
    before = (served.home / "api.log").stat().st_size
    for path in ("/ready", "/health", "/past-predictions", "/model"):
        assert served.http.get(path).status_code == 200
    assert (served.home / "api.log").stat().st_size == before


def test_what_is_under_way_is_answered_before_the_process_ends(served, database):
    with psycopg.connect(database) as connection:
        connection.execute("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
        found, thread = in_background(served.predict, [RECORD])
        assert waiting_for_a_lock(database)
        served.process.send_signal(signal.SIGTERM)
        ready = served.http.get("/ready")
        assert ready.status_code == 503
        assert "about to end" in ready.text
        assert until(lambda: not served.takes_connections())
        connection.rollback()
    thread.join(10)
    assert found[0].status_code == 200
    assert served.process.wait(10) == 0
    assert count_of(database, "predictions") == 1


def test_a_process_that_is_asked_to_end_ends_in_ten_seconds_whatever_hangs(served, database):
    with psycopg.connect(database) as connection:
        connection.execute("LOCK TABLE predictions, request_log IN ACCESS EXCLUSIVE MODE")
        found, thread = in_background(served.predict, [RECORD])
        assert waiting_for_a_lock(database)
        begun = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(30)
        assert time.monotonic() - begun < 10
        connection.rollback()
    thread.join(10)
    assert not isinstance(found[0], httpx.Response) or found[0].status_code >= 500
    assert count_of(database, "predictions") == 0


def test_an_idle_process_ends_at_once_and_well(served):
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(5) == 0


def test_killed_at_any_moment_a_repeated_request_is_stored_once(served, database):
    acknowledged = {}
    for turn in range(3):
        keys = [f"{turn}-{number}" for number in range(12)]
        stop = threading.Event()

        def send(keys=keys, stop=stop):
            for key in keys:
                if stop.is_set():
                    return
                try:
                    acknowledged[key] = served.predict([RECORD] * 3, key).json()
                except httpx.TransportError:
                    return

        writers = [threading.Thread(target=send) for _ in range(4)]
        for writer in writers:
            writer.start()
        time.sleep(0.05 * (1 + turn))
        served.process.kill()
        stop.set()
        served.process.wait()
        served.log.close()
        for writer in writers:
            writer.join()
        served.begin()
        before = dict(acknowledged)
        for key in keys:
            answer = served.predict([RECORD] * 3, key).json()
            assert before.get(key, answer) == answer
            acknowledged[key] = answer
    with psycopg.connect(database) as connection:
        ids = {row[0] for row in connection.execute("SELECT id FROM predictions").fetchall()}
    told = [p["id"] for answer in acknowledged.values() for p in answer["predictions"]]
    assert len(told) == len(set(told)) == 3 * 12 * 3
    assert set(told) == ids


def test_two_processes_share_keys_and_champion(served, store, database, tmp_path):
    second = Asked(database, tmp_path)
    try:
        first = served.predict([RECORD], "k").json()
        assert second.predict([RECORD], "k").json() == first
        assert store.predictions.count() == 1
    finally:
        second.end()


def test_clients_that_leave_an_export_leave_no_connection_behind(served, database):
    answer = served.predict([RECORD])
    assert answer.status_code == 200
    with psycopg.connect(database) as connection:
        names = [
            row[0]
            for row in connection.execute(
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_name = 'predictions' AND column_name <> 'id'"
            )
        ]
        columns = ", ".join(f'"{name}"' for name in names)
        connection.execute(
            f"INSERT INTO predictions (id, {columns}) OVERRIDING SYSTEM VALUE"
            f" SELECT -n, {columns} FROM predictions, generate_series(1, 60000) n"
        )
    address = "/past-predictions?format=csv"
    for _ in range(2 * MOST):
        with served.http.stream("GET", address) as export:
            assert export.status_code == 200
            assert next(export.iter_bytes(1000))
    open_exports = (
        "pg_stat_activity WHERE datname = current_database()"
        " AND (state LIKE 'idle in transaction%' OR (state = 'active' AND query LIKE 'COPY%'))"
    )
    assert until(lambda: count_of(database, open_exports) == 0)
    exported = served.http.get(address)
    assert len(exported.text.splitlines()) == 60_002


def test_settings_that_cannot_be_used_end_the_process_with_a_cure():
    done = subprocess.run(
        [sys.executable, "-m", "jobchurn.api"],
        env=os.environ | {"API_PORT": "many"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "API_PORT" in done.stderr
    assert "Traceback" not in done.stderr
