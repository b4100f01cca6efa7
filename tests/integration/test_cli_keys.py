"""Keys at the command line: printed once, listed without their secrets, revoked by name or id."""

import json
from datetime import timedelta

import pytest

from jobchurn.access import Key, Scope, is_genuine
from jobchurn.cli import main


@pytest.fixture
def jobchurn(tmp_path, database, monkeypatch, capfd):
    """Runs the command line, and gives exit code, stdout and stderr."""
    monkeypatch.setenv("JOBCHURN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", database)

    def run(*words):
        monkeypatch.setattr("sys.argv", ["jobchurn", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capfd.readouterr()
        return ended.value.code or 0, told.out, told.err

    return run


def test_a_key_stands_alone_on_stdout_and_is_what_the_database_knows(jobchurn, store):
    code, out, err = jobchurn("keys", "create", "nightly", "--scope", "predict", "--scope", "read")
    assert code == 0
    key = Key.parse(out.removesuffix("\n"))
    (known,) = store.api_keys.alive()
    assert is_genuine(key, known)
    assert known.scopes == {Scope.PREDICT, Scope.READ}
    assert key.secret not in err
    assert key.id in err


def test_a_key_may_expire_and_have_a_rate_of_its_own(jobchurn, store):
    jobchurn("keys", "create", "audit", "--scope", "read", "--days", "30", "--rate", "10")
    (known,) = store.api_keys.alive()
    lasts = known.expires_at - known.created_at
    assert lasts == pytest.approx(timedelta(days=30), abs=timedelta(minutes=1))
    assert known.requests_per_minute == 10


@pytest.mark.parametrize(
    "words",
    [
        ("nightly",),
        ("nightly", "--scope", "everything"),
        ("two words", "--scope", "read"),
        ("", "--scope", "read"),
        ("\x1b[31m", "--scope", "read"),
        ("-x", "--scope", "read"),
        ("nightly", "--scope", "read", "--days", "0"),
        ("nightly", "--scope", "read", "--rate", "0"),
        ("nightly", "--scope", "read", "--rate", "600001"),
    ],
)
def test_a_key_that_cannot_be_made_is_refused_with_words(jobchurn, store, words):
    code, out, err = jobchurn("keys", "create", *words)
    assert (code, out) == (2, "")
    assert err
    assert "Traceback" not in err
    assert store.api_keys.list() == []


def test_a_name_that_is_taken_is_told_with_its_cure(jobchurn):
    jobchurn("keys", "create", "nightly", "--scope", "read")
    code, out, err = jobchurn("keys", "create", "nightly", "--scope", "read")
    assert (code, out) == (2, "")
    assert "jobchurn keys revoke nightly" in err


def test_the_list_tells_everything_but_the_secret(jobchurn):
    key = Key.parse(jobchurn("keys", "create", "nightly", "--scope", "read")[1].strip())
    table = jobchurn("keys", "list")[1]
    (listed,) = json.loads(jobchurn("keys", "list", "--json")[1])
    assert key.id in table
    assert "nightly" in table
    assert (listed["id"], listed["name"], listed["scopes"]) == (key.id, "nightly", ["read"])
    assert listed["revoked_at"] is None
    for text in (table, json.dumps(listed)):
        assert key.secret not in text
        assert key.digest.hex() not in text


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_revoked_key_leaves_the_list_but_not_the_history(jobchurn, store, by):
    key = Key.parse(jobchurn("keys", "create", "nightly", "--scope", "read")[1].strip())
    code, _, err = jobchurn("keys", "revoke", "nightly" if by == "name" else key.id)
    assert code == 0
    assert key.id in err
    assert store.api_keys.alive() == []
    assert json.loads(jobchurn("keys", "list", "--json")[1]) == []
    (listed,) = json.loads(jobchurn("keys", "list", "--all", "--json")[1])
    assert listed["revoked_at"] is not None


def test_a_key_that_is_not_there_is_told(jobchurn):
    code, _, err = jobchurn("keys", "revoke", "nobody")
    assert code == 2
    assert "jobchurn keys list" in err
