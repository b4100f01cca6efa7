"""What the command line tells of a home, and makes of its database and settings."""

import io
import json
import sys
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from api_house import open_house
from command_line import apart, command_line, named_home, rows_of, write_rows

RUN_KEYS = {
    "file", "sha256", "trigger", "rows_total", "rows_valid", "rows_invalid", "criticality",
    "duplicate_of", "started_at", "finished_at", "good", "bad", "reasons", "report",
}  # fmt: skip
"""What the design promises of a run."""


@pytest.fixture
def home(tmp_path, database, monkeypatch):
    """A home of its own, as the environment names it."""
    return named_home(tmp_path / "home", database, monkeypatch)


@pytest.fixture
def jobchurn(home, monkeypatch, capfd):
    """Runs the command line in this process."""
    return command_line(monkeypatch, capfd)


@pytest.fixture
def champion(store, home):
    """A small model in charge."""
    return open_house(store, home).registry.champion().version


def test_runs_are_a_json_array_with_the_promised_keys_and_stdout_holds_nothing_else(
    jobchurn, home, tmp_path
):
    rows = rows_of(10)
    rows[4]["training_hours"] = "-5"
    jobchurn("ingest", write_rows(tmp_path / "mine.csv", rows))
    jobchurn("ingest", write_rows(tmp_path / "again.csv", rows))
    done = apart("runs", "--json")
    assert done.returncode == 0
    again, mine = json.loads(done.stdout)
    for run in (again, mine):
        assert run.keys() >= RUN_KEYS
        assert len(run["sha256"]) == 64
        for moment in (run["started_at"], run["finished_at"]):
            assert datetime.fromisoformat(moment).utcoffset() is not None
    assert (mine["file"], mine["trigger"], mine["criticality"]) == ("mine.csv", "cli", "medium")
    assert (mine["rows_total"], mine["rows_valid"], mine["rows_invalid"]) == (10, 9, 1)
    for place in ("good", "bad", "reasons", "report"):
        assert Path(mine[place]).is_absolute()
        assert Path(mine[place]).is_relative_to(home / "data")
        assert Path(mine[place]).is_file()
    assert again["duplicate_of"] == mine["run_id"]
    assert (again["good"], again["bad"], again["reasons"]) == (None, None, None)


def test_no_runs_are_an_empty_array(jobchurn):
    assert json.loads(jobchurn("runs", "--json").out) == []


def test_runs_are_a_table_that_is_not_cut_in_a_pipe(jobchurn, tmp_path):
    name = f"{'a' * 40}.csv"
    for n in range(2):
        jobchurn("ingest", write_rows(tmp_path / name, rows_of(3, seed=n)))
    shown = jobchurn("runs", "--limit", 1).out
    assert shown.count(name) == 1
    assert "criticality" in shown


def test_the_state_of_services_is_a_json_array(jobchurn):
    states = json.loads(jobchurn("status", "--json").out)
    assert [state["name"] for state in states] == ["postgres", "api", "webapp", "airflow"]
    # What programs rely on; more may stand beside it.
    assert all(state.keys() >= {"name", "state", "pid", "address"} for state in states)
    assert [state["state"] for state in states] == ["external", *["stopped"] * 3]


def test_the_state_tells_up_to_where_good_files_are_predicted(jobchurn, champion, tmp_path):
    assert "No good file is predicted yet." in jobchurn("status").err
    jobchurn("ingest", write_rows(tmp_path / "mine.csv", rows_of(3)))
    jobchurn("predict", "--new")
    assert "Last predicted: mine.csv at " in jobchurn("status").err


def test_nothing_running_is_no_fault_of_down(jobchurn):
    assert jobchurn("down").err == "Nothing was running.\n"


def test_the_environment_is_printed_for_a_shell(jobchurn, home):
    lines = jobchurn("env").out.splitlines()
    assert f"export JOBCHURN_HOME={home}" in lines
    assert all(line.startswith("export ") for line in lines)


def test_a_reset_asks_first_and_removes_everything_then(jobchurn, home, monkeypatch):
    jobchurn("data", "synth", "--rows", 10)
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    jobchurn("reset", code=1)
    assert home.exists()
    jobchurn("reset", "--yes")
    assert not home.exists()
    assert "nothing to remove" in jobchurn("reset", "--yes").err


def test_a_folder_that_is_no_home_is_never_reset(jobchurn, tmp_path, monkeypatch):
    (tmp_path / "thesis.txt").touch()
    monkeypatch.setenv("JOBCHURN_HOME", str(tmp_path))
    done = jobchurn("reset", "--yes", code=2)
    assert "thesis.txt" in done.err
    assert (tmp_path / "thesis.txt").exists()


def test_the_tables_can_be_migrated_by_hand(home, empty_database, jobchurn, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", empty_database)
    jobchurn("db", "migrate")
    assert json.loads(jobchurn("runs", "--json").out) == []


def test_migrating_by_hand_lets_the_reading_role_log_in(home, database, jobchurn, monkeypatch):
    monkeypatch.setenv("GRAFANA_DATABASE_PASSWORD", "s3cr3t-w0rd")
    done = jobchurn("db", "migrate")  # although nothing else is to be done
    assert "s3cr3t-w0rd" not in done.out + done.err
    with psycopg.connect(database, user="jobchurn_reader", password="s3cr3t-w0rd") as connection:
        assert connection.execute("SELECT count(*) FROM predictions").fetchone() == (0,)


def test_a_database_that_does_not_answer_is_told_with_its_cure(tmp_path):
    done = apart(
        "runs",
        DATABASE_URL="postgresql://someone:s3cr3t-w0rd@127.0.0.1:1/nothing",
        JOBCHURN_HOME=str(tmp_path),
    )
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("jobchurn: ")
    assert "Cure: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "s3cr3t-w0rd" not in done.stderr


@pytest.mark.parametrize("words", [("status",), ("up", "--only=api"), ("runs",)], ids=str)
def test_a_database_whose_address_is_none_is_told(jobchurn, monkeypatch, words):
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    assert "DATABASE_URL" in jobchurn(*words, code=2).err


@pytest.mark.parametrize(
    "words", [("runs",), ("status",), ("ingest",), ("up", "--only=api")], ids=str
)
def test_a_home_that_is_no_folder_is_told(jobchurn, tmp_path, monkeypatch, words):
    (tmp_path / "file").touch()
    monkeypatch.setenv("JOBCHURN_HOME", str(tmp_path / "file"))
    assert str(tmp_path / "file") in jobchurn(*words, code=4).err


def test_a_setting_that_cannot_be_used_is_named(tmp_path):
    done = apart("status", API_PORT="many", JOBCHURN_HOME=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith("jobchurn: The environment cannot be used: API_PORT")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("value", ["inf", "nan", "1e400", "-1", ""])
@pytest.mark.parametrize("name", ["MISS_COST", "LEASE_SECONDS", "SETTLE_SECONDS"])
def test_a_number_without_end_is_no_setting(jobchurn, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    if value:
        assert name in jobchurn("runs", "--json", code=2).err
    else:
        assert jobchurn("runs", "--json").out == "[]\n"
