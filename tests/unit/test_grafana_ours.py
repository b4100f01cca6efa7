"""The files in grafana/: complete, current, and true to panels and rules."""

import json
import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from jobchurn import panels
from jobchurn.cli import app
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import NotInstalled
from jobchurn.grafana.colours import NAMED, ORDERED, TINTS
from jobchurn.grafana.dashboards import COLUMNS
from jobchurn.grafana.files import faults_of, files_of
from toy import TOY

ROOT = Path(__file__).parents[2]
DASHBOARDS = panels.dashboards_of(JOB_CHANGE)
RULES = panels.rules_of(JOB_CHANGE)
FOUND = {
    path.relative_to(ROOT / "grafana").as_posix(): path.read_text()
    for folder in ("dashboards", "provisioning")
    for path in sorted((ROOT / "grafana" / folder).rglob("*"))
    if path.is_file()
}
BUILT = files_of(JOB_CHANGE)


def read(dashboard):
    return json.loads(FOUND[f"dashboards/{dashboard.name}.json"])


@pytest.fixture(params=DASHBOARDS, ids=lambda dashboard: dashboard.name)
def dashboard(request):
    return request.param


@pytest.fixture(params=RULES, ids=lambda rule: rule.name)
def rule(request):
    return request.param


def run(*words):
    return CliRunner().invoke(app, ["dashboards", *map(str, words)])


def test_the_files_are_those_that_are_built():
    assert FOUND.keys() == BUILT.keys()


@pytest.mark.parametrize("path", BUILT)
def test_no_file_is_stale(path):
    assert FOUND[path] == BUILT[path], "run `jobchurn dashboards build`"


@pytest.mark.parametrize("path", FOUND)
def test_grafana_reads_every_key_of_every_file(path):
    assert list(faults_of(path, FOUND[path])) == []


def test_the_dashboards_are_three():
    assert [dashboard.name for dashboard in DASHBOARDS] == ["ingestion", "predictions", "service"]
    assert [json.loads(FOUND[path])["uid"] for path in FOUND if path.endswith(".json")] == [
        dashboard.name for dashboard in DASHBOARDS
    ]


def test_every_panel_is_there_with_its_own_query_and_source(dashboard):
    found = {panel["id"]: panel for panel in read(dashboard)["panels"]}
    assert len(found) == len(dashboard.panels)
    for panel in dashboard.panels:
        drawn = found[panel.id]
        assert drawn["title"] == panel.title
        assert panel.description in drawn["description"]
        assert drawn["fieldConfig"]["defaults"]["unit"] == panel.unit
        assert [target["rawSql"] for target in drawn["targets"]] == [panel.sql]
        assert drawn["datasource"]["uid"] == drawn["targets"][0]["datasource"]["uid"] == "jobchurn"


