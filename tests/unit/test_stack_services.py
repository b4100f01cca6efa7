"""What the stack consists of, and what is derived from that."""

import configparser
import json
import os
import runpy
import shlex
from urllib.parse import urlsplit

import pytest

from jobchurn.errors import InvalidSettings, NotFound, StackFailed
from jobchurn.postgres import EmbeddedPostgres
from jobchurn.settings import Settings
from jobchurn.stack import airflow, services, supervision
from jobchurn.stack.gate import Spec
from jobchurn.stack.plan import Plan
from jobchurn.stack.ports import obstacle, owner, refuse_taken
from jobchurn.stack.programs import Program, secret_variables, shared_environment
from jobchurn.stack.record import StackFolder
from jobchurn.stack.services import chosen, services_of

ELSEWHERE = "postgresql+psycopg://me:p%40ss@db.example:5544/mine?sslmode=require"


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Makes settings of a home in ``tmp_path``, whatever the environment says."""
    for name in list(os.environ):
        if name.lower() in Settings.model_fields:
            monkeypatch.delenv(name)

    def make(**values):
        return Settings(jobchurn_home=tmp_path / "home", **values)

    return make


@pytest.fixture
def postgres(monkeypatch):
    """An embedded PostgreSQL that nobody runs."""
    monkeypatch.setattr("jobchurn.stack.plan.find_binaries", lambda _: "/nowhere")
    url = "postgresql://jobchurn:pw@127.0.0.1:5433/jobchurn"
    monkeypatch.setattr(EmbeddedPostgres, "url", lambda *_: url)
    monkeypatch.setattr(EmbeddedPostgres, "command", lambda *_, **how: ["postgres", str(how)])


def plan_of(settings, *only, **how):
    return Plan(settings, chosen(services_of(settings), only or None), **how)


def test_services_start_in_the_order_of_their_needs(settings):
    seen = set()
    for service in services_of(settings()):
        assert seen.issuperset(service.needs)
        seen.add(service.name)
    assert seen == {"postgres", "api", "webapp", "airflow"}


def test_a_service_whose_room_is_absent_is_left_out(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(services, "CHECKOUT", tmp_path)
    assert [service.name for service in services_of(settings())] == ["postgres", "api"]


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (None, ["postgres", "api", "webapp", "airflow"]),
        (["postgres"], ["postgres"]),
        (["api"], ["postgres", "api"]),
        (["airflow", "webapp"], ["postgres", "api", "webapp", "airflow"]),
    ],
)
def test_what_a_service_needs_is_started_with_it(settings, only, expected):
    found = chosen(services_of(settings()), only)
    assert [service.name for service in found] == expected


def test_an_unknown_service_is_refused_with_the_known_ones(settings):
    with pytest.raises(NotFound, match=r"no service grafana.*postgres, api"):
        chosen(services_of(settings()), ["grafana"])


def test_an_api_elsewhere_is_not_started_for_the_web_app(settings):
    elsewhere = settings(api_url="http://api.example")
    assert [s.name for s in chosen(services_of(elsewhere), ["webapp"])] == ["webapp"]


def test_a_database_elsewhere_is_external_and_its_password_is_not_shown(settings):
    [postgres, *_] = services_of(settings(database_url=ELSEWHERE))
    assert postgres.external
    assert postgres.port is None
    assert postgres.address == "db.example:5544"
    assert postgres.health == "postgresql://me@db.example:5544/mine"


@pytest.mark.parametrize(
    ("url", "address", "health"),
    [
        ("postgresql://[::1]:5544/mine", "[::1]:5544", "postgresql://[::1]:5544/mine"),
        (
            "postgresql://me@/mine?host=/run/pg",
            "/run/pg/.s.PGSQL.5432",
            "file:///run/pg/.s.PGSQL.5432",
        ),
        ("postgresql:///mine?host=db&port=5544", "db:5544", "postgresql://db:5544/mine"),
        ("postgres://db", "db:5432", "postgresql://db:5432"),
    ],
)
def test_a_database_is_waited_for_where_its_address_says(settings, url, address, health):
    [postgres, *_] = services_of(settings(database_url=url))
    assert (postgres.address, postgres.health) == (address, health)


@pytest.mark.parametrize("url", ["nonsense", "postgresql://db:port/mine", "postgresql://[/", ":"])
def test_a_database_whose_address_is_none_is_told_without_its_text(settings, url):
    with pytest.raises(InvalidSettings, match="cannot be read") as caught:
        services_of(settings(database_url=url))
    assert url not in caught.value.message


def test_an_api_that_listens_everywhere_is_spoken_to_here(settings):
    everywhere = settings(api_host="0.0.0.0", api_port=9)  # noqa: S104
    api = services_of(everywhere)[1]
    assert api.address == "http://127.0.0.1:9"
    assert api.health.startswith(api.address)


def test_programs_get_the_settings_and_find_each_other(settings):
    mine = settings(api_port=8123, miss_cost=3)
    found = shared_environment(mine)
    assert found["JOBCHURN_HOME"] == str(mine.home)
    assert found["API_URL"] == "http://127.0.0.1:8123"
    assert (found["API_PORT"], found["MISS_COST"]) == ("8123", "3.0")
    assert found["OMP_NUM_THREADS"] == "1"


def test_the_postgres_program_stops_fast_whoever_stops_it(settings, postgres):
    [program] = plan_of(settings(), "postgres").programs()["postgres"]
    assert program.stop_signal == "INT"
    assert "'parent_death_signal': 'INT'" in program.command[1]


def test_no_secret_is_an_argument_of_a_program(settings, postgres):
    mine = settings(teams_webhook="https://hook.example/secret")
    plan = plan_of(mine)
    arguments = " ".join(
        argument
        for group in plan.programs().values()
        for program in group
        for argument in (*program.command, *(a for first in program.first for a in first))
    )
    kept = json.loads((mine.home / "secrets" / "airflow.json").read_text())
    for secret in ("pw", "hook.example", *kept.values()):
        assert secret not in arguments.split("/")
        assert len(secret) < 3 or secret not in arguments


def test_each_program_is_told_the_secrets_that_it_needs_and_no_others(settings, postgres):
    secrets = {
        "teams_webhook": "https://hook.example/secret",
        "alert_urls": "json://hook.example/other",
        "link_secret": "l" * 40,
        "api_key": f"jc_{'0' * 8}_{'s' * 43}",
        "grafana_database_password": "hush",
    }
    plan = plan_of(settings(**secrets))
    told = {}
    for group in plan.programs().values():
        for program in group:
            environment = plan.environment | program.environment
            told[program.name] = {name for name in secrets if environment[name.upper()]}
    assert {name: found for name, found in told.items() if found} == {
        "api": {"link_secret"},
        "webapp": {"api_key"},
        "airflow-scheduler": {"teams_webhook", "alert_urls", "link_secret", "api_key"},
    }


def test_the_owners_command_is_told_the_owners_address_and_no_other_secret(settings, postgres):
    mine = settings(link_secret="l" * 40, teams_webhook="https://hook.example/secret")
    embedded = plan_of(mine).owners_environment
    assert not any(embedded[name] for name in secret_variables())
    assert embedded["JOBCHURN_HOME"] == str(mine.home)
    own = settings(database_url=ELSEWHERE, api_database_url=ELSEWHERE, link_secret="l" * 40)
    told = plan_of(own).owners_environment
    assert {name for name in secret_variables() if told[name]} == {"DATABASE_URL"}
    assert told["DATABASE_URL"] == ELSEWHERE
    assert plan_of(settings(api_url="http://api.example"), "webapp").owners_environment is None


def test_the_variables_of_secrets_are_those_of_all_settings_that_are_shown_to_nobody():
    shown = repr(Settings(**dict.fromkeys(("teams_webhook", "link_secret"), "x" * 40)))
    assert "x" * 40 not in shown
    assert {"TEAMS_WEBHOOK", "LINK_SECRET", "API_KEY", "DATABASE_URL"} <= set(secret_variables())
    assert "API_PORT" not in secret_variables()


def test_only_an_external_service_has_no_program(settings):
    programs = plan_of(settings(database_url=ELSEWHERE)).programs()
    assert [name for name, group in programs.items() if not group] == ["postgres"]


def test_supervisord_hands_on_no_secret_in_whatever_case_its_variable_is_written(
    monkeypatch, tmp_path
):
    kept = {"OF_MY_OWN": "1", "API_PORT": "8000"}
    secret = {*secret_variables(), *airflow.CONNECTION_VARIABLES}
    monkeypatch.setattr(
        "os.environ", kept | dict.fromkeys({*secret, *map(str.lower, secret)}, "hush")
    )
    told = supervision.environment(StackFolder(tmp_path), tmp_path / "supervisor.sock")
    assert kept.items() <= told.items()
    assert "hush" not in told.values()


def test_other_programs_are_told_where_everything_is(settings, postgres):
    plan = plan_of(settings(webapp_port=1, airflow_port=2))
    assert plan.public_environment == {
        "JOBCHURN_HOME": str(plan.settings.home),
        "DATABASE_URL": "postgresql://jobchurn:pw@127.0.0.1:5433/jobchurn",
        "API_URL": "http://127.0.0.1:8000",
        "WEBAPP_URL": "http://127.0.0.1:1",
        "AIRFLOW_URL": "http://127.0.0.1:2",
    }


def ways_in(plan):
    """Each program, and in whose name it reaches which database."""
    found = {}
    for group in plan.programs().values():
        for program in group:
            environment = plan.environment | program.environment
            urls = environment["DATABASE_URL"], environment.get(airflow.CONNECTION_VARIABLE, "")
            found[program.name] = [
                f"{url.username}@{url.path}" if url.username else "" for url in map(urlsplit, urls)
            ]
            others = [name for name in secret_variables() if "DATABASE" in name]
            assert not any(environment[name] for name in others if name != "DATABASE_URL")
    return found


def test_each_program_reaches_the_embedded_database_by_its_role_or_not_at_all(
    settings, monkeypatch
):
    monkeypatch.setattr("jobchurn.stack.plan.find_binaries", lambda _: "/nowhere")
    monkeypatch.setattr(EmbeddedPostgres, "command", lambda *_, **_how: ["postgres"])
    mine = settings(grafana_database_password="hush")
    assert ways_in(plan_of(mine, demo=True)) == {
        "postgres": ["", ""],
        "api": ["jobchurn_api@/jobchurn", ""],
        "webapp": ["", ""],
        "airflow-api-server": ["", "airflow@/airflow"],
        "airflow-scheduler": ["jobchurn_ingestion@/jobchurn", "airflow@/airflow"],
        "airflow-dag-processor": ["", "airflow@/airflow"],
        "airflow-feeder": ["jobchurn_ingestion@/jobchurn", ""],
    }


def test_each_program_reaches_a_database_of_ones_own_as_the_settings_say(settings):
    given = {
        "api_database_url": "postgresql://jobchurn_api:pw@db.example/mine",
        "ingestion_database_url": "postgresql://jobchurn_ingestion:pw@db.example/mine",
    }
    found = ways_in(plan_of(settings(database_url=ELSEWHERE, **given)))
    assert found["api"][0] == "jobchurn_api@/mine"
    assert found["airflow-scheduler"] == ["jobchurn_ingestion@/mine", "me@/airflow"]
    assert found["airflow-dag-processor"][0] == found["webapp"][0] == ""
    one_for_all = ways_in(plan_of(settings(database_url=ELSEWHERE)))
    assert one_for_all["api"][0] == one_for_all["airflow-scheduler"][0] == "me@/mine"


def test_airflow_has_a_database_of_its_own_on_the_same_server(settings, monkeypatch):
    monkeypatch.delenv(airflow.CONNECTION_VARIABLE, raising=False)
    found = airflow.airflow_environment(settings(), airflow.airflow_database(ELSEWHERE), demo=False)
    rest = "me:p%40ss@db.example:5544/airflow?sslmode=require"
    assert found[airflow.CONNECTION_VARIABLE] == f"postgresql+psycopg://{rest}"
    assert found[f"{airflow.CONNECTION_VARIABLE}_ASYNC"] == f"postgresql+psycopg_async://{rest}"


def test_airflows_database_may_be_named_by_airflows_own_variable(settings, monkeypatch):
    monkeypatch.setenv(airflow.CONNECTION_VARIABLE, "postgresql+psycopg://af@other/af")
    found = airflow.airflow_environment(settings(), ELSEWHERE, demo=False)
    assert found[f"{airflow.CONNECTION_VARIABLE}_ASYNC"] == "postgresql+psycopg_async://af@other/af"


def test_airflows_secrets_are_made_once_and_kept_private(settings):
    mine = settings()
    first = airflow.airflow_environment(mine, ELSEWHERE, demo=False)
    assert airflow.airflow_environment(mine, ELSEWHERE, demo=False) == first
    folder = mine.home / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    other = Settings(jobchurn_home=mine.home / "other")
    again = airflow.airflow_environment(other, ELSEWHERE, demo=False)
    for name in ("AIRFLOW__API__SECRET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET"):
        assert again[name] != first[name]


def test_a_generated_password_is_told_once(settings):
    mine = settings()
    password = json.loads(airflow.passwords_file(mine, demo=False).read_text())["admin"]
    assert len(password) >= 16
    [first], [second] = (airflow.announcements(mine, demo=False) for _ in range(2))
    assert password in first
    assert password not in second


def test_a_demonstrations_password_does_not_outlive_it(settings):
    mine = settings()
    assert json.loads(airflow.passwords_file(mine, demo=True).read_text()) == {"admin": "admin"}
    after = json.loads(airflow.passwords_file(mine, demo=False).read_text())
    assert after["admin"] != "admin"


def test_a_demonstration_is_fed(settings):
    def names(**how):
        found = airflow.airflow_programs(settings(), ELSEWHERE, ELSEWHERE, {}, **how)
        return [program.name for program in found]

    assert names(demo=True) == [*names(demo=False), "airflow-feeder"]


def test_the_configuration_names_no_path_and_no_secret(tmp_path):
    folder = StackFolder(tmp_path / "a b;c #d %e").make()
    program = Program(
        name="toy",
        command=("toy", "a b"),
        environment={"PASSWORD": "hush"},
        stop_signal="INT",
        stop_seconds=7,
        signal_group=True,
    )
    supervision.write_configuration(folder, [program], {"SHARED": "1", "PASSWORD": "no"})
    text = (folder.run / "supervisor.conf").read_text()
    assert str(tmp_path) not in text
    assert "hush" not in text
    read = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    read.read_string(text)
    section = read["program:toy"]
    assert shlex.split(section["command"])[-1] == "toy.json"
    assert (section["stopsignal"], section["stopwaitsecs"]) == ("INT", "7")
    assert section["stopasgroup"] == section["killasgroup"] == "true"
    spec = folder.run / "toy.json"
    assert spec.stat().st_mode & 0o777 == 0o600
    assert Spec(**json.loads(spec.read_text())) == Spec(
        command=["toy", "a b"],
        environment={"SHARED": "1", "PASSWORD": "hush", "STACK_STOP_SECONDS": "7"},
        folder=str(program.folder),
    )


def test_a_socket_path_too_long_for_the_system_is_replaced_by_a_private_short_one(tmp_path):
    assert supervision.socket_path(StackFolder(tmp_path)).parent == tmp_path / "run"
    short = supervision.socket_path(StackFolder(tmp_path / ("x" * 100)))
    assert len(str(short)) < 60
    assert short.parent.stat().st_mode & 0o777 == 0o700
    short.parent.rmdir()


def test_a_port_set_twice_is_refused(settings):
    with pytest.raises(StackFailed, match="both set to port 8000") as refused:
        refuse_taken(services_of(settings(webapp_port=8000, postgres_port=5999)))
    assert "WEBAPP_PORT" in refused.value.cure


def test_a_host_that_is_not_ours_cannot_be_listened_on():
    assert obstacle("192.0.2.1", 8000) is not None


def test_nobody_holds_a_free_port():
    assert owner(1) is None


def test_everything_that_tasks_need_is_there_for_the_scheduler_to_import(monkeypatch):
    monkeypatch.setattr("sys.argv", ["airflow", "scheduler"])
    namespace = runpy.run_path(str(airflow.LOCAL_SETTINGS / "airflow_local_settings.py"))
    assert namespace["__all__"] == []
    assert "ingest" in namespace
