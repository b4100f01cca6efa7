"""From a data set to a model in charge at the command line: made, split, learnt from, promoted."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from api_house import open_house
from command_line import command_line, named_home, read_rows, rows_of, waiting, write_rows
from jobchurn.contract import JOB_CHANGE
from small_model import small_model

ROOT = Path(__file__).parents[2]


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


def test_a_place_where_no_file_can_lie_is_told(jobchurn, tmp_path):
    (tmp_path / "file").touch()
    done = jobchurn("data", "synth", "--rows", 1, "-o", tmp_path / "file" / "x.csv", code=4)
    assert str(tmp_path / "file") in done.err
    assert "Cure: " in done.err


def test_a_folder_is_no_place_for_a_file(jobchurn, tmp_path):
    assert "directory" in jobchurn("data", "synth", "-o", tmp_path, code=2).err
    assert list(tmp_path.iterdir()) == []


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
