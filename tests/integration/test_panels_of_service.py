"""What the panels on the service say, reckoned by hand."""

import pytest

from monitored_house import SERVICE, lines, monitored
from monitoring_work import number, seen


@pytest.fixture(scope="module")
def store(postgres_server, template_database, tmp_path_factory):
    """A store in which a little has happened."""
    yield from monitored(postgres_server, template_database, tmp_path_factory.mktemp("models"))


def test_requests_count_as_often_as_their_weight_says(store):
    assert number(store, SERVICE, 1) == 20
    assert number(store, SERVICE, 1, route=["/predict"]) == 10
    assert number(store, SERVICE, 2) == pytest.approx(0.05)
    assert number(store, SERVICE, 2, route=["/predict"]) == pytest.approx(0.1)
    assert lines(seen(store, SERVICE, 11)) == {"2xx": [19], "5xx": [1]}


def test_percentiles_of_latency_are_weighted(store):
    assert number(store, SERVICE, 3) == 0.2
    assert number(store, SERVICE, 3, route=["/predict"]) == 0.3
    assert lines(seen(store, SERVICE, 12)) == {"p50": [0.01], "p95": [0.2], "p99": [0.3]}


def test_the_queue_is_deep_in_the_mean_and_at_most(store):
    assert lines(seen(store, SERVICE, 15)) == {"mean": [pytest.approx(22 / 20)], "most": [6]}


def test_routes_are_told_apart_the_busiest_first(store):
    model, predict = seen(store, SERVICE, 17)
    assert model["route"] == "GET /model"
    assert predict == {
        "route": "POST /predict",
        "requests": 10,
        "failed": pytest.approx(0.1),
        "p50": 0.2,
        "p95": 0.3,
        "p99": 0.3,
        "records each": pytest.approx(8.4),
    }


def test_predictions_a_second_are_those_of_each_interval(store):
    assert lines(seen(store, SERVICE, 16)) == {
        "predictions": [pytest.approx(4 / 120), pytest.approx(6 / 120)]
    }


def test_freshness_is_from_arriving_to_stored_predictions(store):
    assert number(store, SERVICE, 7) == pytest.approx(60)
    assert number(store, SERVICE, 8) == pytest.approx(660)
    assert lines(seen(store, SERVICE, 14)) == {
        "p50": [pytest.approx(60)],
        "p99": [pytest.approx(660)],
    }


def test_a_file_that_took_long_and_one_that_waits_miss_the_objective(store):
    assert number(store, SERVICE, 9) == pytest.approx(1 / 3)
    assert number(store, SERVICE, 4) == pytest.approx(1 - (2 / 3) / 0.01)
    assert number(store, SERVICE, 10) == 1


def test_jobs_show_their_worst_and_their_longest_run(store):
    assert number(store, SERVICE, 5) == 1
    assert lines(seen(store, SERVICE, 18)) == {"dag_ingestion": [1], "dag_prediction": [2]}
    assert lines(seen(store, SERVICE, 19)) == {"dag_ingestion": [5], "dag_prediction": [7]}


def test_alerts_tell_whether_they_were_delivered(store):
    assert number(store, SERVICE, 6) == 1
    waiting, delivered = seen(store, SERVICE, 21)
    assert (waiting["title"], waiting["status"], waiting["took"]) == ("Wait", "pending", None)
    assert (delivered["status"], delivered["attempts"]) == ("delivered", 1)
    assert delivered["took"] >= 0


def test_rules_that_fire_stand_first(store):
    assert [(row["rule"], row["state"], row["value"]) for row in seen(store, SERVICE, 20)] == [
        ("drift", "firing", 1),
        ("bad-rows", "ok", 0),
    ]


def test_the_database_tells_of_its_size_and_its_connections(store):
    assert number(store, SERVICE, 22) > 1_000_000
    assert number(store, SERVICE, 24) >= 1
    assert 0 < number(store, SERVICE, 25) < 1
