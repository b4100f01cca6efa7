"""Scoring through the API: each good row once, and what becomes of each answer that it gives."""

import http.server
import json
import threading

import httpx
import pytest
from pydantic import SecretStr

from api_process import Served
from ingest_house import good_lines
from jobchurn.access import Key, Scope
from jobchurn.api_client import ATTEMPTS, ApiPredictor
from jobchurn.errors import Forbidden, InvalidRecords, ServiceUnreachable, TooLarge
from jobchurn.flow import score
from scored_house import (
    each_once,
    ingested,
    predicted,
    scored,
    scored_house,
    with_settings,
)


@pytest.fixture
def house(store, tmp_path):
    return scored_house(store, tmp_path / "home")


@pytest.fixture
def served(house, database):
    """The API as a process of its own, over the same home and database."""
    process = Served(database, house.folders.root)
    yield process
    process.end()


def through(served, **how):
    return ApiPredictor(served.address, **how)


def test_through_the_api_each_good_row_is_predicted_once_with_where_it_comes_from(house, served):
    runs = [
        ingested(house, name, good_lines(6, seed=n))
        for n, name in enumerate(["a.csv", "r\udce9sum\udce9 ü.csv"])
    ]
    with through(served) as api:
        assert len(scored(with_settings(house, max_records=4), api)) == 2
        assert scored(house, api) == []
    assert predicted(house) == each_once(*runs)
    answer = httpx.get(f"{served.address}/past-predictions?source=scheduled").json()
    assert len(answer["rows"]) == 12


def test_what_the_api_has_predicted_this_process_does_not_predict_again(house, served):
    run = ingested(house, "a.csv", good_lines(6))
    [good] = score.new_files(house)
    with through(served) as api:
        scored(house, api)
    score.score_file(house, good, score.here(house))
    assert predicted(house) == each_once(run)


def test_what_the_api_has_stored_of_a_file_is_known_and_not_asked_again(house, served):
    run = ingested(house, "a.csv", good_lines(6))
    [good] = score.new_files(house)
    with through(served) as api:
        scored(with_settings(house, max_records=4), api)

    def asked_again(_records, **where):
        raise AssertionError(where)

    score.score_file(house, good, asked_again)
    assert predicted(house) == each_once(run)


@pytest.mark.parametrize("most", [1_000, 100_000])
def test_what_is_too_large_for_the_api_is_sent_in_halves(house, database, monkeypatch, most):
    monkeypatch.setenv("MAX_BODY_BYTES", str(most))
    run = ingested(house, "a.csv", good_lines(most // 100))
    served = Served(database, house.folders.root)
    try:
        with through(served, pause=0.001) as api:
            scored(house, api)
    finally:
        served.end()
    assert predicted(house) == each_once(run)


def test_a_row_that_is_too_large_by_itself_is_told_and_keeps_no_other_file_waiting(house):
    ingested(house, "a.csv", good_lines(3, seed=1))
    run = ingested(house, "b.csv", good_lines(2, seed=2))
    here = score.here(house)

    def narrow(records, *, file, **where):
        if file == "a.csv":
            raise TooLarge("The body is larger than 10 bytes.", "Send less.")
        here(records, file=file, **where)

    done = score.score_new(house, narrow)
    assert next(done).file == "b.csv"
    with pytest.raises(TooLarge):
        next(done)
    assert predicted(house) == each_once(run)


def test_an_api_that_is_restarted_in_between_is_waited_for(house, served):
    run = ingested(house, "a.csv", good_lines(3))
    served.end()
    starting = threading.Timer(0.5, served.begin)
    starting.start()
    with through(served, pause=3) as api:
        assert scored(house, api) == [("a.csv", 3)]
    starting.join()
    assert predicted(house) == each_once(run)


def test_an_api_that_is_away_is_told_and_nothing_is_noted(house, tmp_path):
    ingested(house, "a.csv", good_lines(3))
    with (
        ApiPredictor("http://127.0.0.1:9", pause=0.001) as api,
        pytest.raises(ServiceUnreachable, match=r"http://127\.0\.0\.1:9 did not predict a\.csv"),
    ):
        scored(house, api)
    assert len(score.new_files(house)) == 1


def test_a_refusal_by_the_real_api_is_told_in_its_own_words(served):
    with through(served) as api, pytest.raises(InvalidRecords, match=r"a\.csv: 422: .*training_h"):
        api([{"training_hours": -5}], key="k", run_id="r", file="a.csv", first_row=1)


class Scripted:
    """An API on loopback that gives prepared answers, and keeps what it was sent."""

    def __init__(self, *answers):
        asked = self.asked = []
        headers = self.headers = {}
        coming = iter(answers)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked.append((self.headers["Idempotency-Key"], json.loads(body)))
                answer = next(coming)
                if answer is None:
                    self.close_connection = True
                    return
                status, content = answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def scripted():
    made = []

    def make(*answers):
        made.append(Scripted(*answers))
        return made[-1]

    yield make
    for one in made:
        one.server.shutdown()
        one.server.server_close()


def ask(api, records=({"a": 1},)):
    with ApiPredictor(api.address, pause=0.001) as predictor:
        predictor(list(records), key="file:x:0", run_id="run", file="a.csv", first_row=5)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_does_not_let_in_is_told_at_once_with_what_to_set(scripted, status):
    api = scripted((status, json.dumps({"detail": "Not with that."}).encode()))
    with pytest.raises(Forbidden, match=rf"{status}: Not with that\..*API_KEY"):
        ask(api)
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7.0), ("3600", 60.0), ("soon", 0.25), ("", 0.25)]
)
def test_an_api_that_says_when_to_come_back_is_asked_then(scripted, monkeypatch, said, seconds):
    waits = []
    monkeypatch.setattr("jobchurn.api_client.time.sleep", waits.append)
    api = scripted((429, b"{}"), (200, b"{}"))
    api.headers["Retry-After"] = said
    with ApiPredictor(api.address, pause=0.25) as predictor:
        predictor([{"a": 1}], key="k", run_id="r", file="a.csv", first_row=1)
    assert waits == [seconds]


