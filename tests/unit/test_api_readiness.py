"""Whether the application is ready, and which model is in charge while that changes behind it."""

import logging
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from api_doubles import DOWN, RECORD, Model, Registry, doubled_services, problem_of, until
from api_house import serving
from jobchurn.api import create_app
from jobchurn.api.champion import Champion
from jobchurn.errors import InvalidSettings, ModelCorrupt, NoChampion

CORRUPT = ModelCorrupt("lgbm-2 is not what was registered.", "Restore it.")


@pytest.fixture
def services(tmp_path):
    return doubled_services(tmp_path)


@pytest.fixture
def client(services):
    with serving(services) as client:
        yield client


@pytest.fixture
def champion():
    return Champion(Registry())


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


@pytest.mark.parametrize("endpoint", ["localhost:4318", "/v1"])
def test_a_place_for_traces_that_is_none_is_refused_at_the_start(services, endpoint):
    settings = services.settings.model_copy(update={"otel_exporter_otlp_endpoint": endpoint})
    with pytest.raises(InvalidSettings, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        create_app(replace(services, settings=settings))


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
