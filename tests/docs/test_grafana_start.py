"""grafana/start.sh: what Grafana is given, by what the environment says."""

import subprocess
from pathlib import Path

import pytest
import yaml

from grafana_sample import OTHER, RULES, SMALL
from jobchurn.grafana.files import built_of, faults_of

SCRIPT = Path(__file__).parents[2] / "grafana" / "start.sh"
PASSWORD = "correct horse"


@pytest.fixture
def place(tmp_path):
    """A folder as it is mounted, secrets, data, and a Grafana that notes what it is told."""
    for path, text in built_of((SMALL, OTHER), RULES).items():
        file = tmp_path / "ours" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "ours" / "start.sh").write_text(SCRIPT.read_text())
    for folder in ("secrets", "data", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "secrets/GF_SECURITY_ADMIN_PASSWORD").write_text(PASSWORD)
    (tmp_path / "secrets/GRAFANA_DATABASE_PASSWORD").write_text("battery staple")
    told = tmp_path / "bin" / "grafana"
    told.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\ncat >>{tmp_path}/asked\n')
    told.chmod(0o755)
    return tmp_path


def started(place, code=0, **environment):
    """The environment that the command gets, what was said, and the alerting files by name."""
    done = subprocess.run(
        ["sh", place / "ours" / "start.sh", "env"],
        env={
            "PATH": f"{place / 'bin'}:/usr/bin:/bin",
            "SECRETS": str(place / "secrets"),
            "GRAFANA_FILES": str(place / "completed"),
            "GF_PATHS_DATA": str(place / "data"),
        }
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    lines = done.stdout.splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line), done.stdout + done.stderr


def alerting(place):
    folder = place / "completed" / "provisioning" / "alerting"
    return {path.stem: yaml.safe_load(path.read_text()) for path in folder.iterdir()}


def channels(place):
    """The channels that are provisioned, and those that are taken back."""
    files = alerting(place).values()
    kept = {
        receiver["uid"]
        for file in files
        for point in file.get("contactPoints", [])
        for receiver in point["receivers"]
    }
    gone = {each["uid"] for file in files for each in file.get("deleteContactPoints", [])}
    return kept, gone


@pytest.mark.parametrize("password", [None, ""])
def test_without_a_password_grafana_does_not_start_with_the_one_that_all_know(place, password):
    file = place / "secrets/GF_SECURITY_ADMIN_PASSWORD"
    file.unlink()
    if password is not None:
        file.write_text(password)
    environment, said = started(place, code=1)
    assert environment == {}
    assert "GF_SECURITY_ADMIN_PASSWORD" in said


def test_secrets_become_variables_and_grafana_is_told_where_its_files_are(place):
    environment, _ = started(place)
    assert environment["GF_SECURITY_ADMIN_PASSWORD"] == PASSWORD
    assert environment["GRAFANA_DATABASE_PASSWORD"] == "battery staple"
    provisioning = Path(environment["GF_PATHS_PROVISIONING"])
    assert provisioning == place / "completed" / "provisioning"
    assert {path.name for path in provisioning.iterdir()} == {
        "alerting", "dashboards", "datasources", "plugins",
    }  # fmt: skip
    dashboards = Path(environment["GRAFANA_DASHBOARDS"])
    assert {path.name for path in dashboards.iterdir()} == {"small.json", "other.json"}


def test_without_an_address_there_is_a_channel_that_tells_nobody(place):
    _, said = started(place)
    assert channels(place) == (
        {"jobchurn-nobody"},
        {"jobchurn-teams", "jobchurn-email", "jobchurn-webhook"},
    )
    assert "to nobody" in said


@pytest.mark.parametrize(
    ("variable", "address", "channel"),
    [
        ("GRAFANA_TEAMS_WEBHOOK", "https://teams.test/hook?sig=a%2Fb&x=1", "teams"),
        ("GRAFANA_EMAIL", "ops@example.test;dev@example.test", "email"),
        ("GRAFANA_WEBHOOK", "http://listener.test/", "webhook"),
    ],
)
def test_a_channel_with_an_address_is_provisioned_and_the_others_are_not(
    place, variable, address, channel
):
    environment, said = started(place, **{variable: address})
    kept, gone = channels(place)
    assert kept == {f"jobchurn-{channel}"}
    assert len(gone) == 3
    assert not kept & gone
    assert environment[variable] == address
    assert f"sends alerts to: {channel}" in said
    assert address not in said.replace(f"{variable}={address}", "")


def test_whatever_the_addresses_are_there_is_a_channel_for_the_policy(place):
    _, _ = started(place)
    assert channels(place)[0]
    started(place, GRAFANA_EMAIL="a@b.test", GRAFANA_WEBHOOK="http://c.test")
    assert channels(place)[0] == {"jobchurn-email", "jobchurn-webhook"}


