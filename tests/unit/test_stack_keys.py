"""The keys of the stack's own programs."""

import json
import re

import pytest
from pydantic import SecretStr

from jobchurn.access import NAME_PATTERN, Key, Scope
from jobchurn.postgres import EmbeddedPostgres
from jobchurn.settings import Settings
from jobchurn.stack.keys import service_keys
from jobchurn.stack.plan import Plan
from jobchurn.stack.services import chosen, services_of

ALL = ["postgres", "api", "webapp", "airflow"]


@pytest.fixture
def settings(tmp_path):
    def make(**values):
        return Settings(**{"jobchurn_home": tmp_path / "home", "api_keys": "always"} | values)

    return make


def test_each_service_that_asks_the_api_has_a_key_for_what_it_asks(settings):
    keys = service_keys(settings(), ALL)
    assert {name: one.scopes for name, one in keys.items()} == {
        "webapp": {Scope.PREDICT, Scope.READ},
        "airflow": {Scope.SCHEDULED},
    }
    assert len({one.key.secret for one in keys.values()}) == 2


@pytest.mark.parametrize(
    ("values", "services"),
    [
        ({"api_keys": "beyond-loopback"}, ALL),
        ({"api_key": SecretStr(Key.make().text)}, ALL),
        ({}, ["webapp"]),
        ({}, ["postgres", "api"]),
    ],
)
def test_there_are_none_where_none_are_needed(settings, values, services):
    assert service_keys(settings(**values), services) == {}


def test_a_start_has_keys_that_no_other_has_under_the_names_of_this_home(settings, tmp_path):
    first, second = (service_keys(settings(), ALL)["webapp"] for _ in range(2))
    other = service_keys(settings(jobchurn_home=tmp_path / "other"), ALL)["webapp"]
    assert first.name == second.name
    assert first.key != second.key
    assert other.name != first.name


def test_no_key_that_people_make_has_a_services_name(settings):
    for one in service_keys(settings(), ALL).values():
        assert not re.fullmatch(NAME_PATTERN, one.name)


def test_only_the_programs_that_ask_the_api_are_told_their_key(settings, monkeypatch):
    monkeypatch.setattr("jobchurn.stack.plan.find_binaries", lambda _: "/nowhere")
    url = "postgresql://jobchurn:pw@127.0.0.1:5433/jobchurn"
    monkeypatch.setattr(EmbeddedPostgres, "url", lambda *_: url)
    monkeypatch.setattr(EmbeddedPostgres, "command", lambda *_, **_how: ["postgres"])
    asked = settings()
    keys = service_keys(asked, ALL)
    plan = Plan(asked, chosen(services_of(asked), None), keys=keys)
    told = {
        program.name: program.environment.get("API_KEY")
        for group in plan.programs().values()
        for program in group
    }
    assert told == {
        "postgres": None,
        "api": None,
        "webapp": keys["webapp"].key.text,
        "airflow-api-server": None,
        "airflow-scheduler": keys["airflow"].key.text,
        "airflow-dag-processor": None,
    }
    shared = json.dumps([plan.environment, plan.public_environment])
    assert not any(one.key.secret in shared + repr(plan) for one in keys.values())
