"""Whether the worker that holds a run still lives."""

import os
import socket
import subprocess
import sys

import pytest

from jobchurn.flow import lease


@pytest.fixture
def other():
    """Another process, waiting, and the name under which it holds runs."""
    program = "from jobchurn.flow import lease; print(lease.this_process(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process, process.stdout.readline().strip()
        process.kill()


def test_this_process_lives():
    assert not lease.is_dead(lease.this_process())


def test_a_killed_process_is_dead_before_anybody_has_asked_after_it(other):
    process, holder = other
    assert not lease.is_dead(holder)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
    assert lease.is_dead(holder)
    process.wait()
    assert lease.is_dead(holder)


def test_a_later_process_with_the_same_id_is_another_one():
    host, pid, began = lease.this_process().rsplit(":", 2)
    assert lease.is_dead(f"{host}:{pid}:{int(began) - 1}")


@pytest.mark.parametrize(
    "holder",
    [
        "",
        "me",
        "dag:scheduled__2026-11-24T10:00:00+00:00",
        "elsewhere:1:1",
        f"{socket.gethostname()}:one:1",
        f"{socket.gethostname()}:1:now",
    ],
)
def test_a_holder_that_cannot_be_looked_after_counts_as_alive(holder):
    assert not lease.is_dead(holder)
