"""Requests made from the OpenAPI document get answers that it describes, none from 500 on."""

import os

import httpx
import pytest

from api_house import open_house
from faults.explorer import explore
from faults.servers import Api
from jobchurn.access import MOST_PER_MINUTE, Key, Scope
from jobchurn.flow.ingest import ingest_one

EXAMPLES = int(os.environ.get("TORTURE_EXAMPLES", "900"))
"""How many random requests to each endpoint, and how many chains, the long form makes."""

SEED = int(os.environ.get("TORTURE_SEED", "0"))

HEADER = "enrollee_id,city,city_development_index,relevent_experience,training_hours\n"
ROWS = "1,city_1,0.5,No relevent experience,10\n2,city_1,7,No relevent experience,10\n"


REVOKING = ("DELETE", "/keys/{id}")
"""Left out: one of the keys that it would find is the explorer's own."""


@pytest.fixture
def home(store, tmp_path, monkeypatch):
    """A home with a model in charge, and a report to read; nobody is let in without a key."""
    monkeypatch.setenv("API_KEYS", "always")
    house = open_house(store, tmp_path)
    arrived = house.folders.raw_data / "some.csv"
    arrived.write_text(HEADER + ROWS)
    assert ingest_one(house, trigger="cli", file=arrived)
    return tmp_path


@pytest.fixture
def headers(store):
    """Those of somebody who may ask for everything."""
    key = Key.make()
    store.api_keys.add(key, "explorer", list(Scope), requests_per_minute=MOST_PER_MINUTE)
    return {"Authorization": f"Bearer {key.text}"}


@pytest.fixture
def api(database, home):
    """Serves the home, with the named faults planted; each is ended with the test."""
    begun = []

    def begin(*plants):
        begun.append(Api(database, home, plants))
        return begun[-1]

    yield begin
    for one in begun:
        one.end()


def endpoints_of(address, headers):
    """The methods and paths that the document has."""
    paths = httpx.get(f"{address}/openapi.json", headers=headers).json()["paths"]
    return {(method.upper(), path) for path, operations in paths.items() for method in operations}


def hold(findings, endpoints):
    assert findings.wrong == {}
    assert findings.accepted >= 0.3
    # Each endpoint has done what it is for, and has refused something.
    assert findings.reached == endpoints - {REVOKING}
    assert {200, 404, 405, 415, 422} <= set(findings.statuses)


def test_a_thousand_requests_get_described_answers(api, headers):
    address = api().address
    findings = explore(address, headers=headers, but=[REVOKING], examples=10)
    assert findings.requests > 1_000
    hold(findings, endpoints_of(address, headers))


@pytest.mark.torture
def test_ten_thousand_requests_get_described_answers(api, headers, figures):
    address = api().address
    findings = explore(address, headers=headers, but=[REVOKING], examples=EXAMPLES, seed=SEED)
    figures(
        f"{findings.requests} requests from the document, seed {SEED}",
        accepted=f"{findings.accepted:.0%}",
        statuses=findings.statuses,
        checks=len(findings.checks),
        wrong=len(findings.wrong),
    )
    assert findings.requests >= 10_000
    hold(findings, endpoints_of(address, headers))


def test_planted_faults_are_noticed(api, headers):
    planted = api(
        "some requests break a prediction", "answers break their schema", "unknown fields are taken"
    )
    wrong = explore(planted.address, headers=headers, but=[REVOKING], examples=5).wrong
    assert any(what.startswith("POST /predict: answered 500") for what in wrong)
    assert any("POST /explain: response_schema_conformance" in what for what in wrong)
    assert any("negative_data_rejection" in what for what in wrong)
