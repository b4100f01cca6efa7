"""``jobchurn watch`` and ``jobchurn lab`` as a person uses them."""

import json
import os
import signal
import subprocess
import sys
from collections import namedtuple
from datetime import timedelta

import psycopg
import pytest

from jobchurn.cli import main
from jobchurn.contract import JOB_CHANGE
from jobchurn.flow.predict import predict
from jobchurn.panels import rules_of
from small_model import small_model
from watched_house import WINDOW, fresh, watched_house

RULES = [rule.name for rule in rules_of(JOB_CHANGE)]

Done = namedtuple("Done", "code out err")


@pytest.fixture
def house(store, tmp_path, database, monkeypatch):
    """A watched house, named by the environment."""
    home = tmp_path / "home"
    for name, value in {
        "JOBCHURN_HOME": str(home),
        "DATABASE_URL": database,
        "DRIFT_WINDOW_ROWS": str(WINDOW),
        "TEAMS_WEBHOOK": "",
        "ALERT_URLS": "",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("JOBCHURN_CSV", raising=False)
    return watched_house(store, home)


@pytest.fixture
def jobchurn(house, monkeypatch, capfd):
    """Runs the command line in this process, from words to exit code, stdout and stderr."""

    def run(*words, code=0):
        monkeypatch.setattr(sys, "argv", ["jobchurn", *words])
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


def predicted_long_ago(house, database, rows, model=None):
    """Predictions of one row again and again, which all get one answer."""
    records = [fresh(1, seed=5)[0] | {house.contract.outcome.name: None}] * rows
    predict(house, model or house.registry.champion(), records, source="scheduled")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE predictions SET created_at = created_at - interval '9 seconds'")


def test_a_round_shows_windows_and_every_rule_and_ends_well_whatever_fires(
    jobchurn, house, database
):
    predicted_long_ago(house, database, 2 * WINDOW)
    shown = jobchurn("watch").out
    assert shown.count("window of 100 scheduled predictions") == 2
    assert ": warning: " in shown
    assert ": page: " in shown
    for rule in RULES:
        assert rule in shown
    assert shown.count("firing") == 2  # drift, and one answer for all


def test_a_round_as_json_is_one_object_and_nothing_else(jobchurn, house, database):
    predicted_long_ago(house, database, WINDOW)
    round_ = json.loads(jobchurn("watch", "--json").out)
    assert round_.keys() == {"windows", "unjudged", "rules", "deliveries"}
    [window] = round_["windows"]
    assert (window["rows"], window["decision"], window["source"]) == (WINDOW, "warn", "scheduled")
    assert {one["decision"] for one in window["features"]} == {"warn"}
    assert [rule["rule"] for rule in round_["rules"]] == RULES
    assert {rule["state"] for rule in round_["rules"]} == {"ok", "firing"}
    [fired] = [rule for rule in round_["rules"] if rule["state"] == "firing"]
    assert (fired["rule"], fired["value"], fired["error"]) == ("one-class", 1.0, None)


def test_what_cannot_be_compared_is_said_beside_the_result(jobchurn, house, database):
    silent = small_model(house.contract)
    house.registry.add(silent)
    predicted_long_ago(house, database, WINDOW, silent)
    done = jobchurn("watch", "--json")
    [unjudged] = json.loads(done.out)["unjudged"]
    assert unjudged["model_version"] == silent.version
    assert silent.version in jobchurn("watch").err


def test_a_rule_that_cannot_be_evaluated_is_named_and_ends_with_one(jobchurn, database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE request_log RENAME COLUMN weight TO heaviness")
    done = jobchurn("watch", code=1)
    assert "errors could not be evaluated" in done.err
    assert "bad-rows" in done.out
    broken = [r for r in json.loads(jobchurn("watch", "--json", code=1).out)["rules"] if r["error"]]
    assert {"errors", "slow-answers"} >= {rule["rule"] for rule in broken}
    assert all(rule["value"] is None for rule in broken)


HEARING = """
import signal
from jobchurn.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""
"""The command line; a program in the background of a script is born deaf to interrupts."""


def test_watching_goes_on_until_it_is_interrupted(house):
    process = subprocess.Popen(
        [sys.executable, "-c", HEARING, "watch", "--every", "1", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    rounds = [json.loads(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert said == "Stopped.\n"
    assert all(len(one["rules"]) == len(RULES) for one in rounds)


def test_the_lab_says_what_it_does_and_ends_well_where_the_alarm_came(jobchurn, house, monkeypatch):
    monkeypatch.setattr("jobchurn.flow.lab.stream.time.sleep", lambda _: None)
    monkeypatch.setattr("jobchurn.store.drift._RIPE", timedelta(0))
    done = jobchurn("lab", "drift", "--feature", "training_hours", "--strength", "1")
    assert done.out == "The shift was found, the alarm raised, and all is clear again.\n"
    assert "kept among the predictions" in done.err
    assert "rule drift: firing" in done.err


def test_the_lab_ends_with_one_where_no_alarm_came(jobchurn):
    done = jobchurn("lab", "drift", "--feature", "gender", "--minutes", "0.1", code=1)
    assert done.out == "Not all was seen within 0.1 minutes.\n"


def test_a_feature_that_is_none_is_answered_with_its_cure(jobchurn):
    done = jobchurn("lab", "drift", "--feature", "companysize", code=2)
    assert "Did you mean company_size?" in done.err
