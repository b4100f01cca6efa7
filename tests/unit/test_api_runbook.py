"""Where the runbook's pages are found."""

import tomllib
from pathlib import Path

import pytest

from jobchurn import panels
from jobchurn.api import runbook
from jobchurn.api.runbook import Runbook
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import NotFound

ROOT = Path(__file__).parents[2]
RULES = [rule.name for rule in panels.rules_of(JOB_CHANGE)]


@pytest.mark.parametrize("rule", RULES)
def test_a_checkout_has_the_page_of_every_rule(rule):
    assert Runbook(JOB_CHANGE).page(rule) == (ROOT / f"docs/runbook/{rule}.md").read_bytes()


def test_an_installation_has_the_pages_in_the_package(tmp_path, monkeypatch):
    package = tmp_path / "jobchurn"
    (package / "runbook").mkdir(parents=True)
    (package / "runbook" / "drift.md").write_text("# Shipped\n")
    monkeypatch.setattr(runbook, "_PACKAGE", package)
    assert Runbook(JOB_CHANGE).page("drift") == b"# Shipped\n"


def test_the_wheel_ships_the_pages_where_they_are_looked_for():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert wheel["targets"]["wheel"]["force-include"] == {"docs/runbook": "jobchurn/runbook"}


@pytest.mark.parametrize("name", ["", "index", "../drift", "/etc/passwd", "drift.md", "drift\x00"])
def test_no_name_but_a_rules_leads_to_a_file(name):
    with pytest.raises(NotFound, match="no rule"):
        Runbook(JOB_CHANGE).page(name)
