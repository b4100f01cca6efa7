"""Whoever has a key speaks for himself: no words of his keep a file from being scored, or pass
for what the scheduled job said of it."""

import pytest

from api_house import RECORD
from ingest_house import good_lines
from jobchurn.access import NAME_PATTERN, Key, Scope
from jobchurn.api_client import ApiPredictor
from jobchurn.errors import Forbidden
from jobchurn.flow import score
from locked_house import clients, key_for, sent
from scored_house import each_once, ingested, predicted, scored, scored_house, with_settings

LINEAGE = {"run": "20261124T073000-3f9a2c", "file": "a.csv", "first_row": 1}
OTHERS_WORDS = [
    {"source": "scheduled"},
    {"lineage": LINEAGE},
    {"source": "webapp", "lineage": LINEAGE},
    {"source": "scheduled", "lineage": LINEAGE},
]


@pytest.fixture
def house(store, tmp_path):
    return with_settings(scored_house(store, tmp_path / "home"), api_keys="always")


def through(client, key):
    """The scheduled job, with a key, over a test's client."""
    job = ApiPredictor("http://127.0.0.1", api_key=key.text)
    job._client = client
    client.headers.update(sent(key))
    return job


def posted(client, key, body, name=None):
    named = {"Idempotency-Key": name} if name else {}
    return client.post("/predict", json={"records": [RECORD]} | body, headers=sent(key) | named)


def as_the_job_asks(house, run):
    """What the scheduled job will send of a run's good file, and under which name."""
    [good] = [good for good in score.new_files(house) if good.run_id == run.run_id]
    asked = []

    def notes(records, *, key, run_id, file, first_row):
        asked.append(
            (key, records, {"run": run_id, "file": file, "first_row": first_row}),
        )
        raise Forbidden("not now", "wait")

    with pytest.raises(Forbidden):
        score.score_file(house, good, notes)
    return asked[0]


@pytest.mark.parametrize("said", ["other records", "the same records", "the same, as scheduled"])
def test_who_knows_a_file_s_content_cannot_use_up_the_name_under_which_it_is_scored(
    house, store, said
):
    run = ingested(house, "a.csv", good_lines(5))
    name, records, lineage = as_the_job_asks(house, run)
    stranger, job = key_for(store, Scope.PREDICT), key_for(store, Scope.SCHEDULED)
    bodies = {
        "other records": {},
        "the same records": {"records": list(records)},
        "the same, as scheduled": {
            "records": list(records),
            "source": "scheduled",
            "lineage": lineage | {"run": "nobody", "file": "other.csv"},
        },
    }
    with clients(house) as client:
        answer = posted(client(), stranger, bodies[said], name)
        assert answer.status_code == (403 if said.endswith("scheduled") else 200)
        assert scored(house, through(client(), job)) == [("a.csv", 5)]
    # Each row of the file is predicted once with where it comes from, whatever else was.
    assert each_once(run) <= predicted(house)
    assert max(count for (of, _), count in predicted(house).items() if of) == 1


@pytest.mark.parametrize("said", OTHERS_WORDS)
def test_a_key_to_predict_is_not_for_the_scheduled_job_s_words(house, store, said):
    stranger = key_for(store, Scope.PREDICT, Scope.READ, Scope.ADMIN)
    with clients(house) as client:
        answer = posted(client(), stranger, said)
        assert answer.status_code == 403
        assert "scope scheduled" in answer.json()["cure"]
    assert store.predictions.count() == 0


def test_the_scheduled_job_s_key_is_for_its_words_alone(house, store):
    job = key_for(store, Scope.SCHEDULED)
    with clients(house) as client:
        assert [posted(client(), job, said).status_code for said in OTHERS_WORDS] == [200] * 4
        refused = posted(client(), job, {})
        assert refused.status_code == 403
        assert "scope predict" in refused.json()["cure"]
        both = key_for(store, Scope.SCHEDULED, Scope.PREDICT)
    with clients(house) as client:
        assert [posted(client(), both, said).status_code for said in ({}, *OTHERS_WORDS)] == (
            [200] * 5
        )


def test_on_the_loopback_who_has_no_key_speaks_for_the_job_as_before(house, store):
    with clients(with_settings(house, api_keys="beyond-loopback")) as client:
        asked = client()
        asked.base_url = "http://127.0.0.1"
        for said in OTHERS_WORDS:
            answer = asked.post("/predict", json={"records": [RECORD]} | said)
            assert answer.status_code == 200
        # A key that is sent counts here too.
        assert posted(asked, key_for(store, Scope.PREDICT), OTHERS_WORDS[0]).status_code in (
            401,  # until the keys are looked up again
            403,
        )


def test_two_keys_have_each_their_own_names_for_requests(house, store):
    one, other = key_for(store, Scope.PREDICT), key_for(store, Scope.PREDICT)
    with clients(house) as client:
        first = posted(client(), one, {}, "name")
        again = posted(client(), one, {}, "name")
        others = posted(client(), other, {}, "name")
        differing = posted(client(), other, {"records": [RECORD, RECORD]}, "name")
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in others.headers
    assert others.json()["predictions"][0]["id"] != first.json()["predictions"][0]["id"]
    assert differing.status_code == 422
    assert store.predictions.count() == 2


def test_a_key_that_takes_another_s_place_finds_what_that_one_asked(house, store):
    former, latter = Key.make(), Key.make()
    for key in (former, latter):
        store.api_keys.replace(key, "service:webapp:1", {Scope.PREDICT})
        with clients(house) as client:
            answer = posted(client(), key, {}, "name")
            assert answer.status_code == 200
    assert answer.headers["idempotent-replayed"] == "true"


def test_what_was_begun_without_a_key_the_scheduled_job_finds_with_any(house, store):
    run = ingested(house, "a.csv", good_lines(5))
    [good] = score.new_files(house)
    chunk = with_settings(house, max_records=2)
    name, records, lineage = as_the_job_asks(chunk, run)
    score.here(house)(records, key=name, run_id=run.run_id, file="a.csv", first_row=1)
    for _ in range(2):
        key = key_for(store, Scope.SCHEDULED)
        with clients(chunk) as client:
            score.score_file(chunk, good, through(client(), key))
    assert predicted(house) == each_once(run)
    assert lineage == {"run": run.run_id, "file": "a.csv", "first_row": 1}


def test_no_name_of_a_key_reads_as_another_s_with_part_of_a_request_s_name(house, store):
    # A blank parts the two: the API takes none in a request's name, and keys have none in theirs.
    assert " " not in NAME_PATTERN
    key = key_for(store, Scope.PREDICT)
    with clients(house) as client:
        answer = posted(client(), key, {}, "a b")
    assert answer.status_code == 422
