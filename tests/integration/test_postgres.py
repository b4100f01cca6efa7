"""The embedded PostgreSQL: made once, shared while it is used, and gone afterwards."""

import fcntl
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import DatabaseUnreachable, PostgresMismatch, StackFailed
from jobchurn.postgres import EmbeddedPostgres, find_binaries, serving
from jobchurn.postgres.postmaster import Postmaster
from jobchurn.settings import Settings
from jobchurn.store import Store

USER = Path(__file__).parents[1] / "postgres_user.py"
NOBODY = 65534
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root has to become somebody else")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def settings_at(home, port=None):
    return Settings(
        jobchurn_home=home,
        database_url=None,
        postgres_port=port or free_port(),
    )


def embedded(settings):
    return EmbeddedPostgres(settings.home, settings.postgres_port, find_binaries(settings))


@pytest.fixture(scope="module")
def made_home(open_folder):
    """A home with a cluster that was used once."""
    home = open_folder / "made"
    with serving(settings_at(home)) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    return home


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


def until(happened, seconds=30):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def count_of(url, number):
    with psycopg.connect(url, connect_timeout=5) as connection:
        kept = "SELECT count(*) FROM kept WHERE n = %s"
        return connection.execute(kept, [number]).fetchone()[0]


def answers(url):
    return count_of(url, 0) == 0


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


def test_a_port_that_another_program_has_is_told(home):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = settings_at(home, other.getsockname()[1])
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
    def refused(*_arguments, **_options):
        raise PermissionError(13, "Permission denied", str(new_home))

    monkeypatch.setattr(Path, "open", refused)
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
