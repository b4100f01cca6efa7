"""What Grafana is provisioned with beside dashboards and rules."""

import re

import pytest

from jobchurn.grafana import provisioning
from jobchurn.settings import Settings

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(duration):
    return int(duration[:-1]) * SECONDS[duration[-1]]


def test_the_data_source_is_read_by_the_role_that_only_reads():
    [source] = provisioning.data_sources()["datasources"]
    assert source["user"] == "jobchurn_reader"
    assert source["uid"] == "jobchurn"
    assert source["type"] == "grafana-postgresql-datasource"
    assert source["secureJsonData"] == {"password": "$GRAFANA_DATABASE_PASSWORD"}
    assert "grafana_database_password" in Settings.model_fields


def test_the_database_is_named_where_grafana_12_looks_for_it():
    [source] = provisioning.data_sources()["datasources"]
    assert source["jsonData"]["database"] == "$GRAFANA_DATABASE_NAME"
    assert "database" not in source


def test_no_query_takes_more_than_its_share_of_connections_or_groups_below_a_minute():
    [source] = provisioning.data_sources()["datasources"]
    assert source["jsonData"]["maxOpenConns"] <= 10
    assert source["jsonData"]["timeInterval"] == "1m"
    assert source["jsonData"]["timescaledb"] is False


def test_dashboards_are_changed_by_their_files_alone():
    [provider] = provisioning.providers()["providers"]
    assert provider["allowUiUpdates"] is False
    assert provider["disableDeletion"] is True
    assert provider["options"] == {"path": "$GRAFANA_DASHBOARDS"}


@pytest.mark.parametrize(
    ("channel", "kind", "address"),
    [
        ("teams", "teams", "$GRAFANA_TEAMS_WEBHOOK"),
        ("email", "email", "$GRAFANA_EMAIL"),
        ("webhook", "webhook", "$GRAFANA_WEBHOOK"),
        ("nobody", "webhook", "grafana://noop"),
    ],
)
def test_each_channel_is_one_of_the_one_contact_point(channel, kind, address):
    [point] = provisioning.contact_point(channel)["contactPoints"]
    [receiver] = point["receivers"]
    assert point["name"] == "jobchurn"
    assert receiver["uid"] == f"jobchurn-{channel}"
    assert receiver["type"] == kind
    assert address in receiver["settings"].values()
    assert receiver["disableResolveMessage"] is False


def test_what_is_critical_is_told_at_once_and_again_sooner_than_a_warning():
    [policy] = provisioning.policies()["policies"]
    critical, warning = policy["routes"]
    assert seconds(critical["group_wait"]) == 0
    for name in ("group_wait", "group_interval", "repeat_interval"):
        assert seconds(critical[name]) < seconds(warning[name])
    assert "alertname" in critical["group_by"]
    assert "alertname" not in warning["group_by"]


def test_every_alert_goes_to_the_contact_point():
    [policy] = provisioning.policies()["policies"]
    assert {each["receiver"] for each in (policy, *policy["routes"])} == {"jobchurn"}


def test_variables_of_the_environment_are_named_so_that_grafana_expands_them_once():
    text = str([provisioning.data_sources(), provisioning.providers()])
    assert re.findall(r"\$[A-Z_]+", text)
    assert "${" not in text
