"""Past predictions over HTTP: pages, days, exports."""

import csv
import io
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import pytest

from api_house import RECORD, open_house, serving
from jobchurn.api.exports import MOST
from jobchurn.contract import JOB_CHANGE
from jobchurn.store import predictions
from jobchurn.store.exports import copied
from small_model import random_records

INPUTS = [column.name for column in JOB_CHANGE.inputs]
FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)"]


@pytest.fixture
def client(store, tmp_path):
    with serving(open_house(store, tmp_path)) as client:
        yield client


def predict(client, records, **more):
    answer = client.post("/predict", json={"records": records, **more})
    assert answer.status_code == 200
    return answer.json()


def rows_of(client, **wanted):
    """All rows that are wanted, page by page."""
    rows, cursor = [], None
    while True:
        asked = wanted | ({"cursor": cursor} if cursor else {})
        page = client.get("/past-predictions", params=asked).json()
        assert len(page["rows"]) <= int(wanted.get("limit", 200))
        rows += page["rows"]
        cursor = page["next"]
        if cursor is None:
            return rows


def move_to(database, ids, moment):
    with psycopg.connect(database) as connection:
        connection.execute(
            "UPDATE predictions SET created_at = %s WHERE id = ANY(%s)", [moment, ids]
        )


def csv_of(answer):
    assert answer.status_code == 200
    return list(csv.reader(io.StringIO(answer.text)))


def test_pages_hold_every_row_once_newest_first(client):
    ids = [p["id"] for _ in range(7) for p in predict(client, [RECORD] * 5)["predictions"]]
    rows = rows_of(client, limit=4)
    assert [row["id"] for row in rows] == ids[::-1]
    assert rows == rows_of(client)


def test_pages_neither_skip_nor_repeat_while_rows_arrive(client):
    before = [p["id"] for p in predict(client, [RECORD] * 10)["predictions"]]
    page = client.get("/past-predictions", params={"limit": 3}).json()
    seen = [row["id"] for row in page["rows"]]
    while page["next"]:
        predict(client, [RECORD] * 2)
        page = client.get("/past-predictions", params={"limit": 3, "cursor": page["next"]}).json()
        seen += [row["id"] for row in page["rows"]]
    assert seen == before[::-1]


def test_a_page_that_holds_exactly_all_is_the_last(client):
    predict(client, [RECORD] * 3)
    assert client.get("/past-predictions", params={"limit": 3}).json()["next"] is None


def test_nothing_predicted_is_an_empty_page(client):
    assert client.get("/past-predictions").json() == {"rows": [], "next": None}


def test_a_source_is_chosen(client):
    web = predict(client, [RECORD])["predictions"][0]["id"]
    scheduled = predict(client, [RECORD], source="scheduled")["predictions"][0]["id"]
    assert [row["id"] for row in rows_of(client, source="webapp")] == [web]
    assert [row["id"] for row in rows_of(client, source="scheduled")] == [scheduled]
    assert [row["id"] for row in rows_of(client, source="all")] == [scheduled, web]


def test_both_days_are_included_and_end_with_utc(client, database):
    ids = [p["id"] for p in predict(client, [RECORD] * 4)["predictions"]]
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    instant = timedelta(microseconds=1)
    moments = [midnight - instant, midnight, midnight + timedelta(days=1) - instant]
    for one, moment in zip(ids, moments, strict=False):
        move_to(database, [one], moment)
    move_to(database, ids[3:], midnight + timedelta(days=1))
    found = rows_of(client, start="2026-03-02", end="2026-03-02")
    assert {row["id"] for row in found} == {ids[1], ids[2]}
    assert {row["id"] for row in rows_of(client, start="2026-03-02")} == set(ids[1:])
    assert {row["id"] for row in rows_of(client, end="2026-03-02")} == set(ids[:3])


@pytest.mark.parametrize("days", [("0001-01-01", "9999-12-31"), ("9999-12-31", "9999-12-31")])
def test_the_ends_of_the_calendar_are_days(client, days):
    asked = {"start": days[0], "end": days[1]}
    assert client.get("/past-predictions", params=asked).status_code == 200
    assert client.get("/past-predictions", params=asked | {"format": "csv"}).status_code == 200


