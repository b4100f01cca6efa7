"""The command line as a person uses it: results on stdout, words on stderr, cures for mistakes."""

import csv
import io
import json
import os
import subprocess
import sys
from collections import Counter, namedtuple
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from api_house import open_house
from jobchurn.cli import main
from jobchurn.contract import JOB_CHANGE
from small_model import random_records, small_model

ROOT = Path(__file__).parents[2]
NAMES = [column.name for column in JOB_CHANGE.columns]
RUN_KEYS = {
    "file", "sha256", "trigger", "rows_total", "rows_valid", "rows_invalid", "criticality",
    "duplicate_of", "started_at", "finished_at", "good", "bad", "reasons", "report",
}  # fmt: skip
"""What the design promises of a run."""

Done = namedtuple("Done", "code out err")


@pytest.fixture
def home(tmp_path, database, monkeypatch):
    """A home of its own over a database of its own, as the environment names them."""
    folder = tmp_path / "home"
    for name, value in {
        "JOBCHURN_HOME": str(folder),
        "DATABASE_URL": database,
        "SETTLE_SECONDS": "0",
        "START_FILES": "8",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("JOBCHURN_CSV", raising=False)
    return folder


@pytest.fixture
def jobchurn(home, monkeypatch, capfd):
    """Runs the command line in this process, from words to exit code, stdout and stderr."""

    def run(*words, code=0):
        monkeypatch.setattr(sys, "argv", ["jobchurn", *map(str, words)])
        capfd.readouterr()
        try:
            main()
        except SystemExit as end:
            ended = end.code or 0
        else:
            ended = 0
        done = Done(ended, *capfd.readouterr())
        assert "Traceback" not in done.err
        assert done.code == code, done.err
        return done

    return run


@pytest.fixture
def champion(store, home):
    """A small model in charge."""
    return open_house(store, home).registry.champion().version


def apart(*words, **environment):
    """The command line as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "jobchurn.cli", *words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def rows_of(count, seed=0):
    """Rows of texts that the contract admits."""
    return [
        {column.name: column.write(record[column.name]) for column in JOB_CHANGE.columns}
        for record in random_records(JOB_CHANGE, count, seed)
    ]


def write_rows(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as target:
        writer = csv.DictWriter(target, NAMES)
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def waiting(home):
    return sorted(path.name for path in (home / "data" / "raw_data").glob("*.csv"))


def test_the_built_in_data_set_is_made_and_its_place_is_the_answer(jobchurn, home):
    done = jobchurn("data", "synth", "--rows", 50, "--seed", 7)
    path = Path(done.out.strip())
    assert path == home / "data" / "dataset.csv"
    assert len(read_rows(path.read_text())) == 50
    assert "50 rows" in done.err


def test_a_device_is_not_replaced_by_a_data_set(jobchurn, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        assert "no regular file" in jobchurn("data", "synth", "-o", tmp_path / name, code=2).err
    assert not (tmp_path / "pipe").is_file()
    assert (tmp_path / "link").is_symlink()


def test_a_link_goes_on_pointing_to_the_data_set(jobchurn, tmp_path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "away" / "data.csv")
    jobchurn("data", "synth", "--rows", 3, "-o", tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert len((tmp_path / "away" / "data.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    "words",
    [
        ("data", "synth", "--seed=-1"),
        ("train", "--seed=-1"),
        ("train", "--seed=4294967296"),
        ("data", "split", "--error-rate=2"),
        ("data", "split", "--error-rate=-1"),
        ("data", "split", "--error-rate=nan"),
    ],
    ids=str,
)
def test_a_number_that_cannot_be_used_is_refused_by_its_option(jobchurn, home, words):
    done = jobchurn(*words, code=2)
    assert words[-1].partition("=")[0] in done.err
    assert not (home / "data" / "training.csv").exists()


def test_one_seed_makes_one_data_set(jobchurn, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        jobchurn("data", "synth", "--rows", 30, "--seed", seed, "-o", tmp_path / "deep" / name)
    a, b, c = ((tmp_path / "deep" / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_a_data_set_of_no_rows_is_refused_by_its_option(jobchurn):
    done = jobchurn("data", "synth", "--rows", 0, code=2)
    assert "--rows" in done.err


def test_a_split_sets_training_rows_aside_and_streams_every_other_row(jobchurn, home):
    jobchurn("data", "synth", "--rows", 200)
    done = jobchurn("data", "split", "--n-files", 8, "--error-rate", 0, "--seed", 3)
    data = home / "data"
    assert Path(done.out.strip()) == data / "raw_data"
    assert len(waiting(home)) == 8
    lines = Counter((data / "dataset.csv").read_bytes().splitlines()[1:])
    training = Counter((data / "training.csv").read_bytes().splitlines()[1:])
    raw = Counter(
        line
        for path in (data / "raw_data").glob("*.csv")
        for line in path.read_bytes().splitlines()[1:]
    )
    assert sum(training.values()) == 140
    assert training + raw == lines


def test_a_split_takes_the_data_set_of_the_user(jobchurn, home, tmp_path, monkeypatch):
    monkeypatch.setenv("JOBCHURN_CSV", str(write_rows(tmp_path / "mine.csv", rows_of(100))))
    done = jobchurn("data", "split")
    assert "mine.csv" in done.err
    assert len(waiting(home)) == 8
    assert not (home / "data" / "dataset.csv").exists()


def test_a_data_set_that_is_not_there_is_told_with_its_cure(jobchurn, monkeypatch):
    monkeypatch.setenv("JOBCHURN_CSV", "/nowhere/mine.csv")
    done = jobchurn("data", "split", code=4)
    assert done.err.startswith("jobchurn: JOBCHURN_CSV names /nowhere/mine.csv")
    assert "\n  Cure: Correct the path, or unset it" in done.err
    assert done.out == ""


def test_a_model_is_trained_shown_registered_and_put_in_charge_where_none_is(jobchurn, tmp_path):
    data = tmp_path / "data.csv"
    jobchurn("data", "synth", "--rows", 400, "-o", data)
    first = jobchurn("train", data)
    version = first.out.splitlines()[-1]
    assert "ROC-AUC" in first.out
    assert f"{version} is the champion now" in first.err
    second = jobchurn("train", data, "--seed", 1)
    other = second.out.splitlines()[-1]
    assert other != version
    assert f"jobchurn models promote {other}" in second.err
    listed = jobchurn("models", "list").out.splitlines()
    assert [next(word for word in line.split() if word.startswith("lgbm-"))
            for line in listed if "lgbm-" in line] == [other, version]  # fmt: skip
    assert "yes" in next(line for line in listed if version in line)


def test_training_without_data_names_the_command_that_makes_it(jobchurn):
    done = jobchurn("train", code=2)
    assert "training.csv" in done.err
    assert "jobchurn data split" in done.err


def test_training_on_too_few_rows_says_how_many_it_takes(jobchurn, tmp_path):
    done = jobchurn("train", write_rows(tmp_path / "few.csv", rows_of(20)), code=4)
    assert "too few to learn from" in done.err
    assert "at least 200" in done.err


def test_a_version_is_promoted_and_rolled_back(jobchurn, store, home, champion):
    house = open_house(store, home, champion=False)
    other = house.registry.add(small_model(JOB_CHANGE, seed=5))
    assert other in jobchurn("models", "promote", other).err
    assert store.models.champion() == other
    assert champion in jobchurn("models", "rollback").err
    assert store.models.champion() == champion


def test_a_version_that_is_not_there_is_told(jobchurn, champion):
    done = jobchurn("models", "promote", "lgbm-000000000000", code=2)
    assert "lgbm-000000000000" in done.err
    assert "Cure: " in done.err


def test_a_rollback_without_a_predecessor_is_told(jobchurn, champion):
    assert "Cure: " in jobchurn("models", "rollback", code=2).err


def test_a_named_file_is_ingested_and_told_in_one_line(jobchurn, tmp_path):
    rows = rows_of(10)
    rows[4]["training_hours"] = "-5"
    done = jobchurn("ingest", write_rows(tmp_path / "mine.csv", rows))
    told = "mine.csv: 9 good and 1 bad of 10 rows, criticality medium.\n"
    assert done == (0, "", told)


def test_a_name_of_several_lines_is_told_in_one(jobchurn, tmp_path):
    done = jobchurn("ingest", write_rows(tmp_path / "a\nb.csv", rows_of(3)))
    assert done.err == "a\\u000ab.csv: 3 good and 0 bad of 3 rows, criticality none.\n"


def test_a_pipe_or_a_folder_is_not_said_to_be_absent(jobchurn, champion, tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", tmp_path):
        assert "is no regular file" in jobchurn("predict", path, code=4).err


def test_several_named_files_are_ingested_in_turn(jobchurn, tmp_path, store):
    paths = [write_rows(tmp_path / f"{n}.csv", rows_of(3, seed=n)) for n in range(3)]
    jobchurn("ingest", *paths)
    assert [run.file for run in store.runs.finished()] == ["2.csv", "1.csv", "0.csv"]


def test_without_a_name_one_waiting_file_is_ingested(jobchurn, home):
    for n in range(3):
        write_rows(home / "data" / "raw_data" / f"{n}.csv", rows_of(3, seed=n))
    jobchurn("ingest")
    assert len(waiting(home)) == 2


def test_all_waiting_files_are_ingested(jobchurn, home, store):
    for n in range(3):
        write_rows(home / "data" / "raw_data" / f"{n}.csv", rows_of(3, seed=n))
    assert jobchurn("ingest", "--all").err.endswith("3 files ingested.\n")
    assert waiting(home) == []
    assert {run.trigger for run in store.runs.finished()} == {"cli"}
    assert jobchurn("ingest", "--all").err == "No raw file is waiting.\n"
    assert jobchurn("ingest").err == "No raw file is waiting.\n"


def test_a_verdict_however_bad_is_no_failure_of_the_command(jobchurn, tmp_path):
    path = tmp_path / "binary.csv"
    path.write_bytes(b"\x1f\x8b\x08\x00 not a table")
    assert "criticality high" in jobchurn("ingest", path).err


def test_content_that_came_before_is_told(jobchurn, tmp_path, store):
    for name in ("a.csv", "b.csv"):
        done = jobchurn("ingest", write_rows(tmp_path / name, rows_of(3)))
    first = store.runs.finished()[-1]
    assert done.err == f"b.csv: the content of run {first.run_id} again; nothing routed.\n"


def test_files_and_all_exclude_each_other(jobchurn, tmp_path):
    done = jobchurn("ingest", tmp_path / "a.csv", "--all", code=2)
    assert "exclude each other" in done.err


@pytest.mark.parametrize("words", [("ingest",), ("predict",), ("train",)], ids=str)
def test_a_file_that_is_not_there_is_named(jobchurn, champion, words):
    done = jobchurn(*words, "/nowhere/a.csv", code=2)
    assert "There is no file /nowhere/a.csv" in done.err
    assert "Cure: " in done.err


def test_a_file_is_predicted_row_by_row_in_its_order(jobchurn, champion, tmp_path, store):
    rows = rows_of(12)
    rows[3]["training_hours"] = "-5"
    out = tmp_path / "out.csv"
    done = jobchurn("predict", write_rows(tmp_path / "mine.csv", rows), "-o", out)
    assert done.out == ""
    assert "row 4: " in done.err
    assert done.err.endswith("11 rows predicted, 1 refused.\n")
    answered = read_rows(out.read_text())
    assert [row["enrollee_id"] for row in answered] == [row["enrollee_id"] for row in rows]
    assert [bool(row["refused_because"]) for row in answered] == [n == 3 for n in range(12)]
    assert {row["model_version"] for row in answered} == {champion, ""}
    assert store.predictions.count(source="webapp") == 11


def test_a_prediction_without_a_place_goes_to_stdout_alone(jobchurn, champion, tmp_path):
    done = jobchurn("predict", write_rows(tmp_path / "mine.csv", rows_of(5)))
    assert len(read_rows(done.out)) == 5
    assert done.err == "5 rows predicted, 0 refused.\n"


def test_new_good_files_are_predicted_once(jobchurn, champion, tmp_path, store):
    rows = rows_of(6)
    rows[2]["training_hours"] = "many"
    jobchurn("ingest", write_rows(tmp_path / "mine.csv", rows))
    assert jobchurn("predict", "--new").err == "mine.csv: 5 rows predicted.\n"
    assert jobchurn("predict", "--new").err == "No good file is new.\n"
    assert store.predictions.count(source="scheduled") == 5


def test_predict_takes_a_file_or_new_and_not_both_or_none(jobchurn, tmp_path):
    for words in ((), (tmp_path / "a.csv", "--new")):
        assert "either a file or --new" in jobchurn("predict", *words, code=2).err


def test_a_prediction_without_a_model_names_the_command_that_makes_one(jobchurn, tmp_path):
    out = tmp_path / "out.csv"
    done = jobchurn("predict", write_rows(tmp_path / "a.csv", rows_of(2)), "-o", out, code=3)
    assert "jobchurn train" in done.err
    assert not out.exists()


def test_a_file_that_cannot_be_predicted_spares_what_the_answer_would_replace(
    jobchurn, champion, tmp_path
):
    out = tmp_path / "out.csv"
    out.write_text("precious")
    (tmp_path / "bad.csv").write_bytes(b"\x1f\x8b\x08\x00 not a table")
    jobchurn("predict", tmp_path / "bad.csv", "-o", out, code=4)
    assert out.read_text() == "precious"


def test_an_answer_may_replace_the_file_that_is_predicted(jobchurn, champion, tmp_path):
    mine = write_rows(tmp_path / "mine.csv", rows_of(4))
    (tmp_path / "link.csv").symlink_to(mine)
    jobchurn("predict", mine, "-o", tmp_path / "link.csv")
    assert [row["refused_because"] for row in read_rows(mine.read_text())] == [""] * 4
    assert (tmp_path / "link.csv").is_symlink()


@pytest.mark.parametrize("place", ["absent/out.csv", "."])
def test_an_answer_that_cannot_be_written_is_told_before_anything_is_predicted(
    jobchurn, champion, tmp_path, store, place
):
    mine = write_rows(tmp_path / "mine.csv", rows_of(2))
    done = jobchurn("predict", mine, "-o", tmp_path / place, code=2)
    assert str(tmp_path / place) in done.err
    assert "Cure: " in done.err
    assert store.predictions.count() == 0


def test_an_answer_to_the_device_of_stdout_is_written_there(home, champion, tmp_path):
    write_rows(tmp_path / "mine.csv", rows_of(3))
    done = subprocess.run(
        [sys.executable, "-m", "jobchurn.cli", "predict", "mine.csv", "-o", "/dev/stdout"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 4), done.stderr


def test_an_answer_to_a_pipe_is_written_into_it(jobchurn, champion, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True) as reader:
        jobchurn("predict", write_rows(tmp_path / "mine.csv", rows_of(3)), "-o", pipe)
        assert len(read_rows(reader.communicate(timeout=60)[0])) == 3
    assert pipe.is_fifo()


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


def test_a_place_where_no_file_can_lie_is_told(jobchurn, tmp_path):
    (tmp_path / "file").touch()
    done = jobchurn("data", "synth", "--rows", 1, "-o", tmp_path / "file" / "x.csv", code=4)
    assert str(tmp_path / "file") in done.err
    assert "Cure: " in done.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_somebody_else_is_named_where_a_file_should_come_to_it(jobchurn, home):
    jobchurn("runs")
    good = home / "data" / "good_data"
    write_rows(home / "data" / "raw_data" / "a.csv", rows_of(3))
    good.chmod(0o500)
    done = jobchurn("ingest", code=4)
    assert f"{good / 'a.csv'}: Permission denied" in done.err
    good.chmod(0o700)
    assert "3 good" in jobchurn("ingest").err


def test_a_folder_is_no_place_for_a_file(jobchurn, tmp_path):
    assert "directory" in jobchurn("data", "synth", "-o", tmp_path, code=2).err
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize("words", [("status",), ("up", "--only=api"), ("runs",)], ids=str)
def test_a_database_whose_address_is_none_is_told(jobchurn, monkeypatch, words):
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    assert "DATABASE_URL" in jobchurn(*words, code=2).err


@pytest.mark.parametrize("words", [("runs", "--json"), ("runs",), ("predict", "mine.csv")], ids=str)
def test_nothing_is_said_to_a_reader_that_has_left(home, champion, tmp_path, words):
    write_rows(tmp_path / "mine.csv", rows_of(3))
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "jobchurn.cli", *words],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def script(*arguments, name="split_dataset"):
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_data_set_is_split_by_the_script_that_the_original_has(tmp_path):
    source = write_rows(tmp_path / "all.csv", rows_of(200))
    arguments = ["--csv", source, "--out", tmp_path / "raw", "--n_files", "8", "--seed", "3"]
    done = script(*arguments)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert {fault["fault"] for raw in manifest["files"] for fault in raw["faults"]} == set(
        range(1, 9)
    )
    lines = [
        line
        for path in (tmp_path / "raw").glob("*.csv")
        for line in path.read_text().splitlines()[1:]
    ]
    assert len(lines) == manifest["rows"] == 200


def test_the_splitting_script_tells_mistakes_with_their_cure(tmp_path):
    done = script("--csv", "/nowhere.csv", "--out", tmp_path / "raw", "--n_files", 2)
    assert done.returncode == 4
    assert "/nowhere.csv" in done.stderr
    assert "Cure: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_training_script_takes_the_commands_words(home):
    done = script("/nowhere.csv", name="train")
    assert done.returncode == 2
    assert "There is no file /nowhere.csv" in done.stderr