def test_panels_fill_each_row_from_edge_to_edge_and_do_not_overlap(dashboard):
    taken = {}
    for panel in read(dashboard)["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, (panel["title"], taken[x, y])
                taken[x, y] = panel["title"]
    assert len(taken) == COLUMNS * (1 + max(y for _, y in taken))


def test_variables_of_queries_are_variables_of_the_dashboard(dashboard):
    found = read(dashboard)
    named = {each["name"] for each in found["templating"]["list"]}
    assert named >= {"api", "webapp"}
    used = set(re.findall(r"\$\{(\w+)", json.dumps(found))) - {"__value"}
    assert used <= named


def test_there_are_panels_that_a_program_can_ask_for_without_choosing_values(dashboard):
    assert [panel for panel in dashboard.panels if "${" not in panel.sql]


def test_every_colour_is_one_of_ours(dashboard):
    tints = {*TINTS.values(), *NAMED.values(), *ORDERED.values()}
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", json.dumps(read(dashboard)))) <= tints


def test_there_are_eight_alert_rules_or_more():
    assert len(RULES) >= 8


def test_every_rule_has_a_page_in_the_runbook(rule):
    assert (ROOT / "docs" / "runbook" / f"{rule.name}.md").is_file()


def test_every_page_of_the_runbook_is_that_of_a_rule():
    pages = {path.stem for path in (ROOT / "docs" / "runbook").glob("*.md")} - {"index"}
    assert pages == {rule.name for rule in RULES}


def test_every_rule_leads_to_a_panel_that_there_is(rule):
    [where] = [each for each in DASHBOARDS if each.name == rule.dashboard]
    assert rule.panel in {panel.id for panel in where.panels}


def test_every_rule_asks_what_it_was_written_with(rule):
    [group] = yaml.safe_load(FOUND["provisioning/alerting/rules.yaml"])["groups"]
    [found] = [each for each in group["rules"] if each["uid"] == rule.name]
    assert found["data"][0]["model"]["rawSql"] == rule.sql
    assert found["title"] == rule.title


def test_no_two_rules_have_one_title():
    assert len({rule.title for rule in RULES}) == len(RULES)


def test_rules_ask_without_variables_which_only_a_browser_fills_in(rule):
    assert "${" not in rule.sql


def test_no_file_holds_a_secret():
    for path, text in FOUND.items():
        for line in text.splitlines():
            if re.search(r"(?i)\b(password|secret|token|webhook|url|addresses)\"?:", line):
                value = line.split(":", 1)[1].strip().strip('",')
                assert value.startswith(("$", "grafana://noop", "${")), (path, line)


def test_another_contract_gives_dashboards_of_its_own_without_fault():
    others = files_of(TOY)
    assert others["dashboards/predictions.json"] != BUILT["dashboards/predictions.json"]
    for path, text in others.items():
        assert list(faults_of(path, text)) == []


def test_the_command_builds_the_files_anywhere_and_checks_them(tmp_path):
    built = run("build", "--out", tmp_path / "there")
    assert built.exit_code == 0, built.output
    assert "written anew" in built.stderr
    for path, text in BUILT.items():
        assert (tmp_path / "there" / path).read_text() == text
    checked = run("check", "--out", tmp_path / "there")
    assert (checked.exit_code, checked.stdout) == (0, "")


def test_the_check_names_each_file_that_is_not_as_it_should_be(tmp_path):
    run("build", "--out", tmp_path)
    (tmp_path / "dashboards" / "service.json").unlink()
    rules = tmp_path / "provisioning" / "alerting" / "rules.yaml"
    rules.write_text(rules.read_text().replace("execErrState", "execErorState"))
    (tmp_path / "dashboards" / "mine.json").write_text('{"titel": ""}')
    checked = run("check", "--out", tmp_path)
    assert checked.exit_code == 1
    lines = checked.stdout.splitlines()
    assert lines[:3] == [
        "dashboards/mine.json: not one of ours",
        "dashboards/service.json: missing",
        "provisioning/alerting/rules.yaml: stale",
    ]
    assert "dashboards/mine.json: titel: unknown to Grafana" in lines
    assert any("execErorState" in line for line in lines)
    assert "jobchurn dashboards build" in checked.stderr


def test_a_second_build_writes_nothing(tmp_path):
    run("build", "--out", tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    again = run("build", "--out", tmp_path)
    assert " 0 of them written anew" in again.stderr
    assert times == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}


@pytest.mark.parametrize("word", ["build", "check"])
def test_without_its_libraries_the_command_says_how_to_get_them(word, tmp_path, monkeypatch):
    for name in [each for each in sys.modules if each.startswith("jobchurn.grafana")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk", None)
    for name in [each for each in sys.modules if each.startswith("grafana_foundation_sdk.")]:
        monkeypatch.setitem(sys.modules, name, None)
    missing = run(word, "--out", tmp_path).exception
    assert isinstance(missing, NotInstalled)
    assert 'pip install "jobchurn[dashboards]"' in missing.cure


def test_dashboards_are_ordered_by_their_ids_places():
    for each in DASHBOARDS:
        places = [(panel["gridPos"]["y"], panel["gridPos"]["x"]) for panel in read(each)["panels"]]
        assert all(before < after for before, after in pairwise(places))
