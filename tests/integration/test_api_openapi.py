"""The OpenAPI document against what the API does."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from api_house import RECORD, open_house, serving
from jobchurn.contract import JOB_CHANGE, Role
from small_model import random_records

JSON = "application/json"


@pytest.fixture
def client(store, tmp_path):
    with serving(open_house(store, tmp_path)) as client:
        yield client


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json()


def valid(document, schema, instance):
    """Whether an instance fits a schema of the document."""
    whole = {**schema, "components": document["components"]}
    return Draft202012Validator(whole).is_valid(instance)


def described(document, answer, path):
    """The schema that the document gives for an answer."""
    responses = document["paths"][path][answer.request.method.lower()]["responses"]
    content = responses[str(answer.status_code)]["content"]
    return content[answer.headers["content-type"]]["schema"]


def test_the_document_is_served_whole_and_leads_nowhere_else(client, document):
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"]
    assert set(document["paths"]) == {
        "/",
        "/health",
        "/ready",
        "/predict",
        "/explain",
        "/past-predictions",
        "/ingestion-runs",
        "/model",
        "/reports/{report_name}",
        "/panels",
        "/panels/{dashboard}",
        "/runbook/{rule}",
        "/links",
        "/keys",
        "/keys/{id}",
        "/metrics",
    }
    assert "://" not in json.dumps(document)
    assert client.get("/docs").status_code == 404


def test_every_reference_leads_to_a_schema(document):
    def references(value):
        if isinstance(value, dict):
            yield from (v for k, v in value.items() if k == "$ref")
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    found = set(references(document))
    assert "#/components/schemas/Record" in found
    for reference in found:
        name = reference.removeprefix("#/components/schemas/")
        assert name in document["components"]["schemas"]
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_operation_is_described_and_names_its_problems(document):
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            assert operation["description"]
            if path not in ("/", "/health", "/metrics", "/panels"):
                assert "503" in operation["responses"]
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert "application/problem+json" in response["content"], (path, status)


def test_a_record_is_described_field_by_field(document):
    record = document["components"]["schemas"]["Record"]
    assert list(record["properties"]) == list(JOB_CHANGE.by_name)
    assert record["required"] == [c.name for c in JOB_CHANGE.required if c.role is not Role.ID]
    assert record["additionalProperties"] is False
    assert record["properties"]["training_hours"]["maximum"] == 1000


def test_the_examples_are_accepted(client, document):
    for example in document["components"]["schemas"]["PredictRequest"]["examples"]:
        assert client.post("/predict", json=example).status_code == 200


def test_answers_fit_the_document(client, document):
    for record in random_records(JOB_CHANGE, 5):
        client.post("/predict", json={"records": [record]})
    asked = {"records": [RECORD, {}], "partial": True}
    answers = {
        "/": client.get("/"),
        "/health": client.get("/health"),
        "/ready": client.get("/ready"),
        "/predict": client.post("/predict", json=asked),
        "/explain": client.post("/explain", json=asked),
        "/past-predictions": client.get("/past-predictions?limit=2"),
        "/ingestion-runs": client.get("/ingestion-runs"),
        "/model": client.get("/model"),
        "/panels": client.get("/panels"),
    }
    for path, answer in answers.items():
        assert answer.status_code == 200, path
        assert valid(document, described(document, answer, path), answer.json()), path
        assert not valid(document, described(document, answer, path), []), path


@pytest.mark.parametrize("name", ["ingestion", "predictions", "service"])
def test_dashboards_fit_the_document(client, document, name):
    client.post("/predict", json={"records": random_records(JOB_CHANGE, 20)})
    answer = client.get(f"/panels/{name}")
    schema = described(document, answer, "/panels/{dashboard}")
    told = answer.json()
    assert valid(document, schema, told)
    assert not valid(document, schema, told | {"panels": [{}]})
    parameters = document["paths"]["/panels/{dashboard}"]["get"]["parameters"]
    documented = {parameter["name"] for parameter in parameters}
    assert {"dashboard", "from", "to", "panel"} <= documented
    assert {f"var-{variable['name']}" for variable in told["variables"]} <= documented


def test_problems_fit_the_document(client, document):
    answers = {
        "/predict": [
            client.post("/predict", json={"records": [{"x": "\x00"}]}),
            client.post("/predict", json=[]),
            client.post("/predict", content=b"{", headers={"Content-Type": JSON}),
            client.post("/predict", content=b"{}"),
            client.post("/predict", json={"records": [{}] * 100_001}),
        ],
        "/past-predictions": [client.get("/past-predictions?limit=0&x=1")],
        "/reports/{report_name}": [client.get("/reports/x")],
        "/panels/{dashboard}": [
            client.get("/panels/x"),
            client.get("/panels/service?from=x&to=%00"),
            client.get("/panels/service?x=1&y=%00"),
        ],
        "/runbook/{rule}": [client.get("/runbook/x")],
    }
    assert [a.status_code for a in answers["/predict"]] == [422, 422, 422, 415, 413]
    for path, found in answers.items():
        for answer in found:
            assert valid(document, described(document, answer, path), answer.json()), answer.text


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([RECORD, "webapp", "Male"]),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=6,
)
changed_records = st.dictionaries(st.sampled_from(list(JOB_CHANGE.by_name)), json_values).map(
    lambda changes: RECORD | changes
)
envelopes = st.fixed_dictionaries(
    {"records": st.lists(changed_records | json_values, max_size=3)},
    optional={
        "source": st.sampled_from(["webapp", "scheduled"]) | json_values,
        "partial": st.booleans() | json_values,
        "lineage": json_values,
    },
)


@given(body=envelopes | json_values, key=st.none() | st.text("ab !é\x7f", max_size=3))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_sent_is_answered_as_the_document_says(client, document, body, key):
    # The standard library writes NaN, infinities and lone surrogates, which are no JSON.
    headers = {b"Content-Type": JSON.encode()}
    if key is not None:
        headers[b"Idempotency-Key"] = key.encode("latin-1")
    for path in ("/predict", "/explain"):
        answer = client.post(path, content=json.dumps(body).encode(), headers=headers)
        assert answer.status_code in (200, 422), answer.text
        assert valid(document, described(document, answer, path), answer.json()), answer.text


@given(content=st.binary(max_size=60))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_bytes_are_sent_are_refused_as_no_request(client, content):
    answer = client.post("/predict", content=content, headers={"Content-Type": JSON})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@given(
    asked=st.dictionaries(
        st.sampled_from(["start", "end", "source", "limit", "cursor", "format", "x"]),
        st.text() | st.sampled_from(["2026-01-01", "all", "1", "csv"]),
    )
)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_asked_about_the_past_is_answered(client, asked):
    asked = {name: text.encode("utf-8", "replace") for name, text in asked.items()}
    assert client.get("/past-predictions", params=asked).status_code in (200, 422)
    assert client.get("/ingestion-runs", params=asked).status_code in (200, 422)
