"""Requests made from the OpenAPI document get answers that it describes, none from 500 on."""

import os

import httpx
import pytest

from api_house import open_house
from faults.explorer import explore
from faults.servers import Api
from jobchurn.access import MOST_PER_MINUTE, Key, Scope
from jobchurn.flow.ingest import ingest_one
from locked_house import ENDPOINTS, OPEN, sent
from stacks import eventually

EXAMPLES = int(os.environ.get("TORTURE_EXAMPLES", "900"))
"""How many random requests to each endpoint, and how many chains, the long form makes."""

SEED = int(os.environ.get("TORTURE_SEED", "0"))

HEADER = "enrollee_id,city,city_development_index,relevent_experience,training_hours\n"
ROWS = "1,city_1,0.5,No relevent experience,10\n2,city_1,7,No relevent experience,10\n"


REVOKING = ("DELETE", "/keys/{id}")
"""Left out: one of the keys that it would find is the explorer's own."""


SCOPE_EXAMPLES = int(os.environ.get("TORTURE_SCOPE_EXAMPLES", "100"))
"""Likewise, with no key and with a key of each scope."""

BRIEFLY = {"examples": 1, "phases": ["examples", "fuzzing"]}
"""What the short form makes of that."""

REFUSED = {401, 403, 429}
"""What is answered to somebody for whom an endpoint is not; whoever fails too often is to wait."""


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


OF_ACCESS = ("ignored_auth", "missing_required_header", "answered 5", "no answer")
"""What the explorer may find wrong that has to do with keys, or with the service's being there."""


def trespasses(findings, *scopes):
    """What was answered, otherwise than by a refusal, to somebody for whom it is not.

    A HEAD is for whom the GET is. Methods that an endpoint has not are for nobody.
    """
    return {
        (method, path, status)
        for method, path, status in findings.answers
        for needed in [ENDPOINTS.get(("GET" if method == "HEAD" else method, path))]
        if status not in REFUSED and needed is not None and needed.isdisjoint(scopes)
    }


def hold_to_scopes(address, store, reader, figures=None, **how):
    """Explore with no key and with a key of each scope: each reaches its own and nothing else."""
    endpoints = endpoints_of(address, reader)
    assert ENDPOINTS.keys() - endpoints == {("GET", "/openapi.json")}
    requests = 0
    for scope in (None, *Scope):
        key = Key.make()
        if scope is not None:
            store.api_keys.add(key, f"for-{scope}", [scope], requests_per_minute=MOST_PER_MINUTE)
            eventually(lambda key=key: is_known(address, key))
        findings = explore(
            address,
            headers=sent(key) if scope else {},
            reading=reader,
            but=[REVOKING] if scope is Scope.ADMIN else [],
            seed=SEED,
            **how,
        )
        requests += findings.requests
        assert trespasses(findings, scope) == set()
        # All else that may be wrong is looked for above, with a key for everything.
        assert {what for what in findings.wrong if any(word in what for word in OF_ACCESS)} == set()
        assert max(findings.statuses) < 500
        for endpoint in endpoints - {REVOKING}:
            mine = endpoint[1] in OPEN or scope in ENDPOINTS[endpoint]
            statuses = {status for *asked, status in findings.answers if tuple(asked) == endpoint}
            assert statuses, endpoint
            # Whoever may ask was answered; nobody else was, which was looked at above.
            assert not mine or statuses - REFUSED, (scope, endpoint)
    if figures is not None:
        figures(f"{requests} requests with no key and with keys of each scope", seed=SEED)


def is_known(address, key):
    """Whether the API takes the key for one of its own by now: it looks them up again and again."""
    return httpx.get(f"{address}/nowhere", headers=sent(key)).status_code == 404


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


def test_without_a_key_and_with_a_key_of_each_scope_nothing_else_is_reached(api, store, headers):
    hold_to_scopes(api().address, store, headers, **BRIEFLY)


@pytest.mark.torture
def test_with_many_requests_no_scope_reaches_another_s_endpoints(api, store, headers, figures):
    hold_to_scopes(api().address, store, headers, figures, examples=SCOPE_EXAMPLES)


def test_a_door_that_is_left_open_is_noticed(api, store, headers):
    address = api("any key opens the metrics").address
    with pytest.raises(AssertionError, match="metrics"):
        hold_to_scopes(address, store, headers, **BRIEFLY)


def test_planted_faults_are_noticed(api, headers):
    planted = api(
        "some requests break a prediction", "answers break their schema", "unknown fields are taken"
    )
    wrong = explore(planted.address, headers=headers, but=[REVOKING], examples=5).wrong
    assert any(what.startswith("POST /predict: answered 500") for what in wrong)
    assert any("POST /explain: response_schema_conformance" in what for what in wrong)
    assert any("negative_data_rejection" in what for what in wrong)
