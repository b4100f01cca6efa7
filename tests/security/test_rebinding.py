"""DNS rebinding: a page elsewhere that has a browser here ask the API by a name of its own."""

import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from api_house import open_house, serving
from faults.servers import free_port
from jobchurn.access import Scope
from locked_house import key_for, sent

ROOT = Path(__file__).parents[2]
OURS = ["127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST:8000", "[::1]:8000", "jobs.example"]
OTHERS = [
    "rebind.example",
    "rebind.example:8000",
    "127.0.0.1.rebind.example",
    "localhost.rebind.example",
    "127.0.0.1@rebind.example",
    "[::1]rebind.example",
    "192.168.1.7:8000",
    "0.0.0.0:8000",
    "",
    "[",
    "\x1b[31m",
]


@pytest.fixture
def house(store, tmp_path, monkeypatch):
    monkeypatch.setenv("API_PUBLIC_URL", "https://Jobs.Example/api")
    return open_house(store, tmp_path)


@pytest.mark.parametrize("host", OURS)
def test_who_calls_the_api_by_a_name_of_its_own_is_answered(house, host):
    with serving(house) as client:
        assert client.get("/past-predictions", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", OTHERS)
def test_who_calls_it_by_the_name_of_another_host_is_refused(house, host):
    with serving(house) as client:
        for path in ("/past-predictions", "/openapi.json", "/nowhere", "/metrics"):
            answer = client.get(path, headers={"Host": host})
            assert answer.status_code == 403, path
            assert "API_PUBLIC_URL" in answer.json()["cure"]
            assert "\x1b" not in answer.text
        assert client.get("/health", headers={"Host": host}).status_code == 200


def test_a_key_counts_under_every_name(house, store):
    key = key_for(store, Scope.READ)
    with serving(house) as client:
        answer = client.get("/model", headers={**sent(key), "Host": "rebind.example"})
        assert answer.status_code == 200


def test_the_second_of_two_names_is_looked_at_too(house):
    with serving(house) as client:
        both = [("Host", "127.0.0.1"), ("Host", "rebind.example")]
        assert client.get("/model", headers=both).status_code == 403


@pytest.fixture(scope="module")
def webapp():
    """The port of a web app that serves, as the stack starts it."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "webapp" / "Home.py")]
    process = subprocess.Popen(
        [*command, "--server.address", "127.0.0.1", "--server.port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}/_stcore/health"
    while True:
        assert process.poll() is None
        try:
            if httpx.get(address, timeout=60).is_success:
                break
        except httpx.TransportError:
            time.sleep(0.05)
    yield port
    process.terminate()
    process.wait()


def opened(port, host):
    """What a page of that host hears when it wants to use the web app."""
    return httpx.get(
        f"http://127.0.0.1:{port}/_stcore/stream",
        headers={
            "Host": f"{host}:{port}",
            "Origin": f"http://{host}:{port}",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        },
        timeout=60,
    ).status_code


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 101),
        ("localhost", 101),
        ("[::1]", 101),
        ("rebind.example", 403),
        ("127.0.0.1.rebind.example", 403),
    ],
)
def test_the_web_app_is_used_by_a_name_of_this_machine_alone(webapp, host, status):
    assert opened(webapp, host) == status


def test_no_page_that_frames_the_web_app_may_tell_it_what_to_do(webapp):
    told = httpx.get(f"http://127.0.0.1:{webapp}/_stcore/host-config", timeout=60).json()
    assert told["allowedOrigins"] == []
