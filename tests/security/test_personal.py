"""Logs, alerts and what the watch keeps hold nothing personal: no id, and no cell of anybody."""

import dataclasses
import logging

import httpx
import psycopg
import pytest

from api_house import RECORD, open_house, serving
from jobchurn.api_client import ApiPredictor
from jobchurn.cli.work import told
from jobchurn.contract import JOB_CHANGE, Kind
from jobchurn.errors import InvalidRecords
from jobchurn.flow import forget, ingest, score, watch
from jobchurn.notify import Delivery, Notifier
from small_model import random_records

NAMES = [column.name for column in JOB_CHANGE.columns]
ID = JOB_CHANGE.id.name
TEXT = next(column.name for column in JOB_CHANGE.columns if column.kind is Kind.TEXT)
PERSON, MARK = "987654321012345", "Mx-Somebody"
PERSONAL = {"predictions", "predictions_default", "requests", "ingestion_runs"}
"""The tables that may hold something: predictions, what was refused, unknown texts in notes."""


class Channel:
    channel = "test"

    def __init__(self):
        self.sent = []

    def send(self, message):
        self.sent.append(f"{message.title} {message.facts} {message.lines} {message.to_body()}")
        return Delivery(self.channel, ok=True)


@pytest.fixture
def channel():
    return Channel()


@pytest.fixture
def house(store, tmp_path, channel):
    services = open_house(store, tmp_path / "home")
    settings = services.settings.model_copy(update={"settle_seconds": 0.0})
    return dataclasses.replace(services, settings=settings, notifier=Notifier([channel]))


@pytest.fixture
def logs(caplog):
    caplog.set_level(logging.DEBUG)
    return caplog


def found_in(text):
    return [mark for mark in (PERSON, MARK) if mark in text]


def lines():
    """Rows that are good, bad in every column in turn, and broken, all of one person."""
    for number, name in enumerate([None, TEXT, *NAMES], start=1):
        [record] = random_records(JOB_CHANGE, 1, seed=number)
        texts = {c.name: c.write(record[c.name]) for c in JOB_CHANGE.columns} | {ID: PERSON}
        if name is not None:
            texts[name] = f"{MARK}-{number}" if name != ID else f"{PERSON} {MARK}"
        yield ",".join(texts[name] for name in NAMES)
    yield f"{PERSON},{MARK}"
    yield f'{PERSON},"{MARK}'
    yield f"{PERSON},{MARK}\x00"


def ingested(house, name, rows):
    path = house.folders.raw_data / name
    path.write_text("\n".join([",".join(NAMES), *rows, ""]))
    return ingest.ingest_one(house, trigger="cli", file=path)


def personal_tables(database):
    with psycopg.connect(database) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        return {
            table
            for (table,) in tables
            for (row,) in connection.execute(f'SELECT t::text FROM "{table}" AS t').fetchall()
            if found_in(row)
        }


def test_what_is_ingested_scored_watched_and_forgotten_is_nowhere_told(
    house, channel, logs, database
):
    run = ingested(house, "a.csv", lines())
    assert (run.rows_valid > 0, run.rows_invalid > 10) == (True, True)
    refused = ingested(house, "b.csv", [f"{PERSON};{MARK}"])
    (house.folders.raw_data / "c.csv").write_text(f"{PERSON},{MARK}\n")
    unreadable = ingest.ingest_one(house, trigger="cli")
    assert len(list(score.score_new(house))) == 1
    watch.watch(house)
    assert len(channel.sent) >= 3
    said = [*channel.sent, logs.text, *map(told, (run, refused, unreadable))]
    assert [found for text in said if (found := found_in(text))] == []
    months = {table for table in personal_tables(database) if table.startswith("predictions_2")}
    assert personal_tables(database) - months <= PERSONAL
    forget.forget(house, forget.Person.of(JOB_CHANGE, PERSON), doubtful=True, patience=1)
    assert found_in(logs.text) == []


def test_what_the_api_is_asked_and_refuses_is_in_no_log(house, logs, database):
    with serving(house) as client:
        asked = [
            {"records": [RECORD | {ID: int(PERSON)}]},
            {"records": [RECORD | {ID: f"{PERSON} {MARK}"}]},
            {"records": [RECORD | {TEXT: MARK * 100}]},
            {"records": [RECORD | {MARK: PERSON}], "partial": True},
            {"records": MARK},
        ]
        statuses = [client.post("/predict", json=body).status_code for body in asked]
        assert statuses == [200, 422, 422, 200, 422]
        assert client.post("/explain", json=asked[0]).status_code == 200
        assert client.post("/predict", content=MARK.encode()).status_code in (415, 422)
        assert client.get("/past-predictions").status_code == 200
    assert found_in(logs.text) == []
    assert {"request_log", "job_runs", "alerts"}.isdisjoint(personal_tables(database))


def test_why_the_api_refuses_a_file_is_told_without_its_values(house):
    with serving(house) as client, ApiPredictor("http://testserver") as predictor:

        def answer(request):
            kind = {"Content-Type": request.headers["Content-Type"]}
            reply = client.post(request.url.path, content=request.content, headers=kind)
            return httpx.Response(reply.status_code, content=reply.content)

        predictor._client = httpx.Client(
            base_url="http://testserver", transport=httpx.MockTransport(answer)
        )
        bad = RECORD | {ID: int(PERSON), TEXT: MARK * 100}
        with pytest.raises(InvalidRecords) as refused:
            predictor([RECORD, bad], key="k", run_id="r", file="a.csv", first_row=1)
    assert f"record 2, {TEXT}: length" in str(refused.value)
    assert found_in(str(refused.value)) == []


def test_a_log_that_told_somebody_s_data_would_be_noticed(logs):
    logging.getLogger("jobchurn.flow").info("row 3 is %s", MARK)
    assert found_in(logs.text) == [MARK]
