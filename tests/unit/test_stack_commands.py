"""The stack seen from another terminal: states, logs, reset, doctor, and what up shows."""

import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from jobchurn.errors import InvalidSettings, NotFound, StackFailed
from jobchurn.settings import Settings
from jobchurn.stack import control, processes
from jobchurn.stack.display import Display
from jobchurn.stack.doctor import Level, differences, doctor
from jobchurn.stack.logs import followed, last_lines
from jobchurn.stack.private import write_private
from jobchurn.stack.record import SILENT, Record, ServiceState, StackFolder, State
from jobchurn.stack.services import Service
from jobchurn.stack.supervisor_client import ProgramState, Supervisor

ROOT = Path(__file__).parents[2]
ELSEWHERE = "postgresql://me:pw@127.0.0.1:1/mine"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def settings(home):
    return Settings(jobchurn_home=home, database_url=ELSEWHERE)


def program(state, name="toy", pid=7):
    return ProgramState(name, state, pid, 0, 0, 0, "")


def state_of(tmp_path, *states, health=None):
    target = health or tmp_path
    service = Service(name="toy", title="Toy", address="here", health=target.as_uri())
    known = {f"toy-{n}": program(state, f"toy-{n}") for n, state in enumerate(states)}
    record = Record("", {"toy": list(known)}, [service], {})
    return record.state_of(service, known).state


def test_a_service_runs_once_all_its_programs_live_and_it_answers(tmp_path):
    assert state_of(tmp_path, "RUNNING", "STARTING") is State.RUNNING
    assert state_of(tmp_path, "RUNNING", health=tmp_path / "absent") is State.STARTING
    assert state_of(tmp_path, "RUNNING", "BACKOFF") is State.STARTING
    assert state_of(tmp_path, "RUNNING", "STOPPED") is State.STARTING


def test_a_service_fails_with_any_of_its_programs(tmp_path):
    assert state_of(tmp_path, "RUNNING", "FATAL") is State.FAILED


def test_a_service_without_living_programs_is_stopped(tmp_path):
    assert state_of(tmp_path, "STOPPED", "EXITED") is State.STOPPED
    assert state_of(tmp_path) is State.STOPPED


def test_without_a_stack_everything_is_stopped_or_external(settings):
    states = {row.name: row.state for row in control.status(settings)}
    assert states.pop("postgres") is State.EXTERNAL
    assert set(states.values()) == {State.STOPPED}
    assert control.status(settings)[0].to_dict()["state"] == "external"


def test_a_record_is_read_as_it_was_written(home):
    folder = StackFolder(home).make()
    service = Service(name="a", title="A", address="b", health="c", needs=("d",), port=1)
    record = Record(str(folder.run / "socket"), {"a": ["a"]}, [service], {"API_URL": "e"})
    record.save(folder)
    assert folder.read_record() == record
    record.remove(folder)
    assert folder.read_record() is None


def test_the_lock_tells_who_keeps_the_stack(home):
    folder = StackFolder(home).make()
    assert folder.keeper() is None
    with folder.locked() as mine:
        assert mine
        assert folder.keeper() == os.getpid()
        with folder.locked() as twice:
            assert not twice
    assert folder.keeper() is None


def test_the_environment_names_the_database_of_ones_own(settings):
    assert control.environment(settings)["DATABASE_URL"] == ELSEWHERE


def written_logs(home):
    logs = StackFolder(home).make().logs
    (logs / "api.log").write_text("one\ntwo\n")
    (logs / "airflow-scheduler.log").write_text("three\n")
    (logs / "airflow-api-server.log").write_text("four\n")
    return logs


def test_the_logs_of_a_service_are_those_of_its_programs(settings, home):
    written_logs(home)
    assert list(control.logs(settings, "api")) == ["one", "two"]
    assert list(control.logs(settings, "airflow")) == [
        "airflow-api-server | four",
        "airflow-scheduler  | three",
    ]
    assert len(list(control.logs(settings, lines=1))) == 3


def test_a_service_without_logs_is_said_to_have_none(settings):
    with pytest.raises(NotFound, match="no logs"):
        list(control.logs(settings, "api"))
    with pytest.raises(NotFound, match="no service grafana"):
        list(control.logs(settings, "grafana"))


def test_the_last_lines_of_a_long_log_are_read(tmp_path):
    path = tmp_path / "long.log"
    path.write_text("".join(f"line {n}\n" for n in range(10_000)))
    assert last_lines(path, 3) == ["line 9997", "line 9998", "line 9999"]
    assert last_lines(tmp_path / "absent.log", 3) == []


