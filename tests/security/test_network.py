"""By default nothing listens beyond the loopback, as a neighbour in a second network sees it.

Two network namespaces with one cable between them: the stack runs in one, the other knocks at every
port. Needs root, and a kernel that lets it make namespaces.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

HOME_ADDRESS, NEIGHBOUR = "10.77.0.1", "10.77.0.2"
PORTS = {"API": 18000, "WEBAPP": 18501, "AIRFLOW": 18080, "POSTGRES": 15433}
LISTENING = "0A"
LOOPBACK = re.compile(r"^(?:[0-9A-F]{6}7F|0{24}01000000)$")
"""127.0.0.0/8 and ::1, as the kernel writes addresses in /proc/net: each word's bytes reversed."""

KNOCK = """
import socket, sys
address, open_ports = sys.argv[1], []
for port in map(int, sys.argv[2:]):
    with socket.socket() as probe:
        probe.settimeout(2)
        if probe.connect_ex((address, port)) == 0:
            open_ports.append(port)
print(*open_ports)
"""


def ip(*arguments):
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


@contextlib.contextmanager
def two_networks():
    """The names of two namespaces with a cable between them."""
    mark = uuid.uuid4().hex[:6]
    ours, theirs = f"jc-{mark}-a", f"jc-{mark}-b"
    made = []
    try:
        for name in (ours, theirs):
            ip("netns", "add", name)
            made.append(name)
            ip("-n", name, "link", "set", "lo", "up")
        ends = f"jc{mark}a", f"jc{mark}b"
        ip("-n", ours, "link", "add", ends[0], "type", "veth", "peer", ends[1], "netns", theirs)
        for name, end, address in zip(made, ends, (HOME_ADDRESS, NEIGHBOUR), strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", end)
            ip("-n", name, "link", "set", end, "up")
        yield ours, theirs
    finally:
        for name in made:
            ip("netns", "delete", name)


@pytest.fixture(scope="module")
def networks():
    if os.geteuid() != 0:
        pytest.skip("only root makes network namespaces")
    try:
        with two_networks() as names:
            yield names
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"network namespaces cannot be made here: {error}")


@pytest.fixture(scope="module")
def home(open_folder):
    """One home for all: its data and its model are made once."""
    return open_folder / uuid.uuid4().hex


def inside(network, *command, **how):
    return subprocess.run(
        ["ip", "netns", "exec", network, *command],
        capture_output=True,
        text=True,
        check=False,
        **how,
    )


def open_to_the_neighbour(networks, ports):
    """Those ports of our home address that take a connection from next door."""
    done = inside(networks[1], sys.executable, "-c", KNOCK, HOME_ADDRESS, *map(str, sorted(ports)))
    assert done.returncode == 0, done.stderr
    return {int(port) for port in done.stdout.split()}


def listeners(network):
    """(address in the kernel's words, port) of everything that listens in a network."""
    found = set()
    for table in ("tcp", "tcp6"):
        lines = inside(network, "cat", f"/proc/net/{table}").stdout.splitlines()[1:]
        for line in lines:
            _, local, _, state, *_ = line.split()
            if state == LISTENING:
                address, _, port = local.partition(":")
                found.add((address, int(port, 16)))
    return found


class Running:
    """``jobchurn up`` in a network of its own."""

    def __init__(self, network, home, only, **settings):
        self.network = network
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "API_URL", "API_HOST", "JOBCHURN_CSV")
        }
        self.environment |= {
            "JOBCHURN_HOME": str(home),
            "START_FILES": "2",
            **{f"{name}_PORT": str(port) for name, port in PORTS.items()},
            **settings,
        }
        self.command = [str(Path(sys.executable).with_name("jobchurn"))]
        self.only = only

    def __enter__(self):
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.network, *self.command, "up", "--only", self.only],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        wanted = set(self.only.split(","))
        deadline = time.monotonic() + 400
        while {row["name"] for row in self.status() if row["state"] == "running"} < wanted:
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < deadline, self.status()
            time.sleep(0.5)
        return self

    def status(self):
        done = inside(self.network, *self.command, "status", "--json", env=self.environment)
        return json.loads(done.stdout or "[]")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(180)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stderr.close()


def test_a_program_that_listens_to_everybody_is_noticed(networks):
    ours, _ = networks
    program = (
        "import socket, sys; s = socket.create_server(('0.0.0.0', 19999)); sys.stdin.readline()"
    )
    with subprocess.Popen(
        ["ip", "netns", "exec", ours, sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        text=True,
    ) as open_door:
        while not listeners(ours):
            assert open_door.poll() is None
            time.sleep(0.05)
        ((address, port),) = listeners(ours)
        assert not LOOPBACK.match(address)
        assert port == 19999
        assert open_to_the_neighbour(networks, {19999, 19998}) == {19999}
        open_door.communicate("\n")


@pytest.mark.parametrize(
    "only",
    [
        "postgres,api,webapp",
        pytest.param("postgres,api,webapp,airflow", marks=pytest.mark.torture),
    ],
)
def test_nothing_of_a_stack_listens_beyond_the_loopback(networks, home, only):
    ours, _ = networks
    with Running(ours, home, only):
        found = listeners(ours)
        heard = {port for _, port in found}
        assert heard >= {PORTS[name.upper()] for name in only.split(",")}
        assert not [one for one in found if not LOOPBACK.match(one[0])]
        assert not open_to_the_neighbour(networks, heard)


def test_an_api_that_is_opened_to_the_neighbour_asks_him_for_a_key(networks, home):
    ours, theirs = networks
    with Running(ours, home, "postgres,api", API_HOST=HOME_ADDRESS):
        assert open_to_the_neighbour(networks, set(PORTS.values())) == {PORTS["API"]}
        ask = (
            "import sys, urllib.request, urllib.error\n"
            "for path in ('/health', '/model', '/past-predictions', '/openapi.json'):\n"
            "    try:\n"
            "        print(urllib.request.urlopen(sys.argv[1] + path, timeout=20).status)\n"
            "    except urllib.error.HTTPError as error:\n"
            "        print(error.code)\n"
        )
        done = inside(theirs, sys.executable, "-c", ask, f"http://{HOME_ADDRESS}:{PORTS['API']}")
        assert done.stdout.split() == ["200", "401", "401", "401"], done.stderr
