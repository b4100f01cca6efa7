"""What is said of panels and rules holds together, whatever the contract."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from jobchurn.contract import JOB_CHANGE, Column, Contract, Kind, Role
from jobchurn.panels import (
    PanelKind,
    Severity,
    Unit,
    UnusableQuery,
    dashboards_of,
    expand,
    rules_of,
)
from jobchurn.panels.drift import DECISIONS
from jobchurn.panels.ingestion import BAD_SHARE
from jobchurn.panels.sql import identifier, literal, written
from jobchurn.settings import Settings
from toy import TOY

OUTCOME = Column(
    name="outcome",
    label="Broke",
    kind=Kind.INTEGER,
    role=Role.OUTCOME,
    meaning="1 where it broke.",
    minimum=0,
    maximum=1,
)


def number(name):
    return Column(
        name=name,
        label=name.upper(),
        kind=Kind.NUMBER,
        role=Role.FEATURE,
        meaning="A number.",
        required=True,
        minimum=0,
        maximum=1,
    )


def of_numbers(count):
    """A contract of so many numbers, none of which may be blank."""
    return Contract(
        name="numbers",
        subject="thing",
        positive="breaks",
        negative="holds",
        columns=(*(number(f"x{n}") for n in range(count)), OUTCOME),
    )


CONTRACTS = [JOB_CHANGE, TOY, *map(of_numbers, range(1, 8))]
EVERY_DASHBOARD = [
    pytest.param(dashboard, id=f"{contract.name} {len(contract.columns)} {dashboard.name}")
    for contract in CONTRACTS
    for dashboard in dashboards_of(contract)
]
DASHBOARDS = {dashboard.name: dashboard for dashboard in dashboards_of(JOB_CHANGE)}
RULES = rules_of(JOB_CHANGE)


def queries_of(dashboard):
    yield from (panel.sql for panel in dashboard.panels)
    yield from (variable.sql for variable in dashboard.variables if variable.sql)
    yield from (annotation.sql for annotation in dashboard.annotations)


def named(sql):
    return set(re.findall(r"\$\{(\w+):sqlstring\}", sql))


def expanded(sql, dashboard=None):
    end = datetime(2026, 11, 24, tzinfo=UTC)
    variables = {variable.name: ["a"] for variable in dashboard.variables} if dashboard else {}
    return expand(
        sql,
        start=end - timedelta(hours=6),
        end=end,
        interval_seconds=120,
        variables=variables,
    )


def assert_is_one_plain_query(sql):
    assert re.match(r"SELECT\b|WITH\b", sql)
    assert ";" not in sql
    assert "--" not in sql
    assert "/*" not in sql
    assert not re.search(r"^\s*<\w+>$", sql, re.MULTILINE), "a part is missing"
    assert not re.search(r"[ \t]$", sql, re.MULTILINE)
    assert sql == sql.strip()


def test_the_dashboards_are_three():
    assert list(DASHBOARDS) == ["ingestion", "predictions", "service"]


@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_ids_are_unique(dashboard):
    ids = [panel.id for panel in dashboard.panels]
    assert len(set(ids)) == len(ids)
    assert min(ids) > 0


@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_each_row_of_the_grid_is_full_and_of_one_height(dashboard):
    row = []
    for panel in dashboard.panels:
        row.append(panel)
        width = sum(panel.width for panel in row)
        assert width <= 24, panel.title
        if width == 24:
            assert len({panel.height for panel in row}) == 1, panel.title
            row = []
    assert not row


@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_the_numbers_stand_at_the_top_in_one_row(dashboard):
    top = dashboard.panels[:6]
    assert all(panel.kind is PanelKind.STAT and panel.width == 4 for panel in top)


@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_every_panel_says_what_it_is_and_what_to_do_where_it_is_empty(dashboard):
    assert dashboard.title
    assert dashboard.description[-1] in ".?"
    titles = [panel.title for panel in dashboard.panels]
    assert len(set(titles)) == len(titles)
    for panel in dashboard.panels:
        assert 3 <= len(panel.title) <= 60
        assert panel.title[0].isupper()
        assert panel.description[-1] in ".?", panel.title
        assert len(panel.description) > 20, panel.title
        assert panel.empty.endswith("."), panel.title


@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_every_panel_over_time_or_of_bars_has_a_unit_or_is_a_plain_number(dashboard):
    plain = {panel.title for panel in dashboard.panels if panel.unit is Unit.NUMBER}
    units = re.compile(r"rate\b|share|latency|duration", re.IGNORECASE)
    assert not [title for title in plain if units.search(title)]


@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_thresholds_rise_from_a_ground(dashboard):
    for panel in dashboard.panels:
        if panel.thresholds:
            ground, *steps = (threshold.at for threshold in panel.thresholds)
            assert ground is None
            assert steps == sorted(steps)
            assert steps
            assert panel.kind in (PanelKind.STAT, PanelKind.SERIES)


@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_states_belong_to_timelines_and_are_unique(dashboard):
    for panel in dashboard.panels:
        assert bool(panel.states) == (panel.kind is PanelKind.TIMELINE), panel.title
        assert len({state.value for state in panel.states}) == len(panel.states)
        assert len({state.word for state in panel.states}) == len(panel.states)


@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_every_query_is_one_plain_query(dashboard):
    for sql in queries_of(dashboard):
        assert_is_one_plain_query(sql)


@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_every_macro_and_every_variable_is_known(dashboard):
    for sql in queries_of(dashboard):
        assert "$" not in expanded(sql, dashboard)


@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_every_variable_is_asked_for_somewhere_and_stands_on_its_own(dashboard):
    used = set().union(*(named(panel.sql) for panel in dashboard.panels))
    assert used == {variable.name for variable in dashboard.variables}
    for variable in dashboard.variables:
        assert bool(variable.options) != bool(variable.sql)
        assert not named(variable.sql)
        assert variable.words.keys() <= set(variable.options)


@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_what_is_asked_over_time_is_cut_into_the_intervals_of_the_time_range(dashboard):
    over_time = (PanelKind.SERIES, PanelKind.STACK, PanelKind.TIMELINE)
    for panel in dashboard.panels:
        assert ("date_bin('$__interval', " in panel.sql) == (panel.kind in over_time), panel.title


@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_links_lead_to_the_api(dashboard):
    for panel in dashboard.panels:
        for address in panel.links.values():
            assert address.startswith("/")
            assert "{cell}" in address


def test_an_id_is_never_given_to_another_panel():
    """Grafana's addresses and the rules name panels by id: a change here breaks them."""
    assert {
        name: {panel.id: panel.title for panel in dashboard.panels}
        for name, dashboard in DASHBOARDS.items()
    } == {
        "ingestion": {
            1: "Rows ingested",
            2: "Share of bad rows",
            3: "Files",
            4: "High-criticality files",
            5: "Repeated files",
            6: "Since the last file",
            7: "Good and bad rows",
            8: "Files by criticality",
            9: "Share of bad rows over time",
            10: "Issues over time",
            11: "Criticality over time",
            12: "Rules most broken",
            13: "Reasons by column and rule",
            14: "Latest files",
        },
        "predictions": {
            1: "Predictions",
            2: "Positive rate",
            3: "Positive rate in training",
            4: "Majority share",
            5: "Features that drifted",
            6: "Unseen names",
            7: "Predictions by source",
            8: "Positive rate over time",
            9: "Probabilities",
            10: "Mean probability over time",
            11: "Drift decisions",
            12: "Size of the shift",
            13: "Latest windows",
            14: "Training and serving",
            15: "Blanks",
            17: "City not seen in training",
            18: "Names not seen in training",
            19: "Known outcomes",
            20: "ROC-AUC",
            21: "Log loss",
            22: "Calibration gap",
            23: "Calibration",
            24: "Performance against the hold-out",
            25: "Outcomes over time",
            102: "City development index, on average",
            112: "Training time (hours), on average",
        },
        "service": {
            1: "Requests",
            2: "Error rate",
            3: "Latency, p95",
            4: "Error budget left",
            5: "Failed job runs",
            6: "Alerts that wait",
            7: "Arrival to prediction, median",
            8: "Arrival to prediction, p99",
            9: "In time, seven days",
            10: "Files that wait too long",
            11: "Requests by status",
            12: "Latency",
            13: "Errors over time",
            14: "Arrival to prediction over time",
            15: "Queue depth",
            16: "Predictions a second",
            17: "Routes",
            18: "Job outcomes",
            19: "Job durations",
            20: "Alert rules",
            21: "Alert deliveries",
            22: "Database size",
            23: "Predictions stored",
            24: "Connections",
            25: "Connections in use",
        },
    }


