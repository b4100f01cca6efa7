"""Whatever a person gives the command line, it answers with a sentence and a cure, no traceback."""

import csv
import os
import sys
from collections import namedtuple

import pytest

from api_house import open_house
from jobchurn import synth
from jobchurn.cli import main
from jobchurn.contract import JOB_CHANGE
from small_model import random_records

NAMES = [column.name for column in JOB_CHANGE.columns]

COMMANDS = """
    status --json
    logs
    logs nosuch
    env
    doctor --json
    data synth --rows 20
    data split --n-files 3
    train
    models list
    models promote nosuch
    models rollback
    ingest
    ingest --all
    predict --new
    runs
    watch
    trace some.csv:1
    forget 1 --dry-run
    tidy
    keys list
    db migrate
    db roles
    db roles --sql
    lab quiet --hours 0.1
    lab drift --feature nosuch
"""
"""Commands that look at or write to the home, and do no harm beyond it."""

NUMBERS = """
    runs --limit
    data synth --rows 5 --seed
    data synth --seed 1 --rows
    data split --n-files
    data split --n-files 2 --error-rate
    data split --n-files 2 --seed
    train --seed
    logs --lines
    lab quiet --hours
    keys create key --scope read --days
    keys create key --scope read --rate
"""
"""Commands that a number is added to."""

ENVIRONMENTS = {
    "a home below /proc": {"JOBCHURN_HOME": "/proc/x"},
    "a home that is a file": {"JOBCHURN_HOME": "{folder}/file"},
    "a home below a file": {"JOBCHURN_HOME": "{folder}/file/home"},
    "a home that is a device": {"JOBCHURN_HOME": "/dev/null"},
    "a home that is a loop of links": {"JOBCHURN_HOME": "{folder}/loop"},
    "a home of too long a name": {"JOBCHURN_HOME": "{folder}/" + "x" * 300},
    "a home of nobody's": {"JOBCHURN_HOME": "~nobody-of-this-name/x"},
    "a home that is no text": {"JOBCHURN_HOME": "{folder}/\udcff"},
    "a database address that is none": {"DATABASE_URL": "foo"},
    "a database address with no port": {"DATABASE_URL": "postgresql://127.0.0.1:port/x"},
    "a database that nobody serves": {"DATABASE_URL": "postgresql://a:b@127.0.0.1:1/x"},
    "another kind of database": {"DATABASE_URL": "sqlite:///x"},
    "no PostgreSQL where it is named": {"DATABASE_URL": "", "POSTGRES_BIN": "{folder}"},
    "a webhook that is none": {"TEAMS_WEBHOOK": "foo"},
    "channels that are none": {"ALERT_URLS": "foo"},
    "an address that is none": {"API_URL": "foo"},
    "a data set that is not there": {"JOBCHURN_CSV": "{folder}/nosuch.csv"},
    "a data set that is a folder": {"JOBCHURN_CSV": "{folder}"},
    "a number that is none": {"API_PORT": "x"},
}

Done = namedtuple("Done", "code out err")


@pytest.fixture
def jobchurn(tmp_path, database, monkeypatch, capfd):
    """Runs the command line in this process; whatever comes, it is no traceback."""
    monkeypatch.setenv("JOBCHURN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("SETTLE_SECONDS", "0")
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["jobchurn", *words])
        capfd.readouterr()
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        else:
            code = 0
        done = Done(code, *capfd.readouterr())
        assert "Traceback" not in done.out + done.err
        assert code == 0 or done.err or done.out, f"{words} ends with {code}, and says nothing"
        return done

    return run


@pytest.fixture
def folder(tmp_path):
    """A folder of files of every kind that a machine has."""
    place = tmp_path / "files"
    place.mkdir()
    rows = [
        {column.name: column.write(record[column.name]) for column in JOB_CHANGE.columns}
        for record in random_records(JOB_CHANGE, 5, seed=1)
    ]
    with (place / "sound.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, NAMES)
        writer.writeheader()
        writer.writerows(rows)
    sound = (place / "sound.csv").read_bytes()
    (place / "file").write_text("x")
    (place / "empty.csv").write_bytes(b"")
    (place / "binary.csv").write_bytes(bytes(range(256)) * 20)
    (place / "utf-16.csv").write_bytes(sound.decode().encode("utf-16"))
    (place / "packed.csv.gz").write_bytes(b"\x1f\x8b")
    (place / "folder.csv").mkdir()
    (place / "link.csv").symlink_to(place / "sound.csv")
    (place / "dangling.csv").symlink_to(place / "nosuch")
    (place / "loop").symlink_to(place / "loop")
    os.mkfifo(place / "pipe.csv")
    (place / "a\nline \x1b[31m.csv").write_bytes(sound + b"\n")
    (place / "n\udcff.csv").write_bytes(sound + b"\n\n")
    return place


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_wrong_environment_gives_no_traceback(name, jobchurn, folder, monkeypatch):
    for variable, text in ENVIRONMENTS[name].items():
        monkeypatch.setenv(variable, text.format(folder=folder))
    done = [jobchurn(*line.split()) for line in COMMANDS.strip().splitlines()]
    assert any(one.code and "Cure:" in one.err for one in done)


@pytest.mark.parametrize("words", ["predict", "ingest", "train --no-promote", "trace"])
def test_a_file_of_any_kind_gives_no_traceback(words, jobchurn, folder, store, tmp_path):
    open_house(store, tmp_path / "home")
    (folder / "socket.csv").touch()
    strange = ["/dev/null", "/dev/zero", "/dev/full", "/proc/self/mem", "/", ".", "", "~", "-"]
    strange += ["x" * 5_000, "\udcff", str(folder / "sound.csv" / "x"), str(folder / "loop" / "x")]
    for name in [*sorted(map(str, folder.iterdir())), *strange]:
        jobchurn(*words.split(), f"{name}:1" if words == "trace" else name)


@pytest.mark.parametrize("words", ["predict {sound} -o", "data synth --rows 5 -o"])
def test_an_answer_can_be_sent_to_a_place_of_any_kind(words, jobchurn, folder, store, tmp_path):
    open_house(store, tmp_path / "home")
    words = words.format(sound=folder / "sound.csv").split()
    places = ["/dev/full", "/dev/null", "/proc/x", "/", "", "x" * 300, "\udcff/x"]
    places += [str(folder / name) for name in ("folder.csv", "loop", "file/x", "nosuch/x")]
    for place in places:
        jobchurn(*words, place)


def test_numbers_beyond_all_bounds_give_no_traceback(jobchurn, tmp_path, monkeypatch):
    # Some are seeds: what is made with them need not be large.
    synth.write_csv(tmp_path / "small.csv", rows=600, seed=1)
    monkeypatch.setenv("JOBCHURN_CSV", str(tmp_path / "small.csv"))
    for number in ("-1", "0", "9" * 30, "nan", "1e400", "x", ""):
        for words in NUMBERS.strip().splitlines():
            jobchurn(*words.split(), number)
        jobchurn("forget", number, "--dry-run")
        jobchurn("trace", number)


def test_a_place_whose_name_is_no_text_is_told_as_it_is(jobchurn, tmp_path):
    done = jobchurn("data", "synth", "--rows", "5", "-o", "\udcff.csv")
    assert done.code == 0
    assert (tmp_path / "\udcff.csv").exists()


def test_a_traceback_would_be_noticed(jobchurn, monkeypatch):
    def breaks(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("jobchurn.settings.read_settings", breaks)
    with pytest.raises(ZeroDivisionError):
        jobchurn("env")