def test_what_it_writes_is_in_a_form_that_grafana_reads(place):
    started(place, RUNBOOK_URL="https://wiki.test/runbook/")
    for path in (place / "completed" / "provisioning" / "alerting").iterdir():
        if path.stem != "rules":
            assert list(faults_of(f"provisioning/alerting/{path.name}", path.read_text())) == []


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({}, "http://127.0.0.1:8000/runbook"),
        ({"API_PUBLIC_URL": "https://api.test/"}, "https://api.test/runbook"),
        ({"RUNBOOK_URL": "https://wiki.test/x_1/"}, "https://wiki.test/x_1"),
        ({"RUNBOOK_URL": ""}, "http://127.0.0.1:8000/runbook"),
    ],
)
def test_every_rule_links_its_page_at_the_runbooks_address(place, environment, address):
    started(place, **environment)
    [group] = alerting(place)["rules"]["groups"]
    assert [rule["annotations"]["runbook_url"] for rule in group["rules"]] == [
        f"{address}/{rule['uid']}" for rule in group["rules"]
    ]
    assert "$values" in group["rules"][0]["annotations"]["description"]
    assert "$__timeFilter" in group["rules"][0]["data"][0]["model"]["rawSql"]


QUERY = "folder=%2Frunbook%2F&expires=1800000000&signature=a-b_c"


@pytest.mark.parametrize(
    ("environment", "tail"),
    [({}, f"?{QUERY}"), ({"RUNBOOK_URL": "https://wiki.test/x"}, "")],
)
def test_links_to_the_api_s_runbook_are_signed_and_those_to_another_s_are_not(
    place, environment, tail
):
    (place / "secrets" / "RUNBOOK_QUERY").write_text(QUERY)
    started(place, **environment)
    address = environment.get("RUNBOOK_URL", "http://127.0.0.1:8000/runbook")
    [group] = alerting(place)["rules"]["groups"]
    assert [rule["annotations"]["runbook_url"] for rule in group["rules"]] == [
        f"{address}/{rule['uid']}{tail}" for rule in group["rules"]
    ]


def test_where_keys_are_asked_for_dashboards_lead_to_what_opens_without_one(place):
    for name in ("ingestion", "service"):
        text = (SCRIPT.parent / "dashboards" / f"{name}.json").read_text()
        (place / "ours" / "dashboards" / f"{name}.json").write_text(text)
    (place / "secrets" / "RUNBOOK_QUERY").write_text(QUERY)
    started(place)
    completed = place / "completed" / "dashboards"
    service, ingestion = (
        (completed / f"{name}.json").read_text() for name in ("service", "ingestion")
    )
    assert f'"${{api}}/runbook/${{__value.raw}}?{QUERY}"' in service
    assert '"${webapp}/ingestion"' in ingestion
    assert "/reports/" not in ingestion
    for name, text in (("service", service), ("ingestion", ingestion)):
        assert list(faults_of(f"dashboards/{name}.json", text)) == []


@pytest.mark.parametrize("query", ['a"b', "a|b", "a b", "a\nb", "a\\b", "a'b", "$(id)"])
def test_what_is_no_query_ends_the_start(place, query):
    (place / "secrets" / "RUNBOOK_QUERY").write_text(query)
    assert "no query" in started(place, code=1)[1]


def test_dashboards_lead_to_the_addresses_of_this_installation(place):
    started(place, API_PUBLIC_URL="https://api.test/", WEBAPP_PUBLIC_URL="https://app.test:8443")
    text = (place / "completed" / "dashboards" / "small.json").read_text()
    assert '"query": "https://api.test"' in text
    assert '"query": "https://app.test:8443"' in text
    assert "127.0.0.1" not in text
    assert list(faults_of("dashboards/small.json", text)) == []


@pytest.mark.parametrize("address", ['http://a.test/"', "http://a|b", "http://a b", "a\\nb"])
def test_an_address_that_would_break_a_file_ends_the_start(place, address):
    _, said = started(place, code=1, API_PUBLIC_URL=address)
    assert "no address that can be used" in said


def test_a_start_again_completes_the_files_afresh(place):
    started(place, GRAFANA_EMAIL="a@b.test", API_PUBLIC_URL="https://api.test")
    started(place)
    assert channels(place)[0] == {"jobchurn-nobody"}
    assert "api.test" not in (place / "completed" / "dashboards" / "small.json").read_text()


def test_mail_is_on_where_there_is_a_server_for_it(place):
    assert "GF_SMTP_ENABLED" not in started(place, GF_SMTP_HOST="")[0]
    assert started(place, GF_SMTP_HOST="mail.test:25")[0]["GF_SMTP_ENABLED"] == "true"


def test_grafana_is_told_a_password_that_has_changed_since_its_first_start(place):
    started(place)
    (place / "data" / "grafana.db").touch()
    started(place)
    assert not (place / "asked").exists()
    (place / "secrets/GF_SECURITY_ADMIN_PASSWORD").write_text("admin")
    started(place)
    asked = (place / "asked").read_text()
    assert "admin reset-admin-password --password-from-stdin" in asked.splitlines()[0]
    assert asked.splitlines()[1:] == ["admin"]
    started(place)
    assert (place / "asked").read_text() == asked


def test_a_password_that_cannot_be_changed_is_said_and_tried_again(place):
    started(place)
    (place / "data" / "grafana.db").touch()
    (place / "secrets/GF_SECURITY_ADMIN_PASSWORD").write_text("another")
    grafana = place / "bin" / "grafana"
    working = grafana.read_text()
    grafana.write_text("#!/bin/sh\nexit 1\n")
    assert "could not be changed" in started(place)[1]
    grafana.write_text(working)
    started(place)
    assert (place / "asked").read_text().endswith("another")