def test_people_read_labels_and_no_columns_names():
    predictions = DASHBOARDS["predictions"]
    names = {column.name for column in JOB_CHANGE.columns if "_" in column.name}
    for panel in predictions.panels:
        assert not [name for name in names if name in panel.title + panel.description]
    feature = next(variable for variable in predictions.variables if variable.name == "feature")
    assert feature.words["training_hours"] == "Training time"


def test_what_a_contract_lacks_has_no_panel():
    titles = {panel.title for panel in dashboards_of(of_numbers(2))[1].panels}
    assert "Blanks" not in titles
    assert not [title for title in titles if "not seen in training" in title]
    assert {"X0, on average", "X1, on average"} <= titles


def test_the_rules_are_those_that_the_runbook_has_pages_for():
    assert [rule.name for rule in RULES] == [
        "bad-rows",
        "nothing-ingested",
        "high-criticality",
        "one-class",
        "drift",
        "unseen-levels",
        "calibration",
        "slow-answers",
        "errors",
        "late-predictions",
        "alerts-undelivered",
        "upkeep",
    ]


def test_the_rules_that_cannot_wait_are_critical():
    critical = {rule.name for rule in RULES if rule.severity is Severity.CRITICAL}
    assert critical == {"high-criticality", "one-class", "drift", "errors"}