@pytest.mark.parametrize("cursor", ["x", "AAAA", "%00", "é", "=" * 24, "/" * 200, "_" * 22])
def test_a_cursor_that_is_none_is_refused(client, cursor):
    answer = client.get("/past-predictions", params={"cursor": cursor})
    assert answer.status_code in (200, 422)
    if answer.status_code == 422:
        assert answer.json()["cure"]


def test_csv_has_one_header_line_and_every_row(client, monkeypatch):
    monkeypatch.setattr(predictions, "copied", partial(copied, block_bytes=700))
    predict(client, random_records(JOB_CHANGE, 30, seed=1))
    answer = client.get("/past-predictions", params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    header, *lines = csv_of(answer)
    names = ["id", "created_at", "source", "model_version", *INPUTS, "prediction", "probability"]
    assert header == names
    rows = rows_of(client)
    assert len(lines) == len(rows) == 30
    for line, row in zip(lines, rows, strict=True):
        cells = dict(zip(header, line, strict=True))
        assert cells["id"] == str(row["id"])
        assert float(cells["probability"]) == row["prediction"]["probability"]
        for name in INPUTS:
            assert cells[name] == JOB_CHANGE[name].write(row["features"][name])


def test_csv_of_nothing_is_the_header(client):
    [header] = csv_of(client.get("/past-predictions", params={"format": "csv"}))
    assert header[0] == "id"


def test_csv_of_a_source_holds_that_source(client):
    predict(client, [RECORD])
    predict(client, [RECORD], source="scheduled")
    lines = csv_of(client.get("/past-predictions", params={"format": "csv", "source": "scheduled"}))
    assert [line[2] for line in lines[1:]] == ["scheduled"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_gets_an_apostrophe_in_csv_alone(client, formula):
    predict(client, [RECORD | {"city": formula}])
    header, line = csv_of(client.get("/past-predictions", params={"format": "csv"}))
    assert line[header.index("city")] == f"'{formula}"
    [row] = rows_of(client)
    assert row["features"]["city"] == formula


def test_parquet_holds_every_row_with_its_types(client, monkeypatch, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(predictions, "copied", partial(copied, block_bytes=700))
    predict(client, random_records(JOB_CHANGE, 20, seed=1))
    answer = client.get("/past-predictions", params={"format": "parquet"})
    assert answer.status_code == 200
    table = parquet.read_table(io.BytesIO(answer.content))
    rows = rows_of(client)
    assert [row["id"] for row in rows] == table["id"].to_pylist()
    for name in INPUTS:
        assert table[name].to_pylist() == [row["features"][name] for row in rows]
    assert str(table.schema.field("created_at").type) == "timestamp[us, tz=UTC]"
    moments = [moment.isoformat() for moment in table["created_at"].to_pylist()]
    assert moments == [datetime.fromisoformat(row["created_at"]).isoformat() for row in rows]
    decided = [row["prediction"] for row in rows]
    assert table["probability"].to_pylist() == [one["probability"] for one in decided]
    assert table["prediction"].to_pylist() == [one["prediction"] for one in decided]


def test_without_pyarrow_parquet_is_refused_with_a_cure(client, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = client.get("/past-predictions", params={"format": "parquet"})
    assert answer.status_code == 501
    assert "format=csv" in answer.json()["cure"]


def test_exports_give_their_place_and_connection_back_however_they_end(client, monkeypatch):
    predict(client, [RECORD])
    for _ in range(3 * MOST):
        assert client.get("/past-predictions", params={"format": "csv"}).status_code == 200
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for _ in range(3 * MOST):
        assert client.get("/past-predictions", params={"format": "parquet"}).status_code == 501
    assert client.app.state.door.exports._free == MOST


def test_exports_and_predictions_run_side_by_side(client):
    predict(client, random_records(JOB_CHANGE, 2_000, seed=1))

    def work(turn):
        if turn % 2:
            return predict(client, [RECORD])["n"]
        return len(csv_of(client.get("/past-predictions", params={"format": "csv"}))) > 2_000

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(16)))
