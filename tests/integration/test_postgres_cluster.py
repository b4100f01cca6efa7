"""The embedded PostgreSQL's cluster is made once, is private, and runs as whoever may run it."""

import fcntl
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from conftest import settings_at
from jobchurn.errors import PostgresMismatch, StackFailed
from jobchurn.postgres import serving
from jobchurn.settings import Settings
from ports import free_port
from postgres_work import (
    USER,
    answers,
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

NOBODY = 65534
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root has to become somebody else")


@pytest.fixture(scope="module")
def made_home(open_folder):
    """A home with a cluster that was used once."""
    return used_home(open_folder / "cluster")


@pytest.fixture
def home(made_home):
    """A home whose cluster is made already; tests share it, and each leaves nothing running."""
    yield made_home
    assert processes_in(made_home) == []


@pytest.fixture
def own_home(made_home, open_folder, request):
    """A copy of it, which the test may spoil."""
    copy = open_folder / request.node.name[:60]
    subprocess.run(["cp", "-a", made_home, copy], check=True)
    yield copy
    assert processes_in(copy) == []
    shutil.rmtree(copy)


@pytest.fixture
def new_home(open_folder, request):
    """A home without anything in it."""
    home = open_folder / request.node.name[:60]
    home.mkdir()
    yield home
    assert processes_in(home) == []
    shutil.rmtree(home)


def test_a_given_database_is_used_as_it_is(open_folder):
    url = "postgresql://me:secret@elsewhere/db"
    settings = Settings(jobchurn_home=open_folder / "untouched", database_url=url)
    with serving(settings) as served:
        assert served == url
    assert not (open_folder / "untouched").exists()


def test_a_cluster_speaks_utf8_and_utc_and_has_a_database_for_each_application(home):
    with serving(settings_at(home)) as url, psycopg.connect(url) as connection:
        shown = [
            connection.execute(f"SHOW {name}").fetchone()[0]
            for name in ("server_encoding", "TimeZone", "data_checksums", "fsync")
        ]
        names = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
    assert shown == ["UTF8", "UTC", "on", "on"]
    assert {"jobchurn", "airflow"} <= names


def test_a_password_is_needed_and_its_file_is_private(home):
    with serving(settings_at(home)) as url:
        password = (home / "postgres.password").read_text()
        assert password in url
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url.replace(password, "guessed"))
    assert stat.S_IMODE((home / "postgres.password").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "postgres").stat().st_mode) == 0o700


def test_the_server_listens_on_loopback_alone(home):
    settings = settings_at(home)
    with serving(settings):
        port = f"{settings.postgres_port:04X}"
        tables = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        listening = [line.split()[1] for line in tables.splitlines() if line.split()[3] == "0A"]
        unix = Path("/proc/net/unix").read_text()
    assert [place for place in listening if place.endswith(f":{port}")] == [f"0100007F:{port}"]
    assert f".s.PGSQL.{settings.postgres_port}" not in unix


def test_a_port_that_another_program_has_is_told(home):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        settings = settings_at(home).model_copy(update={"postgres_port": taken})
        with (
            pytest.raises(StackFailed, match=f"Port {settings.postgres_port}.*POSTGRES_PORT"),
            serving(settings),
        ):
            pytest.fail("it was served")


@pytest.mark.parametrize("version", ["14", "99"])
def test_a_cluster_of_another_version_is_left_alone_and_told(new_home, version):
    (new_home / "postgres" / "base").mkdir(parents=True)
    (new_home / "postgres" / "PG_VERSION").write_text(f"{version}\n")
    with (
        pytest.raises(PostgresMismatch, match=f"made by PostgreSQL {version}") as caught,
        serving(settings_at(new_home)),
    ):
        pytest.fail("it was served")
    assert "pg_dumpall" in caught.value.cure
    assert f"POSTGRES_BIN to the programs of PostgreSQL {version}" in caught.value.cure
    assert (new_home / "postgres" / "base").is_dir()


def test_a_server_that_does_not_start_is_told_with_its_last_words(own_home):
    with (own_home / "postgres" / "postgresql.conf").open("a") as configuration:
        configuration.write("nonsense = 'yes'\n")
    with (
        pytest.raises(StackFailed, match=r"postgresql\.conf") as caught,
        serving(settings_at(own_home)),
    ):
        pytest.fail("it was served")
    assert "postgres.log" in caught.value.cure


def test_a_home_of_another_user_is_told(new_home, monkeypatch):
    opened = os.open

    def refused(path, *rest, **options):
        if Path(path).is_relative_to(new_home):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *rest, **options)

    monkeypatch.setattr(os, "open", refused)
    with (
        pytest.raises(StackFailed, match="JOBCHURN_HOME"),
        serving(settings_at(new_home)),
    ):
        pytest.fail("it was served")


def test_a_lost_password_is_told(new_home):
    with pytest.raises(StackFailed, match="password cannot be read"):
        embedded(settings_at(new_home)).url()


def test_what_an_interrupted_set_up_left_is_made_anew(new_home):
    (new_home / "postgres.new" / "data").mkdir(parents=True)
    (new_home / "postgres.new" / "data" / "PG_VERSION").write_text("half")
    with serving(settings_at(new_home)) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not (new_home / "postgres.new").exists()


def test_processes_that_need_a_new_cluster_at_once_make_one(new_home):
    port = free_port()
    with user(new_home, port) as (_, url), user(new_home, port) as (_, again):
        assert again == url


def test_a_locked_set_up_is_waited_for(home):
    with (home / "postgres.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [sys.executable, USER, home, str(free_port())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        time.sleep(0.5)
        assert processes_in(home) == []
    assert process.stdout.readline().startswith("postgresql://")
    leave(process)


@as_root
def test_root_runs_the_server_as_nobody(home):
    with serving(settings_at(home)):
        assert Path(f"/proc/{server_of(home)}").stat().st_uid == NOBODY
    assert (home / "postgres").stat().st_uid == NOBODY


@as_root
def test_root_runs_the_server_in_a_namespace_where_nobody_cannot_reach_the_home(home):
    home.chmod(0o700)
    with serving(settings_at(home)) as url:
        assert answers(url)
        status = Path(f"/proc/{server_of(home)}/uid_map").read_text().split()
        assert status == [str(NOBODY), "0", "1"]
    assert processes_in(home) == []
    home.chmod(0o755)
    with serving(settings_at(home)) as url:  # and back again
        assert answers(url)
        assert Path(f"/proc/{server_of(home)}").stat().st_uid == NOBODY


@as_root
def test_root_makes_a_cluster_where_nobody_cannot_reach_the_home(new_home):
    new_home.chmod(0o700)
    with serving(settings_at(new_home)) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert (new_home / "postgres").stat().st_uid == 0


@as_root
def test_a_server_in_a_namespace_ends_with_its_keeper_too(own_home):
    own_home.chmod(0o700)
    with serving(settings_at(own_home)):
        killed(keeper_of(own_home))
        until(lambda: not processes_in(own_home))


@as_root
def test_root_that_can_be_nobody_else_is_told_so(home, monkeypatch, tmp_path):
    settings = settings_at(home)
    server = embedded(settings)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackFailed, match="does not run as root"):
        server.command()


@as_root
def test_root_runs_the_cluster_of_an_ordinary_user_as_that_user(own_home):
    for path in [own_home, *own_home.rglob("*")]:
        os.chown(path, 1234, 1234)
    with serving(settings_at(own_home)) as url:
        assert answers(url)
        assert Path(f"/proc/{server_of(own_home)}").stat().st_uid == 1234
