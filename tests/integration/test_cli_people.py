"""``jobchurn forget`` and ``tidy`` as a person types them."""

import json
import os
import subprocess
import sys

import pytest

from api_house import open_house
from store_work import batch_of, record_of

PERSON = 987654321012345


@pytest.fixture
def house(store, tmp_path):
    return open_house(store, tmp_path / "home", champion=False)


@pytest.fixture
def command(house, database):
    def run(*arguments, stdin=None, **environment):
        return subprocess.run(
            [sys.executable, "-m", "jobchurn.cli", *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
            env=os.environ
            | {"DATABASE_URL": database, "JOBCHURN_HOME": str(house.folders.root)}
            | environment,
        )

    house.store.predictions.write(batch_of([record_of(enrollee_id=PERSON), record_of()]))
    (house.folders.data / "training.csv").write_text(
        f"enrollee_id,city,city_development_index,relevent_experience,training_hours\n{PERSON},a,,,\n"
    )
    return run


def test_nothing_is_removed_unasked_where_nobody_can_be_asked(command, house):
    answer = command("forget", str(PERSON))
    assert answer.returncode == 2
    assert "--yes" in answer.stderr
    assert house.store.predictions.count() == 2


def test_a_dry_run_shows_what_there_is(command, house):
    answer = command("forget", str(PERSON), "--dry-run", "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == {
        "dry_run": True,
        "predictions": 1,
        "requests": 0,
        "files": [{"file": "data/training.csv", "rows": 1, "run_id": None}],
        "left": [],
    }
    assert house.store.predictions.count() == 2


def test_a_person_is_removed_and_their_id_need_not_be_an_argument(command, house):
    answer = command("forget", "-", "--yes", stdin=f"{PERSON}\n")
    assert answer.returncode == 0, answer.stderr
    assert "training.csv" in answer.stdout
    assert str(PERSON) not in answer.stdout + answer.stderr
    assert house.store.predictions.count() == 1


def test_what_is_left_is_said_and_tells_by_the_exit_code(command, house):
    (house.folders.raw_data / ".hidden").write_text(f"{PERSON}")
    answer = command("forget", str(PERSON), "--yes")
    assert answer.returncode == 1
    assert ".hidden" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_blank_id_is_refused(command):
    answer = command("forget", " ", "--yes")
    assert (answer.returncode, "blank" in answer.stderr) == (2, True)


def test_what_is_old_is_tidied_away(command):
    answer = command("tidy", "--json", PREDICTION_DAYS="5")
    assert answer.returncode == 0, answer.stderr
    done = json.loads(answer.stdout)
    assert done.keys() == {"entries", "predictions", "files", "keys", "partitions"}
    assert set(done.values()) == {0}