def test_one_rule_is_told_by_ingestion_and_one_has_to_hold_for_a_while():
    assert [rule.name for rule in RULES if rule.told_by_ingestion] == ["high-criticality"]
    assert {rule.name: rule.pending_seconds for rule in RULES if rule.pending_seconds} == {
        "slow-answers": 300
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_says_what_is_wrong_and_where_to_look(rule):
    assert rule.title[0].isupper()
    assert rule.description.endswith(".")
    assert rule.over.endswith(".")
    assert rule.within_seconds >= 600
    panel = next(p for p in DASHBOARDS[rule.dashboard].panels if p.id == rule.panel)
    assert panel.kind in (PanelKind.STAT, PanelKind.SERIES, PanelKind.TIMELINE)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: f"{c.name} {len(c.columns)}")
def test_the_queries_of_rules_are_plain_and_know_no_variable(contract):
    for rule in rules_of(contract):
        for sql in filter(None, (rule.sql, rule.details)):
            assert_is_one_plain_query(sql)
            assert "$" not in expanded(sql)
            assert "now()" not in sql  # the moment is the range's end, which may be any
            assert "$__interval" not in sql


def test_a_rule_looks_at_its_own_time_range():
    for rule in RULES:
        assert "$__timeFilter(" in rule.sql


@pytest.mark.parametrize(
    ("name", "quoted"), [("a", '"a"'), ('a"b', '"a""b"'), ("50% : x", '"50% : x"')]
)
def test_a_name_is_quoted_whatever_it_holds(name, quoted):
    assert identifier(name) == quoted


@pytest.mark.parametrize(("text", "quoted"), [("a", "'a'"), ("O'Neill", "'O''Neill'")])
def test_a_text_is_quoted_whatever_it_holds(text, quoted):
    assert literal(text) == quoted


def test_a_dollar_sign_of_the_contract_begins_no_macro():
    assert expanded(literal("$__timeFrom() ${x} $y")).count("chr(36)") == 3
    with pytest.raises(UnusableQuery):
        expanded("'$__nothing()'")


def test_a_part_is_indented_as_the_line_that_stands_for_it():
    assert written("SELECT\n  <part>\nFROM t", part="a,\nb") == "SELECT\n  a,\n  b\nFROM t"


def test_a_part_stands_for_a_whole_line_only():
    assert written("SELECT <part>", part="a") == "SELECT <part>"


def test_what_panels_say_of_settings_is_what_the_settings_are_by_default():
    default = {name: field.default for name, field in Settings.model_fields.items()}
    assert [threshold.at for threshold in BAD_SHARE] == [
        None,
        default["bad_ratio_medium"],
        default["bad_ratio_high"],
    ]
    _, predictions, _ = dashboards_of(JOB_CHANGE)
    drift = next(panel for panel in predictions.panels if panel.id == DECISIONS)
    assert f"{default['drift_window_rows']} predictions" in drift.empty
    assert default["drift_wait_minutes"] == 60
    assert "wait for an hour" in drift.empty
