"""What the embedded PostgreSQL's tests work with: homes, their processes, and other users."""

import functools
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psycopg

from conftest import settings_at
from jobchurn.postgres import EmbeddedPostgres, find_binaries, serving
from jobchurn.postgres.postmaster import Postmaster
from stacks import eventually

USER = Path(__file__).with_name("postgres_user.py")

until = functools.partial(eventually, seconds=30)


def embedded(settings):
    """The embedded server of a home, as a supervisor sees it."""
    return EmbeddedPostgres(settings.home, settings.postgres_port, find_binaries(settings))


def used_home(home):
    """Make a cluster under ``home``, use it once, and leave nothing running."""
    with serving(settings_at(home)) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    return home


def processes_in(home):
    """The processes that work on the home's cluster, and the keepers of it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                folder = (entry / "cwd").readlink()
                zombie = (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            except OSError:
                continue
            keeps = f"jobchurn.postgres {home} " in command
            if not zombie and (keeps or folder == home / "postgres"):
                found.append((int(entry.name), command))
    return found


def keeper_of(home):
    [pid] = [pid for pid, command in processes_in(home) if "jobchurn.postgres" in command]
    return pid


def server_of(home):
    return Postmaster.of(home / "postgres").pid


@contextmanager
def user(home, port):
    """A process that uses the database; yields it and the URL it was given."""
    process = subprocess.Popen(
        [sys.executable, USER, home, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        yield process, process.stdout.readline().strip()
    finally:
        leave(process)


def leave(process):
    if process.poll() is None:
        process.stdin.close()
    process.wait(timeout=60)
    process.stdout.close()


def killed(pid):
    os.kill(pid, signal.SIGKILL)


def count_of(url, number):
    with psycopg.connect(url, connect_timeout=5) as connection:
        kept = "SELECT count(*) FROM kept WHERE n = %s"
        return connection.execute(kept, [number]).fetchone()[0]


def answers(url):
    return count_of(url, 0) == 0
