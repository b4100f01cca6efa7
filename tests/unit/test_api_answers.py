"""How the application answers whatever is asked of it, and whatever breaks behind it."""

import os

import pytest
from starlette.testclient import TestClient

from api_doubles import DOWN, RECORD, doubled_services, problem_of
from api_house import serving
from jobchurn.api import create_app


@pytest.fixture
def services(tmp_path):
    return doubled_services(tmp_path)


@pytest.fixture
def client(services):
    with serving(services) as client:
        yield client


def test_the_index_lists_the_endpoints(client):
    endpoints = client.get("/").json()["endpoints"]
    assert {"GET /health", "GET /ready", "POST /predict", "POST /explain", "GET /model"} <= set(
        endpoints
    )


def test_every_answer_is_numbered_and_is_not_to_be_guessed_or_kept(client):
    first, second = client.get("/health"), client.get("/nowhere")
    assert first.json() == {"status": "ok"}
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert second.json()["request_id"] == second.headers["x-request-id"]
    for answer in (first, second):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_what_does_not_exist_is_a_problem_document(client):
    assert "GET /" in problem_of(client.get("/nowhere"), 404)["cure"]


@pytest.mark.parametrize("path", ["/health", "/ready", "/nowhere", "/predict", "/?x=1"])
def test_the_head_of_an_answer_can_be_had_alone(client, path):
    head, whole = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]
    assert head.headers["content-type"] == whole.headers["content-type"]


def test_the_head_of_what_breaks_is_an_answer_too(services):
    services.store.missing = None
    with TestClient(
        create_app(services), base_url="http://127.0.0.1"
    ) as client:  # raises what the application raises
        assert client.head("/ready").status_code == 500


def test_a_wrong_method_is_a_problem_document_that_names_the_right_one(client):
    answer = client.get("/predict")
    problem_of(answer, 405)
    assert answer.headers["allow"] == "POST"
    assert client.post("/health").headers["allow"] == "GET, HEAD"


def test_an_unforeseen_failure_tells_nothing_of_the_inside_and_the_log_everything(
    client, services, caplog
):
    def write(batch):
        raise ZeroDivisionError("the secret of the inside")

    services.store.predictions.write = write
    answer = client.post("/predict", json={"records": [RECORD]})
    problem = problem_of(answer, 500)
    assert "secret" not in answer.text
    assert problem["request_id"] in problem["cure"]
    assert problem["request_id"] in caplog.text
    assert "the secret of the inside" in caplog.text


def test_a_foreseen_failure_says_what_is_wrong_and_when_to_come_back(client, services):
    def write(batch):
        raise DOWN

    services.store.predictions.write = write
    answer = client.post("/predict", json={"records": [RECORD]})
    problem = problem_of(answer, 503)
    assert (problem["detail"], problem["cure"]) == (DOWN.message, DOWN.cure)
    assert problem["type"] == "urn:jobchurn:problem:database-unreachable"
    assert int(answer.headers["retry-after"]) >= 1


def test_no_records_are_answered_with_none_and_nothing_is_written(client):
    answer = client.post("/predict", json={"records": [], "source": "scheduled"}).json()
    assert (answer["predictions"], answer["features"], answer["n"]) == ([], [], 0)
    assert answer["model_version"] == "lgbm-1"


@pytest.mark.parametrize(
    "name",
    [
        "nothing.html",
        "secret.txt",
        "../secret.html",
        "..%2fsecret.html",
        "%2e%2e%2fsecret.html",
        "%2e%2e/secret.html",
        "..%5csecret.html",
        "%2fetc%2fpasswd",
        "%2fetc%2fpasswd.html",
        "link.html",
        "folder.html",
        "pipe.html",
        ".html",
        ".hidden.html",
        "run.html%00",
        "run.html%0a",
        "run.html.html",
        "RUN.HTML",
        "%ff.html",
        "r%C3%A9sum%C3%A9.html",
        "x" * 300 + ".html",
        "",
    ],
)
def test_nothing_but_a_report_is_shown(client, services, name):
    reports = services.folders.reports
    (reports / "run.html").write_text("a report")
    secret = reports.parent / "secret.html"
    secret.write_text("secret")
    (reports / "secret.txt").write_text("secret")
    (reports / ".hidden.html").write_text("secret")
    (reports / "link.html").symlink_to(secret)
    (reports / "folder.html").mkdir()
    os.mkfifo(reports / "pipe.html")
    assert client.get("/reports/run.html").text == "a report"
    problem_of(client.get(f"/reports/{name}"), 404)
