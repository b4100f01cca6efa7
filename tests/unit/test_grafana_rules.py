"""Grafana's alert rules: what becomes of a rule."""

import pytest
import yaml

from grafana_sample import RULES, rule
from jobchurn.grafana.rules import groups_of, rule_of
from jobchurn.grafana.text import yaml_of
from jobchurn.panels import Severity, Unit

FILE = yaml.safe_load(yaml_of(groups_of(RULES)))
[GROUP] = FILE["groups"]
BY_UID = {rule["uid"]: rule for rule in GROUP["rules"]}


def test_rules_are_judged_each_minute_in_one_group_of_our_folder():
    assert (GROUP["name"], GROUP["folder"], GROUP["interval"]) == ("jobchurn", "jobchurn", "60s")
    assert list(BY_UID) == sorted(each.name for each in RULES)


def test_the_order_of_the_rules_changes_nothing():
    assert yaml_of(groups_of(RULES)) == yaml_of(groups_of(reversed(RULES)))


@pytest.mark.parametrize("written", RULES, ids=lambda written: written.name)
def test_a_rule_asks_takes_the_latest_value_and_holds_it_against_the_limit(written):
    found = BY_UID[written.name]
    asked, latest, above = found["data"]
    assert found["condition"] == "C"
    assert [step["refId"] for step in found["data"]] == ["A", "B", "C"]
    assert asked["model"]["rawSql"] == written.sql
    assert asked["model"]["format"] == "time_series"
    assert asked["datasourceUid"] == asked["model"]["datasource"]["uid"] == "jobchurn"
    assert asked["relativeTimeRange"] == {"from": written.within_seconds, "to": 0}
    assert latest["model"]["type"] == "reduce"
    assert (latest["model"]["expression"], latest["model"]["reducer"]) == ("A", "last")
    assert above["model"]["type"] == "threshold"
    assert above["model"]["expression"] == "B"
    [condition] = above["model"]["conditions"]
    assert condition == {"evaluator": {"type": "gt", "params": [written.above]}}
    assert latest["datasourceUid"] == above["datasourceUid"] == "__expr__"


def test_a_rule_waits_as_long_as_it_says_before_it_fires():
    assert BY_UID["slow"]["for"] == "300s"
    assert BY_UID["zeal"]["for"] == "0s"


def test_a_rule_that_cannot_be_judged_is_told_as_such():
    assert {each["noDataState"] for each in GROUP["rules"]} == {"NoData"}
    assert {each["execErrState"] for each in GROUP["rules"]} == {"Error"}


def test_alerts_bear_their_severity():
    assert BY_UID["zeal"]["labels"] == {"severity": "critical"}
    assert BY_UID["late"]["labels"] == {"severity": "warning"}


def test_alerts_lead_to_their_panel_and_their_page_of_the_runbook():
    late = BY_UID["late"]
    assert (late["dashboardUid"], late["panelId"]) == ("other", 1)
    assert late["annotations"]["__dashboardUid__"] == "other"
    assert late["annotations"]["__panelId__"] == "1"
    assert late["annotations"]["runbook_url"] == "${RUNBOOK_URL}/late"


@pytest.mark.parametrize(
    ("unit", "above", "value", "limit"),
    [
        (Unit.SHARE, 0.4, "humanizePercentage $found.Value", "above 40%"),
        (Unit.SHARE, 0.05, "humanizePercentage $found.Value", "above 5%"),
        (Unit.SECONDS, 1, "humanizeDuration $found.Value", "above 1 s"),
        (Unit.MINUTES, 10, 'printf "%.0f" $found.Value }} minutes', "above 10 minutes"),
        (Unit.COUNT, 0, 'printf "%.3g" $found.Value', "above 0 it is told"),
    ],
)
def test_an_alert_says_its_value_and_its_limit_in_the_rules_unit(unit, above, value, limit):
    said = rule_of(rule("any", unit=unit, above=above))["annotations"]["description"]
    assert said.startswith("Something is the matter. {{")
    assert value in said
    assert limit in said


def test_templates_and_queries_keep_their_dollars_and_nothing_else_has_any():
    for each in GROUP["rules"]:
        assert "$$" not in str(each)
        assert "$__timeFilter(at)" in each["data"][0]["model"]["rawSql"]
        for name in ("uid", "title", "for", "labels"):
            assert "$" not in str(each[name])


def test_a_query_of_several_lines_is_written_as_a_block():
    assert "rawSql: |-\n" in yaml_of(groups_of(RULES))


def test_nothing_of_the_apis_form_is_left():
    for each in GROUP["rules"]:
        assert not each.keys() & {"folderUID", "orgID", "ruleGroup", "id", "provenance"}


def test_every_severity_has_a_route():
    from jobchurn.grafana.provisioning import policies

    [policy] = policies()["policies"]
    matchers = [matcher for route in policy["routes"] for matcher in route["object_matchers"]]
    assert matchers == [["severity", "=", "critical"], ["severity", "=", "warning"]]
    assert {matcher[2] for matcher in matchers} == {severity.value for severity in Severity}
