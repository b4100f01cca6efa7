"""Predictions over HTTP, on a real database and a real model."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from api_house import RECORD, open_house, serving
from jobchurn.contract import JOB_CHANGE
from small_model import random_records, small_model

INPUTS = [column.name for column in JOB_CHANGE.inputs]


@pytest.fixture
def house(store, tmp_path):
    return open_house(store, tmp_path)


@pytest.fixture
def client(house):
    with serving(house) as client:
        yield client


def predict(client, records, key=None, **more):
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/predict", json={"records": records, **more}, headers=headers)


def test_the_original_clients_calls_work_unchanged(client):
    records = [RECORD, RECORD | {"gender": None, "enrollee_id": 8949, "target": 1.0}]
    answer = client.post("/predict", json={"records": records, "source": "scheduled"})
    assert answer.status_code == 200
    told = answer.json()
    assert told["n"] == len(told["predictions"]) == len(told["features"]) == 2
    assert [p["prediction"] in (0, 1) for p in told["predictions"]] == [True, True]
    assert all(0 < p["probability"] < 1 for p in told["predictions"])

    past = client.get("/past-predictions", params={"source": "scheduled"}).json()
    assert len(past["rows"]) == 2
    for row, prediction, features in zip(
        past["rows"], told["predictions"][::-1], told["features"][::-1], strict=True
    ):
        assert row["created_at"].startswith("20")
        assert row["source"] == "scheduled"
        assert row["model_version"] == told["model_version"]
        assert row["features"] == features
        assert row["prediction"] == {k: prediction[k] for k in ("prediction", "probability")}


def test_probabilities_are_the_models_and_decisions_the_policys(client, house):
    records = random_records(JOB_CHANGE, 50, seed=3)
    told = predict(client, records).json()
    expected = house.registry.champion().probabilities(records).tolist()
    assert [p["probability"] for p in told["predictions"]] == expected
    threshold = house.policy.threshold
    assert [p["prediction"] for p in told["predictions"]] == [int(p >= threshold) for p in expected]
    assert {p["prediction"] for p in told["predictions"]} == {0, 1}


def test_features_are_canonical_in_order_and_without_id_and_outcome(client):
    record = {"experience": 5, "company_size": "10/49", "training_hours": 36.0, "target": 0}
    [features] = predict(client, [RECORD | record]).json()["features"]
    assert list(features) == INPUTS
    assert features["experience"] == "5"
    assert features["company_size"] == "10-49"
    assert features["training_hours"] == 36


def test_an_absent_optional_field_is_null(client):
    record = {k: v for k, v in RECORD.items() if k not in ("gender", "company_type")}
    [features] = predict(client, [record]).json()["features"]
    assert features["gender"] is features["company_type"] is None


def test_an_unknown_city_is_predicted(client):
    assert predict(client, [RECORD | {"city": "Nowhere-on-Sea"}]).status_code == 200


def test_one_refused_record_refuses_the_request_and_nothing_is_stored(client, store):
    answer = predict(client, [RECORD, RECORD | {"gender": "male"}], key="k")
    assert answer.status_code == 422
    problem = answer.json()
    [error] = problem["errors"]
    assert (error["record"], error["field"], error["value"]) == (2, "gender", "male")
    assert error["nearest"] == "Male"
    assert store.predictions.count() == 0
    # Nor is the key used up.
    assert predict(client, [RECORD], key="k").status_code == 200


def test_a_partial_request_predicts_the_good_records_and_lists_the_refused(client, store):
    records = [{}, RECORD, 5, RECORD | {"city": "x"}, RECORD | {"training_hours": -1}]
    told = predict(client, records, partial=True).json()
    assert told["n"] == 2
    assert [p["record"] for p in told["predictions"]] == [2, 4]
    assert [f["city"] for f in told["features"]] == [RECORD["city"], "x"]
    assert [refusal["record"] for refusal in told["refused"]] == [1, 3, 5]
    assert store.predictions.count() == 2


def test_a_partial_request_without_a_good_record_answers_and_stores_nothing(client, store):
    told = predict(client, [{}], partial=True).json()
    assert (told["n"], len(told["refused"])) == (0, 1)
    assert store.predictions.count() == 0


def test_a_repeated_request_gets_the_first_answer_and_stores_nothing_new(client, store, house):
    records = [RECORD, {"gender": 5}, RECORD | {"city": "x"}]
    first = predict(client, records, key="k", partial=True)
    other = small_model(JOB_CHANGE, seed=1)
    house.registry.add(other)
    house.registry.promote(other.version)
    client.app.state.door.champion.look()
    again = predict(client, records, key="k", partial=True)
    assert again.status_code == 200
    assert again.json() == first.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert store.predictions.count() == 2
    assert predict(client, records, partial=True).json()["model_version"] == other.version


@pytest.mark.parametrize(
    "other",
    [
        {"records": [RECORD | {"city": "x"}]},
        {"records": []},
        {"records": [RECORD, RECORD]},
        {"records": [RECORD], "source": "scheduled"},
        {"records": [RECORD, {}], "partial": True},
    ],
)
def test_a_key_that_was_used_for_another_request_is_refused(client, store, other):
    assert predict(client, [RECORD], key="k").status_code == 200
    answer = client.post("/predict", json=other, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:jobchurn:problem:idempotency-conflict"
    assert store.predictions.count() == 1


def test_the_same_request_in_other_words_is_the_same_request(client):
    first = predict(client, [RECORD | {"company_size": "10-49", "experience": "5"}], key="k")
    again = client.post(
        "/predict",
        json={
            "source": "webapp",
            "records": [RECORD | {"experience": 5, "company_size": "Oct-49"}],
        },
        headers={"Idempotency-Key": "k"},
    )
    assert again.json() == first.json()


def test_a_repeated_request_of_no_records_stays_one_of_no_records(client):
    first = predict(client, [], key="k")
    assert first.json()["n"] == 0
    assert predict(client, [], key="k").json() == first.json()
    assert predict(client, [RECORD], key="k").status_code == 422


def test_one_key_sent_by_eight_at_once_is_stored_once_and_answered_alike(client, store):
    together = threading.Barrier(8)

    def send(_):
        together.wait()
        return predict(client, [RECORD] * 20, key="k")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 7
    assert store.predictions.count() == 20


def test_eight_writers_lose_and_double_nothing(client, store):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: predict(client, [RECORD] * 5), range(40)))
    ids = [p["id"] for answer in answers for p in answer.json()["predictions"]]
    assert len(set(ids)) == len(ids) == store.predictions.count() == 200


def test_the_rows_that_records_come_from_are_kept(client, store):
    lineage = {"run": "20261124T073000-3f9a2c", "file": "räw\n1.csv", "first_row": 11}
    records = [RECORD, {}, RECORD]
    predict(client, records, partial=True, source="scheduled", lineage=lineage)
    rows, _ = store.predictions.page()
    assert [(r.run_id, r.file_name, r.row_number) for r in rows] == [
        ("20261124T073000-3f9a2c", "räw\n1.csv", 13),
        ("20261124T073000-3f9a2c", "räw\n1.csv", 11),
    ]


def test_an_explanation_sums_to_the_score_and_stores_nothing(client, store, house):
    records = [RECORD, {}, RECORD | {"city": "Nowhere-on-Sea"}]
    told = client.post("/explain", json={"records": records, "partial": True}).json()
    assert [e["record"] for e in told["explanations"]] == [1, 3]
    assert [refusal["record"] for refusal in told["refused"]] == [2]
    assert told["model_version"] == house.registry.champion().version
    for explanation in told["explanations"]:
        assert list(explanation["contributions"]) == [c.name for c in JOB_CHANGE.features]
        total = explanation["baseline"] + sum(explanation["contributions"].values())
        assert total == pytest.approx(explanation["score"], abs=1e-9)
    assert store.predictions.count() == 0


def test_an_explanation_of_nothing_is_empty(client):
    told = client.post("/explain", json={"records": []}).json()
    assert (told["explanations"], told["n"]) == ([], 0)


def test_a_refused_record_refuses_an_explanation(client):
    assert client.post("/explain", json={"records": [{}]}).status_code == 422


def test_every_answer_comes_from_one_version_while_the_champion_changes(client, house):
    models = [house.registry.champion(), small_model(JOB_CHANGE, seed=1)]
    house.registry.add(models[1])
    expected = {m.version: m.probabilities([RECORD] * 30).tolist() for m in models}
    done = threading.Event()

    def change():
        turn = 0
        while not done.is_set():
            turn += 1
            house.registry.promote(models[turn % 2].version)
            client.app.state.door.champion.look()

    changing = threading.Thread(target=change)
    changing.start()
    try:
        seen = set()
        for _ in range(40):
            told = predict(client, [RECORD] * 30).json()
            seen.add(told["model_version"])
            found = [p["probability"] for p in told["predictions"]]
            assert found == expected[told["model_version"]]
    finally:
        done.set()
        changing.join()
    assert len(seen) == 2


def test_a_database_that_drops_its_connections_is_reached_again(client, database):
    assert predict(client, [RECORD]).status_code == 200
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert predict(client, [RECORD]).status_code == 200


def test_while_the_database_is_away_requests_are_refused_with_a_cure_and_then_served(
    client, database, store
):
    server, _, name = database.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        for _ in range(3):
            answer = predict(client, [RECORD], key="k")
            assert answer.status_code == 503
            assert answer.json()["cure"]
            assert "retry-after" in answer.headers
        assert client.get("/past-predictions").status_code == 503
        assert client.get("/past-predictions?format=csv").status_code == 503
        assert client.get("/ready").status_code == 503
        assert client.get("/health").status_code == 200
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert predict(client, [RECORD], key="k").status_code == 200
    assert client.get("/ready").status_code == 200
    assert store.predictions.count() == 1
