"""What the API shows of the house: the model in charge, the files that arrived, their reports."""

import time
from datetime import UTC, datetime

import psycopg
import pytest

from api_house import RECORD, open_house, serving
from jobchurn.contract import JOB_CHANGE
from jobchurn.store import Store
from jobchurn.verdict import Reason, Verdict
from small_model import small_model


@pytest.fixture
def house(store, tmp_path):
    return open_house(store, tmp_path)


@pytest.fixture
def client(house):
    with serving(house) as client:
        yield client


def test_the_api_is_ready_and_says_with_what(client, house):
    told = client.get("/ready").json()
    assert told["status"] == "ready"
    assert told["model_version"] == house.registry.champion().version
    assert told["contract"] == JOB_CHANGE.fingerprint


def test_a_database_without_tables_keeps_the_api_unready(empty_database, tmp_path):
    store = Store.connect(empty_database, JOB_CHANGE)
    with serving(open_house(store, tmp_path, champion=False)) as client:
        answer = client.get("/ready")
        assert answer.status_code == 503
        assert len(answer.json()["missing"]) >= 2
        assert client.post("/predict", json={"records": [RECORD]}).status_code == 503
        assert client.get("/past-predictions").status_code == 503
        assert client.get("/model").status_code == 503
    store.close()


def test_a_promoted_model_answers_within_a_second(client, house):
    other = small_model(JOB_CHANGE, seed=1)
    house.registry.add(other)
    house.registry.promote(other.version)
    end = time.monotonic() + 10
    begun = time.monotonic()
    while client.get("/model").json()["version"] != other.version:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert time.monotonic() - begun < 5  # on a busy machine; the watch looks twice a second
    assert client.post("/predict", json={"records": [RECORD]}).json()["model_version"] == (
        other.version
    )


def test_a_model_whose_bytes_were_changed_is_not_put_in_charge(client, house, store):
    first = house.registry.champion().version
    other = small_model(JOB_CHANGE, seed=1)
    house.registry.add(other)
    trees = house.folders.models / other.version / "model.txt"
    trees.write_text(trees.read_text() + "\n")
    store.models.promote(other.version)
    client.app.state.door.champion.look()
    assert client.get("/model").json()["version"] == first
    assert client.post("/predict", json={"records": [RECORD]}).json()["model_version"] == first


def test_a_first_model_is_taken_up_once_it_is_promoted(store, tmp_path):
    house = open_house(store, tmp_path, champion=False)
    with serving(house) as client:
        assert client.get("/model").status_code == 503
        model = small_model(JOB_CHANGE)
        house.registry.add(model)
        house.registry.promote(model.version)
        client.app.state.door.champion.look()
        assert client.get("/model").json()["version"] == model.version


def test_the_model_says_what_it_asks_about_a_record(client, house):
    told = client.get("/model").json()
    card = house.registry.champion().card
    assert told["threshold"] == house.policy.threshold
    assert told["policy"] == house.policy.version
    assert told["metrics"] == card.metrics
    features = {feature["name"]: feature for feature in told["features"]}
    assert list(features) == [column.name for column in JOB_CHANGE.inputs]
    assert features["city"]["levels"] == list(card.levels["city"])
    assert features["education_level"]["levels"] == list(JOB_CHANGE["education_level"].levels)
    assert features["training_hours"]["levels"] == []
    assert features["training_hours"]["maximum"] == 1000
    assert features["gender"]["role"] == "protected"
    assert features["gender"]["importance"] is None


def finished_run(store, house, name="raw_1.csv", digest="a", verdict=None):
    claim = store.arrivals.claim(name, digest * 64, 10, 1, "cli", "me", 60)
    reason = Reason(2, "gender", "domain", "x", "gender is 'x'")
    store.runs.save_statistics(
        claim, verdict or Verdict(rows_total=3, bad={2: (reason,)}), "medium"
    )
    report = house.folders.reports / f"{claim.run_id}.html"
    report.write_text("<!doctype html><p>räport")
    return store.runs.finish(claim, None, None, None, str(report))


