"""Several processes that serve at one address: one API to whoever asks, and nothing left of it."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from api_house import RECORD, open_house
from api_process import Served, free_port

PROGRAM = [sys.executable, "-m", "jobchurn.api"]


def members_of(lead):
    """The process ids of a crew."""
    return {int(pid) for pid in Path(f"/proc/{lead}/task/{lead}/children").read_text().split()}


def is_gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def until(holds, seconds=120):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def crew(store, database, tmp_path, monkeypatch):
    open_house(store, tmp_path)
    monkeypatch.setenv("API_WORKERS", "2")
    served = Served(database, tmp_path)
    yield served
    served.process.terminate()
    served.process.wait(30)
    served.end()


def ask(crew, key=None):
    headers = {"Idempotency-Key": key} if key else {}
    return httpx.post(
        f"{crew.address}/predict", json={"records": [RECORD]}, headers=headers, timeout=60
    )


def served_by(crew):
    """Which of the crew have answered and counted requests: each keeps a file of its own."""
    assert crew.is_ready()  # one of them answers, over a connection of its own
    found = set()
    for pid in members_of(crew.process.pid):
        with suppress(FileNotFoundError):  # whoever has ended, or closed one meanwhile
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                if "counter_" in entry.readlink().name and b'"/ready"' in entry.read_bytes():
                    found.add(pid)
    return found


def test_two_processes_are_one_api(crew, store):
    until(lambda: len(served_by(crew)) == 2)
    answers = [ask(crew, f"k{n % 10}") for n in range(30)]
    assert {answer.status_code for answer in answers} == {200}
    for n in range(10):
        assert len({answer.text for answer in answers[n::10]}) == 1
    assert store.predictions.count() == 10
    counted = 'jobchurn_requests_total{method="POST",route="/predict",status="200"} 30.0'
    assert counted in httpx.get(f"{crew.address}/metrics", timeout=60).text


def test_who_dies_is_replaced_and_the_others_serve_on(crew, store):
    until(lambda: len(served_by(crew)) == 2)
    first, *_ = members_of(crew.process.pid)
    os.kill(first, signal.SIGKILL)
    assert ask(crew).status_code == 200
    until(lambda: len(members_of(crew.process.pid) - {first}) == 2)
    assert ask(crew).status_code == 200
    assert store.predictions.count() == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_however_the_lead_ends_nobody_is_left(crew, number):
    members = members_of(crew.process.pid)
    begun = time.monotonic()
    crew.process.send_signal(number)
    crew.process.wait(60)
    until(lambda: all(map(is_gone, members)), seconds=30)
    assert time.monotonic() - begun < 30
    assert crew.process.returncode == (0 if number == signal.SIGTERM else -number)


def test_an_address_that_is_taken_ends_the_lead(database, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = subprocess.run(
            PROGRAM,
            env=os.environ
            | {
                "API_WORKERS": "2",
                "API_PORT": str(taken.getsockname()[1]),
                "DATABASE_URL": database,
                "JOBCHURN_HOME": str(tmp_path),
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 6
    assert "cannot be had" in done.stderr


def test_a_crew_that_cannot_begin_ends_with_the_reason(tmp_path):
    done = subprocess.run(
        PROGRAM,
        env=os.environ
        | {
            "API_WORKERS": "2",
            "API_PORT": str(free_port()),
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1",
            "JOBCHURN_HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 3
    assert "jobchurn: The database" in done.stderr
