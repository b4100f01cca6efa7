"""Grafana's files: complete, as built, and with nothing in them that Grafana would pass over."""

import json
import re

import pytest
import yaml

from grafana_sample import OTHER, RULES, SMALL
from jobchurn.grafana.files import built_of, differences, faults_of

BUILT = built_of((SMALL, OTHER), RULES[2:4])
YAMLS = [path for path in BUILT if path.endswith(".yaml")]


def places(value, place=()):
    """Each key of an object of JSON, with the way to it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*place, key)
            yield from places(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*place, index))


def renamed(text, place):
    """The YAML with one key mistyped."""
    content = yaml.safe_load(text)
    where = content
    for step in place[:-1]:
        where = where[step]
    where[f"{place[-1]}x"] = where.pop(place[-1])
    return yaml.safe_dump(content, sort_keys=False)


def test_the_files_are_dashboards_and_what_grafana_is_provisioned_with():
    assert list(BUILT) == [
        "dashboards/other.json",
        "dashboards/small.json",
        "provisioning/alerting/channel-email.yaml",
        "provisioning/alerting/channel-nobody.yaml",
        "provisioning/alerting/channel-teams.yaml",
        "provisioning/alerting/channel-webhook.yaml",
        "provisioning/alerting/policies.yaml",
        "provisioning/alerting/rules.yaml",
        "provisioning/dashboards/jobchurn.yaml",
        "provisioning/datasources/jobchurn.yaml",
    ]


@pytest.mark.parametrize("path", BUILT)
def test_a_file_as_built_has_no_fault(path):
    assert list(faults_of(path, BUILT[path])) == []


@pytest.mark.parametrize("path", YAMLS)
def test_a_provisioning_file_says_who_writes_it(path):
    assert BUILT[path].startswith("# Written by `jobchurn dashboards build`")


@pytest.mark.parametrize("path", YAMLS)
def test_any_mistyped_key_of_a_provisioning_file_is_noticed(path):
    ways = list(places(yaml.safe_load(BUILT[path])))
    # All rules are alike: the first stands for the others.
    ways = [way for way in ways if way[:3] != ("groups", 0, "rules") or way[3:4] in ((), (0,))]
    assert ways
    for way in ways:
        assert list(faults_of(path, renamed(BUILT[path], way))), way


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("apiVersion: 1", "apiVersion: 2"),
        ("interval: 60s", "interval: 60"),
        ("type: gt", "type: lt"),
        ("refId: B", "refId: A"),
        ("severity: warning", "severity: urgent"),
        ("noDataState: NoData", "noDataState: Ok"),
        ("title: The rule late", "title: Costs $ALL"),
        ("runbook_url: ${RUNBOOK_URL}/late", "runbook_url: late"),
        ("datasourceUid: jobchurn\n", "datasourceUid: ''\n"),
        ("from: 3600", "from: 1.5"),
        ("from: 3600", "from: -1"),
        ("uid: late", "uid: too late"),
    ],
)
def test_a_value_that_grafana_cannot_use_is_noticed(old, new):
    path = "provisioning/alerting/rules.yaml"
    assert old in BUILT[path]
    assert list(faults_of(path, BUILT[path].replace(old, new, 1)))


@pytest.mark.parametrize(
    "path", ["provisioning/datasources/jobchurn.yaml", "provisioning/alerting/channel-teams.yaml"]
)
def test_a_secret_in_a_file_is_noticed(path):
    written = re.sub(r"\$GRAFANA_(DATABASE_PASSWORD|TEAMS_WEBHOOK)", "hunter2", BUILT[path])
    assert written != BUILT[path]
    assert list(faults_of(path, written))


def test_a_key_of_a_dashboard_that_grafana_does_not_know_is_named():
    dashboard = json.loads(BUILT["dashboards/small.json"])
    dashboard["panels"][2]["fieldConfig"]["defaults"]["custom"]["lineWdith"] = 3
    dashboard["tmeplating"] = {}
    del dashboard["panels"][0]["title"]
    assert list(faults_of("small.json", json.dumps(dashboard))) == [
        "small.json: panels[2].fieldConfig.defaults.custom.lineWdith: unknown to Grafana",
        "small.json: tmeplating: unknown to Grafana",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"rawSQL": "SELECT 1"},
        {"rawQuery": False},
        {"datasource": {"type": "grafana-postgresql-datasource", "uid": "another"}},
        {"format": "tabel"},
    ],
)
def test_a_query_that_is_not_as_ours_are_is_noticed(change):
    dashboard = json.loads(BUILT["dashboards/small.json"])
    target = dashboard["panels"][0]["targets"][0]
    target |= change
    assert list(faults_of("dashboards/small.json", json.dumps(dashboard)))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"panels": 3}'])
def test_a_dashboard_that_cannot_be_read_is_noticed(text):
    [fault] = faults_of("dashboards/small.json", text)
    assert "not to be read" in fault


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "\0"])
def test_a_provisioning_file_that_cannot_be_read_is_noticed(text):
    assert list(faults_of("provisioning/alerting/rules.yaml", text))


def test_files_as_built_differ_in_nothing():
    assert differences(BUILT, BUILT) == []


def test_each_file_that_is_stale_missing_or_strange_is_named():
    found = dict(BUILT)
    found["dashboards/small.json"] = BUILT["dashboards/small.json"].replace("Small", "Smaller")
    del found["provisioning/alerting/rules.yaml"]
    found["dashboards/mine.json"] = BUILT["dashboards/other.json"]
    assert differences(found, BUILT) == [
        "dashboards/mine.json: not one of ours",
        "dashboards/small.json: stale",
        "provisioning/alerting/rules.yaml: missing",
    ]
