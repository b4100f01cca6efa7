"""The embedded PostgreSQL is shared while it is used, and gone afterwards, whoever is killed."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from conftest import settings_at
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import DatabaseUnreachable
from jobchurn.postgres import EmbeddedPostgres, postmaster, serving
from jobchurn.postgres.postmaster import Postmaster
from jobchurn.store import Store
from ports import free_port
from postgres_work import (
    answers,
    count_of,
    embedded,
    keeper_of,
    killed,
    leave,
    processes_in,
    server_of,
    until,
    used_home,
    user,
)


@pytest.fixture(scope="module")
def made_home(open_folder):
    """A home with a cluster that was used once."""
    return used_home(open_folder / "shared")


@pytest.fixture
def home(made_home):
    """A home whose cluster is made already; tests share it, and each leaves nothing running."""
    yield made_home
    assert processes_in(made_home) == []


def test_what_was_committed_is_there_at_the_next_start(home):
    with serving(settings_at(home)) as url, psycopg.connect(url) as connection:
        connection.execute("INSERT INTO kept VALUES (1)")
    assert processes_in(home) == []
    with serving(settings_at(home)) as url:
        assert count_of(url, 1) == 1


def test_two_blocks_of_one_process_share_a_server(home):
    settings = settings_at(home)
    with serving(settings) as url:
        server = server_of(home)
        with serving(settings) as again:
            assert again == url
        assert server_of(home) == server
        assert answers(url)
    assert processes_in(home) == []


def test_a_server_on_another_port_is_joined_where_it_listens(home):
    with serving(settings_at(home)) as url, serving(settings_at(home)) as again:
        assert again == url


def test_two_processes_that_come_at_once_share_a_server_and_the_last_one_stops_it(home):
    port = free_port()
    with user(home, port) as (first, url), user(home, port) as (second, again):
        assert again == url
        server = server_of(home)
        leave(first)
        assert server_of(home) == server
        assert answers(url)
        leave(second)
        assert processes_in(home) == []


def test_many_processes_that_come_and_go_never_see_a_dead_server(home):
    port = free_port()
    script = f"""
import psycopg, sys
from pathlib import Path
from jobchurn.postgres import serving
from jobchurn.settings import Settings
settings = Settings(jobchurn_home=Path({str(home)!r}), database_url=None, postgres_port={port})
for _ in range(6):
    with serving(settings) as url, psycopg.connect(url) as connection:
        connection.execute("INSERT INTO kept VALUES (2)")
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    failures = [process.communicate(timeout=120)[1] for process in processes]
    assert failures == [b"", b"", b""]
    assert processes_in(home) == []
    with serving(settings_at(home)) as url:
        assert count_of(url, 2) == 18


def test_a_killed_user_takes_the_server_from_nobody(home):
    port = free_port()
    with user(home, port) as (starter, url), user(home, port) as (other, _):
        killed(starter.pid)
        starter.wait()
        time.sleep(0.3)
        assert answers(url)
        leave(other)
        assert processes_in(home) == []


def test_the_server_stops_when_its_only_user_is_killed(home):
    with user(home, free_port()) as (starter, _):
        killed(starter.pid)
        until(lambda: not processes_in(home))
    assert not (home / "postgres" / "postmaster.pid").exists()  # a clean shutdown


def test_the_server_stops_when_its_keeper_is_killed(home):
    with serving(settings_at(home)):
        killed(keeper_of(home))
        until(lambda: not processes_in(home))
    with serving(settings_at(home)) as url:
        assert answers(url)


def test_a_killed_server_loses_nothing_that_was_committed(home):
    with serving(settings_at(home)) as url:
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO kept SELECT 3 FROM generate_series(1, 1000)")
        killed(server_of(home))
        until(lambda: not processes_in(home))
    assert (home / "postgres" / "postmaster.pid").exists()
    with serving(settings_at(home)) as url:
        assert count_of(url, 3) == 1000


def test_the_number_of_a_dead_server_may_be_another_process_s_by_now(home):
    with serving(settings_at(home)):
        killed(server_of(home))
        until(lambda: not processes_in(home))
    left = home / "postgres" / "postmaster.pid"
    sleeper = subprocess.Popen(
        ["sleep", "60"], user=left.stat().st_uid if os.getuid() == 0 else None
    )
    lines = left.read_text().splitlines()
    left.write_text("\n".join([str(sleeper.pid), *lines[1:]]) + "\n")
    try:
        assert Postmaster.of(home / "postgres") is None
        with serving(settings_at(home)) as url:
            assert answers(url)
    finally:
        sleeper.kill()
        sleeper.wait()


def test_another_user_s_process_is_a_server_where_the_cluster_is_theirs(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(Path, "samefile", refused)
    not_ours = tmp_path if os.getuid() == 0 else Path("/")
    assert postmaster._works_in(os.getpid(), tmp_path)
    if os.getuid() == 0:
        os.chown(tmp_path, 65534, -1)
    assert not postmaster._works_in(os.getpid(), not_ours)


@contextmanager
def supervised(settings, parent_death_signal=None):
    """A server that a supervisor runs."""
    server = embedded(settings)
    server.ensure_cluster()
    with subprocess.Popen(
        server.command(parent_death_signal), stderr=subprocess.DEVNULL
    ) as process:
        try:
            until(server.is_running)
            yield server, process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def test_a_supervised_server_is_joined_and_left_running(home):
    settings = settings_at(home)
    with supervised(settings) as (server, process):
        with serving(settings) as url:
            assert url == server.url()
            assert answers(url)
        assert server.is_running()
        with user(home, settings.postgres_port) as (other, _):
            killed(other.pid)
            other.wait()
        assert server.is_running()
    assert process.returncode == 0
    assert not server.is_running()


def test_a_supervised_server_ends_clean_at_sigint_whoever_is_connected(home):
    with supervised(settings_at(home)) as (server, process):
        connection = psycopg.connect(server.url())
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        connection.close()


def test_a_supervised_server_ends_with_its_parent(home):
    settings = settings_at(home)
    server = embedded(settings)
    server.ensure_cluster()
    script = "import subprocess, sys; subprocess.Popen(sys.argv[1:]); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, *server.command(parent_death_signal="INT")],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as parent:
        until(server.is_running)
        parent.kill()
    until(lambda: not processes_in(home))
    assert not (home / "postgres" / "postmaster.pid").exists()


def test_a_store_finds_its_server_again_when_it_comes_back(home):
    settings = settings_at(home)
    with supervised(settings) as (server, process):
        store = Store.connect(server.url(), JOB_CHANGE)
        store.migrate()
        assert store.missing() == []
        process.kill()
        process.wait()
        until(lambda: not processes_in(home))
        with pytest.raises(DatabaseUnreachable):
            store.models.champion()
        assert "cannot be used" in store.missing()[0]
    with supervised(settings):
        assert store.missing() == []
        assert store.models.champion() is None
        store.close()


def test_a_cluster_that_a_server_runs_on_needs_nothing(home):
    with supervised(settings_at(home)) as (server, _):
        server.ensure_cluster()
        EmbeddedPostgres(home, server.port, server.binaries).ensure_cluster()
        assert server.is_running()
