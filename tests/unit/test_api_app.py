"""The application over doubles: what it makes of failures, loads and changes behind it."""

import asyncio
import logging
import os
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from starlette.testclient import TestClient

from jobchurn.api import create_app
from jobchurn.api.champion import Champion
from jobchurn.api.schema import example_of
from jobchurn.api.workers import Workers
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import (
    DatabaseUnreachable,
    InvalidSettings,
    ModelCorrupt,
    NoChampion,
    Overloaded,
)
from jobchurn.files import Folders
from jobchurn.flow.services import Services
from jobchurn.policy import DecisionPolicy
from jobchurn.settings import Settings

RECORD = example_of(JOB_CHANGE)
CORRUPT = ModelCorrupt("lgbm-2 is not what was registered.", "Restore it.")
DOWN = DatabaseUnreachable("The database does not answer.", "Start it.")


class Model:
    def __init__(self, version):
        self.version = version

    def probabilities(self, records):
        return np.full(len(records), 0.4)


class Registry:
    """Which model is in charge, or the trouble with finding out."""

    def __init__(self):
        self.model = Model("lgbm-1")
        self.trouble = None

    def champion(self):
        if self.trouble:
            raise self.trouble
        return self.model


class Predictions:
    def __init__(self):
        self.write = None


@pytest.fixture
def services(tmp_path):
    folders = Folders(tmp_path)
    folders.make()
    store = SimpleNamespace(
        predictions=Predictions(),
        panels=None,
        api_keys=SimpleNamespace(alive=list),
        request_log=SimpleNamespace(write=lambda _: None),
        missing=list,
    )
    return Services(
        settings=Settings(max_body_bytes=20_000, max_records=50, api_threads=2, api_waiting=1),
        contract=JOB_CHANGE,
        folders=folders,
        store=store,
        registry=Registry(),
        policy=DecisionPolicy(2),
    )


@pytest.fixture
def client(services):
    with TestClient(
        create_app(services), base_url="http://127.0.0.1", raise_server_exceptions=False
    ) as client:
        yield client


def problem_of(response, status):
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:jobchurn:problem:")
    assert {"title", "detail", "cure"} <= problem.keys()
    return problem


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


def test_no_records_are_answered_with_none_and_nothing_is_written(client):
    answer = client.post("/predict", json={"records": [], "source": "scheduled"}).json()
    assert (answer["predictions"], answer["features"], answer["n"]) == ([], [], 0)
    assert answer["model_version"] == "lgbm-1"


def test_without_a_model_the_api_lives_but_is_not_ready_and_says_why(services):
    services.registry.trouble = NoChampion("No model is in charge yet.", "Run jobchurn train.")
    with TestClient(create_app(services), base_url="http://127.0.0.1") as client:
        assert client.get("/health").status_code == 200
        [missing] = problem_of(client.get("/ready"), 503)["missing"]
        assert "No model is in charge" in missing
        problem = problem_of(client.post("/predict", json={"records": [RECORD]}), 503)
        assert "jobchurn train" in problem["cure"]


def test_a_database_that_is_away_at_the_start_keeps_the_api_unready_until_it_is_there(services):
    services.registry.trouble = DOWN
    services.store.missing = lambda: ["The database does not answer."]
    with TestClient(create_app(services), base_url="http://127.0.0.1") as client:
        missing = problem_of(client.get("/ready"), 503)["missing"]
        assert "The database does not answer." in missing
        services.registry.trouble = None
        services.store.missing = list
        assert until(lambda: client.get("/ready").status_code == 200)
        assert client.get("/ready").json()["model_version"] == "lgbm-1"


def test_a_process_that_is_about_to_end_is_not_ready(client):
    assert client.get("/ready").status_code == 200
    client.app.state.door.leaving = True
    [missing] = problem_of(client.get("/ready"), 503)["missing"]
    assert "about to end" in missing


def test_more_requests_than_may_wait_are_asked_to_come_back(client, services):
    entered, go = threading.Semaphore(0), threading.Event()

    def write(batch):
        entered.release()
        go.wait(10)
        raise DOWN

    services.store.predictions.write = write
    answers = []
    ask = lambda: answers.append(client.post("/predict", json={"records": [RECORD]}))  # noqa: E731
    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    assert entered.acquire(timeout=10)
    assert entered.acquire(timeout=10)
    waiting = threading.Thread(target=ask)
    waiting.start()
    try:
        assert until(lambda: client.app.state.door.workers._places._value == 0)
        answer = client.post("/predict", json={"records": [RECORD]})
        assert problem_of(answer, 503)["type"] == "urn:jobchurn:problem:overloaded"
        assert "retry-after" in answer.headers
        assert client.get("/health").status_code == 200
    finally:
        go.set()
    for thread in (*asking, waiting):
        thread.join(10)
    assert [answer.status_code for answer in answers] == [503] * 3
    assert client.post("/predict", json={"records": []}).status_code == 200


