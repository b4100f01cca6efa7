"""Any request gets an answer that the OpenAPI document describes, and never one from 500 on."""

import json
import os
from collections import Counter

import pytest
from jsonschema import Draft202012Validator

from api_house import open_house, serving
from faults.requests_of import Requests
from jobchurn.api.routes import predictions

REQUESTS = int(os.environ.get("TORTURE_REQUESTS", "12000"))
"""How many requests the long form sends."""

PROBLEM = "application/problem+json"
UNROUTED = {404, 405}
"""What any address may be answered that no endpoint has, which no endpoint describes."""


class Judge:
    """Holds answers to the document."""

    def __init__(self, document) -> None:
        self._document = document
        self._validators = {}

    def faults_of(self, asked, answer):
        """What is wrong with an answer."""
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if answer.status_code >= 500:
            yield f"answered {answer.status_code}: {answer.text[:300]}"
        elif answer.status_code >= 400:
            yield from self._faults_of_problem(asked, answer, kind)
        elif asked.method != "HEAD":
            yield from self._faults_of_content(asked, answer, kind)

    def _faults_of_problem(self, asked, answer, kind):
        if kind != PROBLEM:
            yield f"a problem of type {kind!r}"
        elif asked.method != "HEAD":
            problem = answer.json()
            if not (problem["detail"] and problem["cure"]):
                yield "a problem that names no problem or no cure"
            schema = {"$ref": "#/components/schemas/Problem"}
            yield from self._misfits("problem", schema, problem)
        method = "get" if asked.method == "HEAD" else asked.method.lower()  # as GET, by the RFC
        described = self._document["paths"][asked.path].get(method, {})
        if answer.status_code not in UNROUTED and (
            str(answer.status_code) not in described.get("responses", {})
        ):
            yield f"{answer.status_code} is not described"

    def _faults_of_content(self, asked, answer, kind):
        operation = self._document["paths"][asked.path].get(asked.method.lower(), {})
        content = operation.get("responses", {}).get(str(answer.status_code), {}).get("content", {})
        found = {name.partition(";")[0]: part for name, part in content.items()}
        if kind not in found:
            yield f"{answer.status_code} of type {kind!r} is not described"
        elif kind == "application/json":
            key = (asked.path, asked.method, answer.status_code)
            yield from self._misfits(key, found[kind]["schema"], answer.json())

    def _misfits(self, key, schema, instance):
        if key not in self._validators:
            whole = {**schema, "components": self._document["components"]}
            self._validators[key] = Draft202012Validator(whole)
        for error in self._validators[key].iter_errors(instance):
            yield f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"


def asked_of(client, seeds):
    """Send the requests of these seeds; what was wrong by seed, and how often each status came."""
    document = client.get("/openapi.json").json()
    requests, judge = Requests(document), Judge(document)
    wrong, statuses = {}, Counter()
    for seed in seeds:
        asked = requests.of(seed)
        answer = client.request(
            asked.method, asked.address, headers=list(asked.headers.items()), content=asked.body
        )
        statuses[answer.status_code] += 1
        if found := list(judge.faults_of(asked, answer)):
            wrong[seed] = [
                f"{asked.method} {asked.address[:200]} {(asked.body or b'')[:200]}",
                *found,
            ]
    return wrong, statuses


@pytest.fixture
def house(store, tmp_path):
    return open_house(store, tmp_path)


def test_some_hundred_requests_get_described_answers(house):
    with serving(house) as client:
        wrong, statuses = asked_of(client, range(600))
    assert wrong == {}
    assert {200, 404, 405, 415, 422} <= set(statuses)
    assert statuses[200] >= 0.3 * statuses.total()


@pytest.mark.torture
def test_thousands_of_requests_get_described_answers(house, figures):
    with serving(house) as client:
        wrong, statuses = asked_of(client, range(10_000, 10_000 + REQUESTS))
    figures(f"{REQUESTS} requests", wrong=len(wrong), statuses=dict(sorted(statuses.items())))
    assert wrong == {}
    assert statuses[200] >= 0.3 * statuses.total()


def test_a_planted_failure_and_a_planted_field_are_noticed(house, monkeypatch):
    real = predictions.predict

    def breaks(services, model, records, **options):
        if len(records) == 2:
            raise RuntimeError("planted")
        return real(services, model, records, **options)

    monkeypatch.setattr(predictions, "predict", breaks)
    with serving(house) as client:
        wrong, _ = asked_of(client, range(100))
    assert any("answered 500" in what for found in wrong.values() for what in found)

    answered = predictions.answered
    monkeypatch.setattr(predictions, "predict", real)
    monkeypatch.setattr(
        predictions, "answered", lambda content, headers: answered(content | {"n": -1}, headers)
    )
    with serving(house) as client:
        wrong, _ = asked_of(client, range(100))
    assert any("-1 is less than the minimum" in what for found in wrong.values() for what in found)


def test_the_same_seed_gives_the_same_request(house):
    with serving(house) as client:
        requests = Requests(json.loads(client.get("/openapi.json").text))
    assert [requests.of(seed) for seed in range(50)] == [requests.of(seed) for seed in range(50)]
