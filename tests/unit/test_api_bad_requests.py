"""What is no request that can be answered is refused in plain words, by name and with a cure."""

import pytest

from api_doubles import RECORD, doubled_services, problem_of
from api_house import serving
from jobchurn.api import body


@pytest.fixture
def client(tmp_path):
    with serving(doubled_services(tmp_path)) as client:
        yield client


def test_a_body_that_declares_too_much_is_refused_before_it_is_read(client):
    answer = client.post(
        "/predict",
        content=iter([b"{"]),
        headers={"Content-Type": "application/json", "Content-Length": "20001"},
    )
    assert problem_of(answer, 413)["limit"] == 20_000


@pytest.mark.parametrize("length", ["9" * 30, "-1", "x"])
def test_a_strange_content_length_does_no_harm(client, length):
    answer = client.post(
        "/predict",
        content=b"{}",
        headers={"Content-Type": "application/json", "Content-Length": length},
    )
    assert answer.status_code in (413, 422)


def test_refused_bodies_leave_room_for_the_next(client):
    for _ in range(10):
        problem_of(client.post("/predict", json={"records": ["x" * 20_000]}), 413)
    assert client.post("/predict", json={"records": []}).status_code == 200


def test_too_many_records_are_refused_with_the_limit(client):
    problem = problem_of(client.post("/predict", json={"records": [{}] * 51}), 413)
    assert problem["limit"] == 50


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_does_not_say_that_it_is_json_is_refused(client, kind):
    answer = client.post("/predict", content=b'{"records": []}', headers={"Content-Type": kind})
    problem_of(answer, 415)


def test_a_compressed_body_is_refused(client):
    answer = client.post("/predict", json={}, headers={"Content-Encoding": "gzip"})
    problem_of(answer, 415)


@pytest.mark.parametrize(
    ("body", "field", "nearest"),
    [
        ([], None, None),
        ("x", None, None),
        (5, None, None),
        ({}, "records", None),
        (RECORD, "records", None),
        ({"records": {}}, "records", None),
        ({"records": [], "source": "cli"}, "source", None),
        ({"records": [], "partial": "yes"}, "partial", None),
        ({"records": [], "sauce": "webapp"}, "sauce", "source"),
        ({"records": [], "lineage": {"run": "r", "file": "f"}}, "lineage.first_row", None),
        (
            {"records": [], "lineage": {"run": "r", "file": "f", "first_row": 0}},
            "lineage.first_row",
            None,
        ),
        (
            {"records": [], "lineage": {"run": "r", "file": "\x00", "first_row": 1}},
            "lineage.file",
            None,
        ),
    ],
)
def test_a_body_that_is_no_request_is_refused_and_the_field_named(client, body, field, nearest):
    problem = problem_of(client.post("/predict", json=body), 422)
    faults = {fault["field"]: fault for fault in problem["errors"]}
    assert faults[field]["nearest"] == nearest
    assert "records" in problem["cure"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "the body is a list: it should be an object."),
        ({"recrods": [], "records": []}, "recrods is no field of the body; did you mean records?"),
        ({}, "records is missing: it is required."),
        ({"records": [{"city": True}]}, "Record 1: city is true: not a value of this kind;"),
    ],
)
def test_what_is_wrong_is_said_without_words_from_the_inside(client, body, said):
    detail = problem_of(client.post("/predict", json=body), 422)["detail"]
    assert said in detail
    assert not detail.endswith("?.")


def test_a_day_that_is_none_is_told_in_plain_words(client):
    detail = problem_of(client.get("/past-predictions?start=today"), 422)["detail"]
    assert detail == "start is 'today': a day is written YYYY-MM-DD."


def test_an_empty_text_is_not_called_blank_where_blank_is_allowed(client):
    body = {"records": [RECORD | {"gender": ""}]}
    detail = problem_of(client.post("/predict", json=body), 422)["detail"]
    assert "gender is an empty text: not a known value; allowed: Male" in detail


def test_a_body_of_a_thousand_unknown_fields_is_refused_with_their_number(client):
    problem = problem_of(client.post("/predict", json={f"f{i}": 1 for i in range(1000)}), 422)
    assert "1,000 fields" in problem["detail"]


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "é", "\x7f"])
def test_a_key_that_is_none_is_refused(client, key):
    answer = client.post(
        "/predict", json={"records": []}, headers={b"Idempotency-Key": key.encode("latin-1")}
    )
    [fault] = problem_of(answer, 422)["errors"]
    assert fault["field"].lower() == "idempotency-key"


@pytest.mark.parametrize(
    ("query", "field", "nearest"),
    [
        ("start=yesterday", "start", None),
        ("start=2024-02-30", "start", None),
        ("start=20240101", "start", None),
        ("start=1700000000", "start", None),
        ("end=2024-01-01T00:00:00", "end", None),
        ("end=0000-01-01", "end", None),
        ("source=cli", "source", None),
        ("limit=0", "limit", None),
        ("limit=10001", "limit", None),
        ("limit=many", "limit", None),
        ("format=xml", "format", None),
        ("strat=2024-01-01", "strat", "start"),
        ("%00=%ff", "'\\x00'", None),
    ],
)
def test_a_strange_question_about_the_past_is_refused_and_the_parameter_named(
    client, query, field, nearest
):
    [fault] = problem_of(client.get(f"/past-predictions?{query}"), 422)["errors"]
    assert fault["field"] == field
    assert fault["nearest"] == nearest


def test_a_period_that_ends_before_it_begins_is_refused(client):
    problem = problem_of(client.get("/past-predictions?start=2024-02-02&end=2024-02-01"), 422)
    assert problem["cure"] == "Swap the two."


def test_of_very_many_unknown_parameters_only_the_listed_ones_are_described(client, monkeypatch):
    looked = []
    monkeypatch.setattr(
        "jobchurn.api.faults.difflib.get_close_matches", lambda *_, **__: looked.append(1) or []
    )
    many = "&".join(f"p{number}=" for number in range(1_000))
    problem = problem_of(client.get(f"/past-predictions?{many}"), 422)
    assert len(looked) == len(problem["errors"]) == 100


def test_explanations_are_read_as_bodies_that_take_long(client, monkeypatch):
    waited = []
    turn = body.Bodies._turn
    monkeypatch.setattr(
        body.Bodies, "_turn", lambda *args, slow: waited.append(slow) or turn(*args, slow=slow)
    )
    for path in ("/explain", "/predict"):
        client.post(path, json={"records": ["x"]})
    assert waited == [True, False]