def test_where_keys_are_asked_for_the_jobs_send_theirs(house, database, monkeypatch):
    ingested(house, "a.csv", good_lines(3))
    key = Key.make()
    house.store.api_keys.add(key, "nightly", {Scope.SCHEDULED})
    monkeypatch.setenv("API_KEYS", "always")
    served = Served(database, house.folders.root)
    try:
        with through(served) as api, pytest.raises(Forbidden, match="401"):
            scored(house, api)
        settings = with_settings(
            house, api_key=SecretStr(key.text), api_url=served.address
        ).settings
        with ApiPredictor.of(settings) as api:
            assert scored(house, api) == [("a.csv", 3)]
    finally:
        served.end()


@pytest.mark.parametrize("trouble", [(503, b""), (429, b"{}"), (502, b"<html>"), (504, b""), None])
def test_a_passing_failure_is_asked_again_under_the_same_key(scripted, trouble):
    api = scripted(trouble, trouble, (200, b"{}"))
    ask(api)
    assert len(api.asked) == 3
    assert api.asked[0] == api.asked[1] == api.asked[2]
    key, body = api.asked[0]
    assert key == "file:x:0"
    assert body["source"] == "scheduled"
    assert body["lineage"] == {"run": "run", "file": "a.csv", "first_row": 5}


def test_an_api_that_never_recovers_is_asked_a_few_times_and_told(scripted):
    problem = json.dumps({"detail": "The database does not answer."}).encode()
    api = scripted(*[(503, problem)] * ATTEMPTS)
    with pytest.raises(ServiceUnreachable, match=r"503: The database does not answer\."):
        ask(api)
    assert len(api.asked) == ATTEMPTS


@pytest.mark.parametrize("status", [302, 400, 422, 500])
def test_any_other_answer_is_told_at_once(scripted, status):
    api = scripted((status, json.dumps({"detail": "Not so."}).encode()))
    with pytest.raises(InvalidRecords, match=rf"a\.csv: {status}: Not so\."):
        ask(api)
    assert len(api.asked) == 1


def test_an_answer_that_is_no_problem_document_is_told_by_its_beginning(scripted):
    api = scripted((400, b"x" * 10_000))
    with pytest.raises(InvalidRecords) as told:
        ask(api)
    assert len(str(told.value)) < 300
