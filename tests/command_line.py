"""The command line as a person uses it: a home, words, and what comes of them."""

import csv
import io
import os
import subprocess
import sys
from collections import namedtuple

from jobchurn.cli import main
from jobchurn.contract import JOB_CHANGE
from small_model import random_records

NAMES = [column.name for column in JOB_CHANGE.columns]

Done = namedtuple("Done", "code out err")


def named_home(folder, database, monkeypatch):
    """Let the environment name ``folder`` as the home, and its database; gives the folder."""
    for name, value in {
        "JOBCHURN_HOME": str(folder),
        "DATABASE_URL": database,
        "SETTLE_SECONDS": "0",
        "START_FILES": "8",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("JOBCHURN_CSV", raising=False)
    return folder


def command_line(monkeypatch, capfd):
    """What runs the command line in this process, from words to exit code, stdout and stderr."""

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