def test_a_log_is_followed_over_its_replacement(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("before\n")
    lines = followed({"a": path}, pause=0)
    steps = iter(["first\nsec", "ond\n", None])

    def grow(_):
        step = next(steps)
        if step is None:
            path.write_text("new\n")
        else:
            with path.open("a") as log:
                log.write(step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jobchurn.stack.logs.time.sleep", grow)
        assert [next(lines) for _ in range(3)] == ["first", "second", "new"]


def test_a_reset_removes_a_home(settings, home):
    for name in ("data/raw_data", "postgres", "models", "logs"):
        (home / name).mkdir(parents=True)
    (home / "postgres.password").touch()
    (home / "run").symlink_to(home.parent)
    assert len(control.reset(settings)) == 6
    assert not home.exists()
    assert home.parent.exists()
    assert control.reset(settings) == []


def test_a_reset_refuses_a_folder_that_holds_other_things(settings, home):
    (home / "data").mkdir(parents=True)
    (home / "thesis.docx").touch()
    with pytest.raises(InvalidSettings, match=r"thesis\.docx"):
        control.reset(settings)
    assert (home / "data").exists()


def test_a_reset_refuses_while_a_stack_runs(settings, home):
    folder = StackFolder(home).make()
    with folder.locked(), pytest.raises(StackFailed, match="is running"):
        control.reset(settings)


def test_a_private_file_is_never_open_to_others_and_replaced_whole(tmp_path):
    path = tmp_path / "secret"
    former = os.umask(0)
    try:
        write_private(path, "one")
        write_private(path, "two")
    finally:
        os.umask(former)
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_supervisord_that_ends_within_its_answer_is_silent(tmp_path):
    half = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<?xml version='1.0'?><methodResponse>"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        server.listen()

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(half)

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(SILENT):
            Supervisor(tmp_path / "socket").programs()
        answering.join()


def service_state(state, pid=1):
    return ServiceState("toy", State(state), pid, "here")


def test_where_there_is_no_terminal_each_change_is_a_line(capsys):
    display = Display()
    with display.coming_up():
        for state in ("starting", "starting", "running"):
            display.show([service_state(state)])
    display.summary([service_state("running")])
    assert capsys.readouterr().out.splitlines() == [
        "toy       starting  here",
        "toy       running   here",
    ]


LOCK = """
a==1.0 \\
    --hash=sha256:00
    # via b
b[extra]==2.0 ; python_full_version < '3.12' \\
    --hash=sha256:00
b[extra]==3.0 ; python_full_version >= '3.12' \\
    --hash=sha256:00
c==4.0 ; sys_platform == 'win32' \\
    --hash=sha256:00
d.e_f-g==5.0.post1 \\
    --hash=sha256:00
"""


def test_packages_are_compared_with_the_lock():
    right = {"a": "1.0", "b": "3.0", "d.e_f-g": "5.0.post1"}
    assert differences(LOCK, right.get) == []
    assert differences(LOCK, {**right, "a": "v1.0"}.get) == []
    assert differences(LOCK, {**right, "a": "1.1"}.get) == ["a is 1.1, not 1.0"]
    assert differences(LOCK, {**right, "c": "4.1"}.get) == ["c is 4.1, not 4.0"]
    assert differences(LOCK, {**right, "b": "4"}.get) == ["b is 4, not 2.0 or 3.0"]
    assert differences(LOCK, {"b": "2.0", "d.e_f-g": "5.0.post1"}.get) == ["a is missing"]


def test_the_doctor_finds_a_database_that_does_not_answer(settings):
    found = {finding.name: finding for finding in doctor(settings)}
    assert found["Python"].state is Level.OK
    assert found["database"].state is Level.FAIL
    assert "DATABASE_URL" in found["database"].cure
    assert not settings.home.exists()


def test_the_doctor_names_a_cure_for_whatever_is_not_well(settings, home):
    home.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(home))
        patch.setattr("jobchurn.stack.doctor.sys.version_info", (3, 10, 0))
        patch.setattr("jobchurn.stack.doctor.SCARCE_BYTES", 2**80)
        patch.setattr("jobchurn.stack.doctor._installed", lambda _: None)
        found = {finding.name: finding for finding in doctor(settings, browser=True)}
    for name in ("Python", "packages", "programs", "home", "browser", "database"):
        assert found[name].state is not Level.OK, name
        assert found[name].cure, name


def test_the_doctor_finds_a_taken_port(home):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        found = doctor(Settings(jobchurn_home=home, database_url=ELSEWHERE, api_port=port))
    [finding] = [finding for finding in found if finding.name == f"port {port}"]
    assert finding.state is Level.FAIL
    assert "API_PORT" in finding.cure


def test_a_set_up_with_a_python_that_does_not_run_says_so():
    done = subprocess.run(
        ["sh", "scripts/setup.sh"],
        cwd=ROOT,
        env=os.environ | {"PYTHON": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no Python 3.11 to 3.14 runs here as PYTHON=false" in done.stderr


def test_each_target_of_make_is_listed():
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = {line.split()[0] for line in done.stdout.splitlines()}
    assert listed >= {"setup", "run", "test", "check", "bench", "docs", "e2e", "stop", "reset"}


def test_how_long_a_process_may_take_to_end_stands_in_its_environment():
    for given, patience in (("7", 7.0), ("soon", processes.PATIENCE), (None, processes.PATIENCE)):
        variables = {} if given is None else {processes.STOP_SECONDS: given}
        with subprocess.Popen(
            ["cat"],
            env=os.environ | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as echo:
            # Once it answers it has its environment: the kernel shows none for a moment before.
            echo.stdin.write(b"begun\n")
            echo.stdin.flush()
            assert echo.stdout.readline() == b"begun\n"
            assert processes.patience_with(echo.pid) == patience
            echo.stdin.close()
    assert processes.patience_with(echo.pid) == processes.PATIENCE
