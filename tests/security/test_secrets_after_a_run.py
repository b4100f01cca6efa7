"""After a whole run of a real stack its secrets lie where they are kept, and nowhere else."""

import base64
import subprocess
import sys
import uuid

import psycopg
import pytest

from security.leaks import in_files, in_tables, repository_files
from security.whole_run import TOLD, WholeRun

LARGE = ("postgres",)


@pytest.fixture(
    scope="module",
    params=[
        "postgres,api,webapp",
        pytest.param("postgres,api,webapp,airflow", marks=pytest.mark.torture),
    ],
)
def run(request, open_folder):
    folder = open_folder / uuid.uuid4().hex
    folder.mkdir(mode=0o755)
    whole = WholeRun(folder, request.param)
    try:
        yield whole.go()
    finally:
        whole.end()
        whole.remove()


def told(run):
    """Who showed or answered a secret."""
    return {(who, name) for who, text in run.told.items() for name in run.search.within(text)}


def on_command_lines(run):
    """Command lines of any process of this machine that held a secret."""
    return {
        (command.replace(b"\0", b" ")[:200], name)
        for command, _ in run.processes.seen
        for name in run.search.within(command)
    }


def in_environments(run):
    """Programs of the stack that were told a secret that is not for them."""
    found = set()
    for command, variables in run.processes.of_home(run.home):
        program = variables.get(b"SUPERVISOR_PROCESS_NAME", b"").decode()
        if program:
            allowed = TOLD[program]
        elif "supervisor.supervisord" in command:
            program, allowed = "supervisord", set()
        else:
            continue  # what a person has started, who has all of them, and what that one has
        values = b"\0".join(variables.values())
        found |= {(program, name) for name in run.search.within(values) - allowed}
    return found


def test_no_file_of_the_home_tells_a_secret_but_those_that_keep_it(run):
    assert set(in_files(run.home, run.search, allowed=run.may_hold, large=LARGE)) == set()


def test_nothing_that_is_shown_or_answered_tells_a_secret(run):
    shown_once = {(who, name) for who, name in told(run) if who == "up"}
    assert len(run.told) > 40
    assert told(run) - shown_once == set()
    # How to sign in to Airflow is told once, to whoever has started it.
    assert {name for _, name in shown_once} == ({"Airflow's sign-in"} if run.has_airflow else set())


def test_no_table_holds_a_secret(run):
    assert set(in_tables(run.databases(), run.search)) == set()


def test_no_command_line_of_any_process_held_a_secret(run):
    assert len(run.processes.seen) > 20
    assert on_command_lines(run) == set()


def test_each_program_is_told_the_secrets_that_it_needs_and_no_others(run):
    programs = {
        variables.get(b"SUPERVISOR_PROCESS_NAME", b"").decode()
        for _, variables in run.processes.of_home(run.home)
    }
    assert programs >= {"api", "webapp"}
    assert in_environments(run) == set()


def test_a_backup_holds_the_secrets_that_a_home_keeps_in_private_files_alone(run):
    assert set(in_files(run.backup, run.search, allowed=run.copied)) == set()
    kept = set(in_files(run.backup, run.search))
    assert {name for _, name in kept} >= {"password of jobchurn_api"}


def test_the_run_has_written_no_secret_into_the_repository(run):
    paths = repository_files("--cached", "--others", "--exclude-standard")
    if paths is None:
        pytest.skip("this is no checkout")
    written = {path for path in paths if path.is_file() and run.search.within(path.read_bytes())}
    assert written == set()


def planted_everywhere(run):
    """A secret is written down in each kind of place; yields where, and what finds it there."""
    secret = run.known["webhook"]
    encoded = base64.b64encode(f"x{secret}".encode())
    (run.home / "logs" / "api.log").open("ab").write(b"sent " + encoded + b"\n")
    yield "a log", lambda: in_files(run.home, run.search, allowed=run.may_hold, large=LARGE)
    spec = run.home / "run" / "webapp.json"
    spec.write_text(spec.read_text() + secret)
    yield "a program's spec", lambda: in_files(run.home, run.search, allowed=run.may_hold)
    opened = run.home / "secrets" / "open"
    opened.write_text(secret)
    opened.chmod(0o644)
    yield "an open file", lambda: in_files(run.home, run.search, allowed=run.may_hold)
    page = next((run.home / "data" / "reports").glob("*.html"))
    page.write_text(page.read_text() + secret)
    yield "a report", lambda: in_files(run.home, run.search, allowed=run.may_hold)
    copied = next(path for path in run.backup.rglob("*.html"))
    copied.write_text(secret)
    yield "a backup", lambda: in_files(run.backup, run.search, allowed=run.copied)
    run.told["GET /planted"] = f"<p>{secret}"
    yield "an answer", lambda: told(run)
    with psycopg.connect(run.databases()[0]) as connection:
        connection.execute("UPDATE api_keys SET name = %s || name", [secret])
    yield "a table", lambda: in_tables(run.databases(), run.search)
    environment = {
        "JOBCHURN_HOME": str(run.home),
        "SUPERVISOR_PROCESS_NAME": "webapp",
        "TOLD": secret,
    }
    waiting = "import sys; print('up', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", waiting, secret],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        process.stdout.readline()
        run.processes.look()
        process.stdin.close()
    yield "a command line", lambda: on_command_lines(run)
    yield "an environment", lambda: in_environments(run)


def test_a_secret_that_is_planted_in_any_kind_of_place_is_found_there(run):
    """The last one of this file: the run is spoilt by it."""
    for place, search in planted_everywhere(run):
        found = {name for _, name in search()}
        assert "webhook" in found, place