def test_the_files_that_arrived_are_listed_newest_first(client, store, house):
    runs = [finished_run(store, house, f"raw_{i}.csv", str(i)) for i in range(3)]
    told = client.get("/ingestion-runs").json()
    assert told["next"] is None
    assert [run["run_id"] for run in told["runs"]] == [run.run_id for run in runs[::-1]]
    shown = told["runs"][0]
    assert shown["file"] == "raw_2.csv"
    assert shown["criticality"] == "medium"
    assert (shown["rows_total"], shown["rows_valid"], shown["rows_invalid"]) == (3, 2, 1)
    assert shown["issues"] == [{"rule": "domain", "column": "gender", "rows": 1}]
    assert shown["duplicate_of"] is None
    assert datetime.fromisoformat(shown["finished_at"]).astimezone(UTC)
    assert "good" not in shown


def test_the_files_that_arrived_come_in_pages(client, store, house):
    runs = [finished_run(store, house, f"raw_{i}.csv", str(i)) for i in range(5)]
    seen, cursor = [], None
    while True:
        asked = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = client.get("/ingestion-runs", params=asked).json()
        seen += [run["run_id"] for run in page["runs"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [run.run_id for run in runs[::-1]]


@pytest.mark.parametrize("cursor", ["%00", "x y", "", "é", "x" * 65])
def test_a_cursor_that_names_no_run_is_refused(client, cursor):
    assert client.get(f"/ingestion-runs?cursor={cursor}").status_code == 422


def test_a_file_name_that_is_no_text_is_shown_escaped(client, store, house):
    finished_run(store, house, "r\udce4w\n.csv")
    [run] = client.get("/ingestion-runs").json()["runs"]
    assert run["file"] == "r\\xe4w\\u000a.csv"


def test_a_report_is_shown_and_can_neither_run_nor_load_anything(client, store, house):
    finished_run(store, house)
    [run] = client.get("/ingestion-runs").json()["runs"]
    answer = client.get(run["report"])
    assert answer.status_code == 200
    assert answer.text == "<!doctype html><p>räport"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"sandbox", "default-src 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert "script-src" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_range_of_a_report_is_answered_whole(client, store, house):
    finished_run(store, house)
    [run] = client.get("/ingestion-runs").json()["runs"]
    answer = client.get(run["report"], headers={"Range": "bytes=0-0,1-1,2-2"})
    assert answer.status_code == 200
    assert answer.text == "<!doctype html><p>räport"


def test_another_contract_is_served_without_a_change(toy, empty_database, tmp_path):
    store = Store.connect(empty_database, toy)
    store.migrate()
    with serving(open_house(store, tmp_path, toy)) as client:
        record = {"temperature": 80, "maker": "ONeill", "site": None}
        [features] = client.post("/predict", json={"records": [record]}).json()["features"]
        assert features == {"temperature": 80.0, "maker": "O'Neill & Söhne", "site": None}
        [row] = client.get("/past-predictions").json()["rows"]
        assert row["features"] == features
        assert client.post("/predict", json={"records": [RECORD]}).status_code == 422
        asked = client.get("/openapi.json").json()["components"]["schemas"]["Record"]
        assert list(asked["properties"]) == ["temperature", "maker", "site", "failed"]
        assert client.get("/past-predictions?format=csv").text.startswith("id,created_at")
    store.close()


def test_a_text_that_postgres_cannot_hold_never_reaches_it(client, database):
    answer = client.post("/predict", json={"records": [RECORD | {"city": "a\x00"}]})
    assert answer.status_code == 422
    refused = client.post(
        "/predict",
        json={"records": [RECORD | {"\x00": "\x00", "city": "\x00"}], "partial": True},
        headers={"Idempotency-Key": "k"},
    )
    assert refused.status_code == 200
    again = client.post(
        "/predict",
        json={"records": [RECORD | {"\x00": "\x00", "city": "\x00"}], "partial": True},
        headers={"Idempotency-Key": "k"},
    )
    assert again.json() == refused.json()
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM predictions").fetchone() == (0,)
