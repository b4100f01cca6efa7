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

from jobchurn.api import serve

HEAVY = ("airflow", "great_expectations", "lightgbm", "pandas", "sklearn", "streamlit")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Served:
    """``python -m jobchurn.api`` over a database and a home."""

    def __init__(self, database, home):
        self.port = free_port()
        self.database, self.home = database, home
        self.address = f"http://127.0.0.1:{self.port}"
        self.begin()

    def begin(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jobchurn.api"],
            env=os.environ
            | {
                "API_PORT": str(self.port),
                "DATABASE_URL": self.database,
                "JOBCHURN_HOME": str(self.home),
                "OMP_NUM_THREADS": "1",
            },
            stderr=subprocess.PIPE,
        )
        end = time.monotonic() + 60
        while True:
            assert self.process.poll() is None, self.process.stderr.read().decode()
            assert time.monotonic() < end
            try:
                if httpx.get(f"{self.address}/ready", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)

    def predict(self, records, key=None, timeout=30):
        return httpx.post(
            f"{self.address}/predict",
            json={"records": records},
            headers={"Idempotency-Key": key} if key else {},
            timeout=timeout,
        )


@pytest.fixture
def served(store, database, tmp_path):
    open_house(store, tmp_path)
    served = Served(database, tmp_path)
    yield served
    served.process.kill()
    served.process.wait()
    served.process.stderr.close()


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


def waiting_for_a_lock(connection):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        [[count]] = connection.execute(
            "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE NOT l.granted AND a.datname = current_database()"
        ).fetchall()
        if count:
            return True
        time.sleep(0.02)
    return False


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
with wiring.services(read_settings()) as services, TestClient(create_app(services)) as client:
    for path in ("/predict", "/explain"):
        assert client.post(path, json={{"records": [{RECORD!r}] * 3}}).status_code == 200
    assert client.get("/past-predictions?format=csv").status_code == 200
    assert client.get("/model").status_code == 200
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


def test_what_is_under_way_is_answered_before_the_process_ends(served, database):
    with psycopg.connect(database) as connection:
        connection.execute("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
        found, thread = in_background(served.predict, [RECORD])
        with psycopg.connect(database) as watching:
            assert waiting_for_a_lock(watching)
        served.process.send_signal(signal.SIGTERM)
        ready = httpx.get(f"{served.address}/ready", timeout=5)
        assert ready.status_code == 503
        assert "about to end" in ready.text
        time.sleep(serve.UNREADY_SECONDS + 0.5)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{served.address}/health", timeout=5)
        connection.rollback()
    thread.join(10)
    assert found[0].status_code == 200
    assert served.process.wait(10) == 0
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM predictions").fetchone() == (1,)


def test_a_process_that_is_asked_to_end_ends_in_ten_seconds_whatever_hangs(served, database):
    with psycopg.connect(database) as connection:
        connection.execute("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
        found, thread = in_background(served.predict, [RECORD])
        with psycopg.connect(database) as watching:
            assert waiting_for_a_lock(watching)
        begun = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(30)
        assert time.monotonic() - begun < 10
        connection.rollback()
    thread.join(10)
    assert not isinstance(found[0], httpx.Response) or found[0].status_code >= 500
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM predictions").fetchone() == (0,)


def test_an_idle_process_ends_at_once_and_well(served):
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(5) == 0


def test_killed_at_any_moment_a_repeated_request_is_stored_once(served, database):
    acknowledged = {}
    for turn in range(4):
        keys = [f"{turn}-{number}" for number in range(30)]
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
        time.sleep(0.05 + 0.1 * turn)
        served.process.kill()
        stop.set()
        served.process.wait()
        served.process.stderr.close()
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
    assert len(told) == len(set(told)) == 4 * 30 * 3
    assert set(told) == ids


def test_two_processes_share_keys_and_champion(served, store, database, tmp_path):
    second = Served(database, tmp_path)
    try:
        first = served.predict([RECORD], "k").json()
        assert second.predict([RECORD], "k").json() == first
        assert store.predictions.count() == 1
    finally:
        second.process.terminate()
        second.process.wait(15)
        second.process.stderr.close()


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