def until(holds, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.01)
    return False


# Reports.


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


# The champion.


@pytest.fixture
def champion():
    return Champion(Registry())


def test_the_model_in_charge_is_exchanged_when_another_is_promoted(champion):
    champion.look()
    first = champion.model
    champion.look()
    assert champion.model is first
    champion._registry.model = Model("lgbm-2")
    champion.look()
    assert champion.model.version == "lgbm-2"


@pytest.mark.parametrize("trouble", [DOWN, CORRUPT, ZeroDivisionError("a bug")])
def test_a_failing_look_is_logged_once_and_leaves_the_model(champion, caplog, trouble):
    champion.look()
    champion._registry.trouble = trouble
    champion._registry.model = Model("lgbm-2")
    for _ in range(3):
        champion.look()
    assert champion.model.version == "lgbm-1"
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 1
    champion._registry.trouble = None
    champion.look()
    assert champion.model.version == "lgbm-2"


@pytest.mark.parametrize(
    ("trouble", "said"), [(CORRUPT, "not what was registered"), (ZeroDivisionError(), "log")]
)
def test_a_first_model_that_cannot_be_loaded_is_the_reason_given(champion, trouble, said):
    champion._registry.trouble = trouble
    champion.look()
    with pytest.raises(NoChampion, match=said):
        champion.model  # noqa: B018


# The workers.


def test_workers_return_what_the_function_returns_and_raise_what_it_raises():
    workers = Workers(1, 0)
    assert asyncio.run(workers.run(divmod, 7, 2)) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(workers.run(divmod, 7, 0))
    assert asyncio.run(workers.run(divmod, 7, 2)) == (3, 1)


def test_a_request_that_was_given_up_keeps_its_place_until_its_thread_is_done():
    workers, go = Workers(1, 0), threading.Event()

    async def scene():
        task = asyncio.create_task(workers.run(go.wait, 10))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(Overloaded):
            await workers.run(bool)
        go.set()
        while True:
            try:
                return await workers.run(bool, 1)
            except Overloaded:
                await asyncio.sleep(0.01)

    assert asyncio.run(asyncio.wait_for(scene(), 10)) is True


def test_workers_say_how_many_wait_for_a_thread():
    workers, go = Workers(1, 2), threading.Event()

    async def waits(count):
        assert await asyncio.to_thread(until, lambda: workers.waiting == count)

    async def scene():
        running = asyncio.create_task(workers.run(go.wait, 10))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(workers.run(bool)) for _ in range(2)]
        await asyncio.sleep(0)
        await waits(2)
        waiting[1].cancel()
        await waits(1)
        go.set()
        await asyncio.gather(running, waiting[0])
        assert workers.waiting == 0

    asyncio.run(scene())


# What is watched.


@pytest.mark.parametrize("endpoint", ["localhost:4318", "/v1"])
def test_a_place_for_traces_that_is_none_is_refused_at_the_start(services, endpoint):
    settings = services.settings.model_copy(update={"otel_exporter_otlp_endpoint": endpoint})
    with pytest.raises(InvalidSettings, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        create_app(replace(services, settings=settings))


def test_metrics_are_had_while_all_threads_are_taken(client, services):
    entered, go = threading.Semaphore(0), threading.Event()

    def write(batch):
        entered.release()
        go.wait(60)
        raise DOWN

    services.store.predictions.write = write
    ask = lambda: client.post("/predict", json={"records": [RECORD]})  # noqa: E731
    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    try:
        # A request waits for a moment even where a thread is free: both must be taken first.
        assert entered.acquire(timeout=60)
        assert entered.acquire(timeout=60)
        assert until(lambda: client.app.state.door.workers.waiting == 1)
        page = client.get("/metrics").text
        assert "jobchurn_requests_waiting 1.0" in page
        assert "jobchurn_requests_in_flight 4.0" in page
    finally:
        go.set()
    for thread in asking:
        thread.join(60)
    page = client.get("/metrics").text
    assert "jobchurn_requests_waiting 0.0" in page
    assert 'jobchurn_requests_total{method="POST",route="/predict",status="503"} 3.0' in page
