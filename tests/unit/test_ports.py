"""The ports of the tests themselves."""

import socket
import subprocess
import sys
from pathlib import Path

import ports


def test_a_port_is_given_once_whoever_asks(monkeypatch):
    monkeypatch.setattr(ports, "RANGE", range(32_000, 32_003))
    ask = "import ports; ports.RANGE = range(32_000, 32_003); print(ports.free_port(), flush=True)"
    other = subprocess.Popen(
        [sys.executable, "-c", f"{ask}; input()"],
        cwd=Path(ports.__file__).parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        theirs = int(other.stdout.readline())
        assert {theirs, ports.free_port(), ports.free_port()} == set(ports.RANGE)
    finally:
        other.communicate("\n", timeout=60)


def test_a_port_that_somebody_listens_on_is_not_given(monkeypatch):
    with socket.create_server(("127.0.0.1", 32_004)):
        monkeypatch.setattr(ports, "RANGE", range(32_004, 32_006))
        assert ports.free_port() == 32_005
