"""Strange requests get answers that name the problem and its cure, and never one from 500 on."""

from collections import Counter

import pytest
from jsonschema import Draft202012Validator

from api_house import RECORD, open_house, serving
from faults.strange import strange_requests
from jobchurn.api.routes import predictions

PROBLEM = "application/problem+json"
UNROUTED = {404, 405}
"""What any address may be answered that no endpoint has, which no endpoint describes."""

LINEAGE = {"run": "20261124T073000-3f9a2c", "file": "some.csv", "first_row": 1}
SOUND = {
    "/predict": [
        {"records": [RECORD], "source": "webapp", "partial": False, "lineage": LINEAGE},
        {"records": [RECORD | {"enrollee_id": 1, "target": 0}], "partial": True},
    ],
    "/explain": [{"records": [RECORD]}, {"records": [RECORD], "partial": True}],
    "/links": [{"path": "/past-predictions?format=csv", "minutes": 5}],
}
"""Sound bodies for each path that takes one."""


class Judge:
    """Holds answers to the document."""

    def __init__(self, document) -> None:
        self._document = document
        whole = {"$ref": "#/components/schemas/Problem", "components": document["components"]}
        self._problem = Draft202012Validator(whole)

    def faults_of(self, asked, answer):
        """What is wrong with an answer."""
        described = self._described(asked)
        if answer.status_code >= 500:
            yield f"answered {answer.status_code}: {answer.text[:300]}"
        elif answer.status_code < 400:
            if asked.is_refused:
                yield f"answered {answer.status_code}, and not refused"
        elif answer.headers["content-type"] != PROBLEM:
            yield f"a problem of type {answer.headers['content-type']!r}"
        elif answer.status_code not in UNROUTED and str(answer.status_code) not in described:
            yield f"{answer.status_code} is not described"
        elif asked.method != "HEAD":
            yield from self._faults_of_problem(answer.json())

    def _described(self, asked):
        method = "get" if asked.method == "HEAD" else asked.method.lower()  # as GET, by the RFC
        return self._document["paths"][asked.path].get(method, {}).get("responses", {})

    def _faults_of_problem(self, problem):
        yield from (error.message[:200] for error in self._problem.iter_errors(problem))
        if not (problem["detail"] and problem["cure"]):
            yield "a problem that names no problem or no cure"


@pytest.fixture
def house(store, tmp_path):
    return open_house(store, tmp_path)


def answers_to(client, sound=SOUND, only=None):
    """Send every strange request; what was wrong, and how often each status came.

    Args:
        client: of the API.
        sound: sound bodies for each path that takes one.
        only: the one path to send any to; by default all.
    """
    document = client.get("/openapi.json").json()
    if only:
        document["paths"] = {only: document["paths"][only]}
    assert set(sound) == {path for path, one in document["paths"].items() if "post" in one}
    judge = Judge(document)
    wrong, statuses = [], Counter()
    for asked in strange_requests(document, sound):
        answer = client.request(
            asked.method, asked.address, headers=list(asked.headers), content=asked.body
        )
        statuses[answer.status_code] += 1
        wrong += [
            f"{asked.method} {asked.address[:200]} {(asked.body or b'')[:200]}: {what}"
            for what in judge.faults_of(asked, answer)
        ]
    return wrong, statuses


def test_every_strange_request_is_answered_with_a_problem_and_its_cure(house, figures):
    with serving(house) as client:
        wrong, statuses = answers_to(client)
    figures(f"{statuses.total()} strange requests", statuses=dict(sorted(statuses.items())))
    assert wrong == []
    assert {200, 404, 405, 415, 422} <= set(statuses)


def test_planted_faults_are_noticed(house, monkeypatch):
    def breaks(*_, **__):
        raise RuntimeError("planted")

    monkeypatch.setattr(predictions, "answer_alone", breaks)
    monkeypatch.setattr("jobchurn.api.body.refuse_repeated_names", lambda *_: None)
    with serving(house) as client:
        wrong, _ = answers_to(client, {"/predict": [{"records": []}]}, only="/predict")
    assert any("answered 500" in what for what in wrong)
    assert any('"records": [], "records": []' in what for what in wrong)
