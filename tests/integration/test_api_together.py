"""Requests that arrive together, at a served process: answers and rows as if each came alone."""

import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from api_house import RECORD, open_house
from api_process import Served
from jobchurn.access import Key, Scope
from jobchurn.contract import JOB_CHANGE
from small_model import random_records

CLIENTS = 16
EACH = 12
INPUTS = [column.name for column in JOB_CHANGE.inputs]


@pytest.fixture
def house(store, tmp_path):
    return open_house(store, tmp_path)


@pytest.fixture
def served(house, database, tmp_path):
    served = Served(database, tmp_path)
    yield served
    served.end()


def asked(served, jobs):
    """Send jobs (a body and a key, or none) from many clients at once: the answers, in order."""
    chunks = [jobs[n::CLIENTS] for n in range(CLIENTS)]

    def client(chunk):
        with httpx.Client(base_url=served.address, timeout=60) as http:
            return [
                http.post(
                    "/predict",
                    content=json.dumps(body),
                    headers={"Content-Type": "application/json"}
                    | ({"Idempotency-Key": key} if key else {}),
                )
                for body, key in chunk
            ]

    with ThreadPoolExecutor(CLIENTS) as pool:
        found = list(pool.map(client, chunks))
    return [found[n % CLIENTS][n // CLIENTS] for n in range(len(jobs))]


def stored(database):
    with psycopg.connect(database) as connection:
        return dict(connection.execute("SELECT id, probability FROM predictions").fetchall())


def test_answers_under_load_are_those_of_one_at_a_time_and_all_of_them_are_stored(
    served, house, database
):
    records = [
        {name: record[name] for name in INPUTS}
        for record in random_records(JOB_CHANGE, CLIENTS * EACH, seed=9)
    ]
    expected = [house.registry.champion().probabilities([record])[0] for record in records]
    jobs = [({"records": [record]}, f"k{n}" if n % 2 else None) for n, record in enumerate(records)]
    answers = asked(served, jobs)
    assert Counter(answer.status_code for answer in answers) == {200: len(records)}
    told = [answer.json() for answer in answers]
    assert [t["predictions"][0]["probability"] for t in told] == expected
    assert [t["features"] for t in told] == [[record] for record in records]
    kept = stored(database)
    ids = [t["predictions"][0]["id"] for t in told]
    assert len(set(ids)) == len(kept) == len(records)
    assert [kept[number] for number in ids] == expected


def test_what_is_wrong_with_some_requests_is_theirs_alone_under_load(served, database):
    bodies = [
        {"records": [RECORD]},
        {"records": [RECORD | {"gender": "male"}]},
        {"records": [RECORD, {}], "partial": True},
        {"records": [RECORD] * 40},
        {"records": [RECORD], "source": "nobody"},
    ]
    answers = asked(served, [(bodies[n % 5], None) for n in range(CLIENTS * 5)])
    by_body = [Counter(answer.status_code for answer in answers[n::5]) for n in range(5)]
    assert by_body == [{200: 16}, {422: 16}, {200: 16}, {200: 16}, {422: 16}]
    told = sum(answer.json()["n"] for answer in answers if answer.status_code == 200)
    assert told == len(stored(database)) == 16 * (1 + 1 + 40)


def test_keys_that_are_sent_twice_at_once_are_stored_once(served, database):
    jobs = [
        ({"records": [RECORD | {"training_hours": 1 + n % 20}]}, f"k{n % 20}") for n in range(80)
    ]
    answers = asked(served, jobs)
    assert {answer.status_code for answer in answers} == {200}
    for key in range(20):
        assert len({answer.text for answer in answers[key::20]}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 60
    assert len(stored(database)) == 20


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8"])
def test_the_straight_way_and_the_frameworks_answer_alike(served, kind):
    """The second type is not the plain one, so that its request takes the framework's way."""
    answer = httpx.post(
        f"{served.address}/predict",
        content=json.dumps({"records": [RECORD]}),
        headers={"Content-Type": kind},
    )
    assert answer.status_code == 200
    told = re.sub(rb'"id":\d+|"created_at":"[^"]+"', b"", answer.content)
    assert told == ANSWERS.setdefault("first", told)
    names = list(answer.headers)
    assert sorted(names) == sorted(
        [
            *("date", "content-length", "content-type", "cache-control"),
            *("content-security-policy", "cross-origin-resource-policy", "referrer-policy"),
            *("x-content-type-options", "x-frame-options", "x-request-id"),
        ]
    )


ANSWERS = {}


@pytest.fixture
def guarded(house, store, database, tmp_path, monkeypatch):
    """A served process that asks for keys, and keys: to predict, for the job, to read."""
    monkeypatch.setenv("API_KEYS", "always")
    keys = {}
    for scope in (Scope.PREDICT, Scope.SCHEDULED, Scope.READ):
        keys[scope] = Key.make()
        store.api_keys.add(keys[scope], f"k-{scope}", [scope])
    served = Served(database, tmp_path)
    yield served, keys
    served.end()


def test_the_straight_way_lets_in_whom_the_gate_and_the_endpoint_let_in(guarded, database):
    served, keys = guarded

    def status(scope, **more):
        headers = {"Authorization": f"Bearer {keys[scope].text}"} if scope else {}
        body = {"records": [RECORD]} | more
        return httpx.post(f"{served.address}/predict", json=body, headers=headers).status_code

    assert status(None) == 401
    assert status(Scope.READ) == 403
    assert status(Scope.PREDICT) == 200
    assert status(Scope.PREDICT, source="scheduled") == 403
    assert status(Scope.SCHEDULED) == 403
    assert status(Scope.SCHEDULED, source="scheduled") == 200
    assert len(stored(database)) == 2


def test_each_key_has_its_own_names_on_the_straight_way_too(guarded, store, database):
    served, keys = guarded
    other = Key.make()
    store.api_keys.add(other, "other", [Scope.PREDICT])

    def send(key, hours):
        return httpx.post(
            f"{served.address}/predict",
            json={"records": [RECORD | {"training_hours": hours}]},
            headers={"Authorization": f"Bearer {key.text}", "Idempotency-Key": "one"},
        )

    first = send(keys[Scope.PREDICT], 1)
    assert first.status_code == 200
    second = send(other, 2)
    while second.status_code == 401:  # a new key counts within a second
        second = send(other, 2)
    assert second.status_code == 200
    assert send(keys[Scope.PREDICT], 1).json() == first.json()
    assert len(stored(database)) == 2
