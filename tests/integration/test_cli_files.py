"""Files at the command line: ingested, and predicted into an answer."""

import os
import subprocess
import sys

import pytest

from api_house import open_house
from command_line import command_line, named_home, read_rows, rows_of, waiting, write_rows


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
