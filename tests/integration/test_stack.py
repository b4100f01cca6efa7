"""The stack as it is used: started, watched, killed, stopped; toys stand for heavy services."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from stacks import ELSEWHERE, Stack, ended, eventually, until_said


@pytest.fixture
def stacks(tmp_path):
    made = []

    def make(**how):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Stack(folder, **how))
        return made[-1]

    tmp_path.chmod(0o755)
    yield make
    for one in made:
        one.end()


@pytest.fixture
def stack(stacks):
    return stacks()


def test_the_database_is_shut_down_cleanly_and_the_next_start_has_nothing_to_recover(stacks):
    stack = stacks(database=None)
    for _ in range(2):
        done = stack.command("up", "--only=postgres", "--detach")
        assert done.returncode == 0, done.stderr
        assert stack.states() == {"postgres": "running", "api": "stopped", "webapp": "stopped"}
        assert json.loads(stack.command("env").stdout)["DATABASE_URL"].startswith("postgresql://")
        assert stack.command("down").stdout == "True\n"
        assert not stack.processes()
        assert stack.log("postgres").rstrip().endswith("database system is shut down")
    assert "not properly shut down" not in stack.log("postgres")
    assert (stack.toys / "prepared").read_text() == "False\nFalse\n"


def test_whatever_is_killed_of_a_stack_with_a_database_nothing_stays_and_the_next_start_works(
    stacks,
):
    stack = stacks(database=None)
    first = stack.up("--only=postgres,api")
    for pid in (first.pid, stack.supervisord()):
        os.kill(pid, signal.SIGKILL)
    again = stack.up("--only=postgres,api")
    again.send_signal(signal.SIGTERM)
    assert ended(again)[0] == 0
    assert not stack.processes()
    log = stack.log("postgres")
    assert "fast shutdown request" in log
    assert "not properly shut down" not in log


def test_a_killed_database_comes_back_by_itself(stacks):
    stack = stacks(database=None)
    stack.up("--only=postgres")
    former = stack.pid("postgres")
    os.kill(former, signal.SIGKILL)
    eventually(lambda: stack.states()["postgres"] == "running" and stack.pid("postgres") != former)


def test_services_come_up_and_their_addresses_are_printed(stack):
    process = stack.up()
    assert stack.states() == {"postgres": "external", "api": "running", "webapp": "running"}
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert (code, err) == (0, "")
    assert f"http://127.0.0.1:{stack.environment['API_PORT']}" in out
    assert out.splitlines()[-1] == "Stopped."
    assert (stack.toys / "prepared").read_text() == "True\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_grandchildren_included(stack, number):
    process = stack.up()
    eventually(lambda: len(stack.grandchildren()) == 3)
    assert len(stack.processes()) >= 7
    process.send_signal(number)
    assert ended(process)[0] == 0
    assert not stack.processes()
    assert set(stack.states().values()) == {"external", "stopped"}


def test_a_killed_guard_takes_everything_with_it(stack):
    process = stack.up()
    eventually(lambda: len(stack.grandchildren()) == 3)
    process.kill()
    process.wait()
    eventually(lambda: not stack.processes())


def test_a_killed_keeper_is_followed_by_another_and_by_all_services(stack):
    process = stack.start()
    until_said(process, "Ctrl-C stops it.")
    eventually(lambda: len(stack.grandchildren()) == 3)
    former = set(stack.processes()) - {process.pid}
    os.kill(stack.keeper(), signal.SIGKILL)
    eventually(lambda: not former & set(stack.processes()))
    eventually(lambda: stack.are_up(["api", "webapp"]) and len(stack.grandchildren()) == 3)
    # Twice where the keeper was killed before it could tell that everything was up.
    assert set((stack.toys / "prepared").read_text().splitlines()) == {"True"}
    process.send_signal(signal.SIGTERM)
    code, out, _ = ended(process)
    assert code == 0
    assert "the keeper was killed" in out
    assert not stack.processes()


def test_a_killed_supervisor_is_started_again_with_all_services(stack):
    process = stack.up()
    eventually(lambda: len(stack.grandchildren()) == 3)
    former = {stack.supervisord(), stack.pid("api"), stack.pid("webapp"), *stack.grandchildren()}
    os.kill(stack.supervisord(), signal.SIGKILL)
    eventually(lambda: not former & set(stack.processes()))
    eventually(lambda: stack.are_up(["api", "webapp"]) and len(stack.grandchildren()) == 3)
    process.send_signal(signal.SIGTERM)
    code, out, _ = ended(process)
    assert code == 0
    assert "supervisord has ended" in out
    assert not stack.processes()


def test_whoever_tidies_up_goes_on_when_supervisord_is_killed(stacks, tmp_path):
    begun, done = tmp_path / "begun", tmp_path / "done"
    stack = stacks(SWEEP=f"touch {begun}; sleep 10; touch {done}")
    stack.up("--only=api")
    eventually(begun.exists)
    os.kill(stack.supervisord(), signal.SIGKILL)
    eventually(done.exists)
    eventually(lambda: stack.are_up(["api"]))


def test_a_supervisord_that_says_nothing_any_more_is_replaced(stacks):
    stack = stacks(IMPATIENT="yes")
    stack.up("--only=api")
    former = stack.supervisord()
    os.kill(former, signal.SIGSTOP)
    eventually(lambda: former not in stack.processes())
    eventually(lambda: stack.are_up(["api"]))


def test_a_full_disk_ends_no_service_and_is_told_once(stacks):
    stack = stacks(PLANT="the disk is full")
    assert stack.command("up", "--only=api", "--detach").returncode == 0
    told = "how the services fare cannot be written down"
    eventually(lambda: told in stack.log("up"), 60)
    keeper, former = stack.keeper(), stack.pid("api")
    os.kill(former, signal.SIGKILL)
    eventually(lambda: "api was restarted" in stack.log("up"))
    eventually(lambda: stack.are_up(["api"]))
    assert stack.keeper() == keeper
    assert stack.log("up").count(told) == 1


def test_a_killed_service_is_restarted_and_its_grandchildren_are_not_left(stack):
    stack.up()
    eventually(lambda: len(stack.grandchildren()) == 3)
    former, grandchildren = set(stack.processes()), set(stack.grandchildren())
    webapp = stack.pid("webapp")
    os.kill(webapp, signal.SIGKILL)
    eventually(lambda: stack.states()["webapp"] == "running" and stack.pid("webapp") != webapp)
    gone = {webapp, *grandchildren}
    eventually(lambda: former - set(stack.processes()) == gone)
    eventually(lambda: len(stack.grandchildren()) == 3)


def test_a_service_that_fails_later_is_reported_and_tried_again(stack):
    process = stack.up("--only=api")
    (stack.toys / "broken").touch()
    os.kill(stack.pid("api"), signal.SIGKILL)
    heard = until_said(process, "api is failed")
    (stack.toys / "broken").unlink()
    eventually(lambda: stack.are_up(["api"]))
    until_said(process, f"api was restarted (pid {stack.pid('api')})", heard)
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 0


def test_the_owner_tidies_up_once_everything_runs_and_a_failure_is_said(stacks):
    stack = stacks(
        SWEEP='echo "at $DATABASE_URL, link $LINK_SECRET."; exit 3', LINK_SECRET="l" * 40
    )
    process = stack.up("--only=api")
    heard = until_said(process, "the database is not tidied up: `jobchurn tidy` ended with 3")
    assert f"  at {ELSEWHERE}, link ." in until_said(process, "link .", heard)
    assert stack.log("tidy").count("\n") == 1
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 0
    assert not stack.processes()


def test_a_service_that_never_comes_up_ends_the_start_with_its_last_words(stack):
    (stack.toys / "broken").touch()
    code, out, err = ended(stack.start())
    assert code == 6
    assert "the toy is broken" in out
    assert "api ends again and again" in err
    assert not stack.processes()


def test_a_detached_start_lets_go_of_its_output_and_lives_on(stack):
    # Were the pipe still held by the stack, communicate() would not return.
    process = stack.start("--detach")
    code, out, _ = ended(process)
    assert code == 0
    assert "running" in out
    eventually(lambda: stack.are_up(["api"]))
    assert stack.command("down").stdout == "True\n"
    assert not stack.processes()
    assert "Stopped." in stack.log("up")


def test_a_detached_start_that_fails_says_why(stack):
    (stack.toys / "unusable").touch()
    code, _, err = ended(stack.start("--detach"))
    assert code == 4
    assert err == "DataUnusable: The toy data cannot be used. Make other data.\n"
    assert not stack.processes()


def test_a_stop_during_the_preparation_ends_it(stack):
    (stack.toys / "slow").touch()
    process = stack.start()
    eventually((stack.toys / "prepared").exists)
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 0
    assert not stack.processes()


def test_nothing_running_is_no_fault_of_down(stack):
    done = stack.command("down")
    assert (done.returncode, done.stdout) == (0, "False\n")


def test_a_second_start_in_the_same_home_is_refused(stack):
    first = stack.up("--only=api")
    code, _, err = ended(stack.start("--only=api"))
    assert code == 6
    assert f"already (pid {first.pid})" in err
    eventually(lambda: stack.are_up(["api"]))


def test_a_taken_port_is_named_with_its_holder_and_the_variable_that_changes_it(stack):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", int(stack.environment["API_PORT"])))
        holder.listen()
        code, _, err = ended(stack.start())
    assert code == 6
    assert f"Port {stack.environment['API_PORT']} of api is taken by" in err
    assert f"(pid {os.getpid()})" in err
    assert "API_PORT" in err


def test_two_stacks_run_side_by_side(stacks):
    one, other = stacks(), stacks()
    one.up("--only=api")
    other.up("--only=api")
    assert one.command("down").stdout == "True\n"
    assert not one.processes()
    eventually(lambda: other.are_up(["api"]))


@pytest.mark.parametrize("name", ["a b; c # d % e 'f' ü", "x" * 120], ids=["odd", "long"])
def test_a_home_of_any_name_will_do(stacks, tmp_path, name):
    stack = stacks(home=tmp_path / name)
    stack.up("--only=api")
    listening = json.loads((stack.home / "run" / "stack.json").read_text())["socket"]
    assert stack.command("down").stdout == "True\n"
    assert not Path(listening).exists()
    assert not stack.processes()


def test_no_secret_is_on_a_command_line_in_a_log_or_in_a_file_open_to_others(stack):
    process = stack.up()
    assert not [name for name in stack.processes().values() if "s3cr3t-w0rd" in name]
    process.send_signal(signal.SIGTERM)
    assert "s3cr3t-w0rd" not in "".join(ended(process)[1:])
    for path in stack.home.rglob("*"):
        if path.is_file() and b"s3cr3t-w0rd" in path.read_bytes():
            assert path.parent == stack.home / "run"
            assert path.stat().st_mode & 0o077 == 0
    assert (stack.home / "run").stat().st_mode & 0o077 == 0


def test_a_reset_waits_for_the_stack_to_be_stopped_and_removes_everything_then(stack):
    stack.up("--only=api")
    refused = stack.command("reset")
    assert refused.returncode == 6
    assert "jobchurn down" in refused.stderr
    stack.command("down")
    assert stack.command("reset").returncode == 0
    assert not stack.home.exists()
