"""The runbook: a page for each alert rule, whose commands and queries run as they stand."""

import re
from pathlib import Path

import psycopg
import pytest

from jobchurn.contract import JOB_CHANGE
from jobchurn.files import Folders
from jobchurn.panels import rules_of
from jobchurn.registry import Registry
from small_model import small_model

RUNBOOK = Path(__file__).resolve().parents[2] / "docs/runbook"
PAGES = sorted(RUNBOOK.glob("*.md"))
RULES = {rule.name: rule for rule in rules_of(JOB_CHANGE)}
STARTED = "the home of a stack that was started"


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def each_block(language):
    return [
        pytest.param(block, id=f"{page.stem} {number}")
        for page in PAGES
        for number, block in enumerate(blocks(page, language), 1)
    ]


def test_each_rule_has_a_page_and_each_page_a_rule():
    assert {page.stem for page in PAGES} - {"index"} == RULES.keys()


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_a_page_says_how_severe_its_rule_is_and_what_to_do(rule):
    text = (RUNBOOK / f"{rule.name}.md").read_text()
    assert f"**Severity: {rule.severity}.**" in text
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Look",
        "## Mend",
        "## Over when",
    ]


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_the_index_lists_a_rule_with_its_severity(rule):
    line = next(
        line for line in (RUNBOOK / "index.md").read_text().splitlines() if f"`{rule.name}`" in line
    )
    assert f"]({rule.name}.md) | {rule.severity} |" in line


@pytest.mark.parametrize("block", each_block("sh"))
def test_the_commands_of_a_page_can_be_typed(block, run, store, contract):
    folders = Folders(run.home)
    folders.make()
    registry = Registry(folders.models, store.models, contract)
    for seed in (0, 1):
        registry.promote(registry.add(small_model(contract, seed=seed)))
    done = run(block)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("query", each_block("sql"))
def test_the_queries_of_a_page_run(query, database):
    with psycopg.connect(database) as connection:
        assert connection.execute(query).description
