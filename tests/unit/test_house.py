"""The house's own rules: what may stand where."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from jobchurn.contract import JOB_CHANGE

ROOT = Path(__file__).parents[2]
ROOMS = ("src", "webapp", "dags", "scripts")
SOURCES = sorted(
    path
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
    if path != ROOT / "src/jobchurn/contract.py"
)
DOCUMENTATION = ROOT / "scripts/reference"
"""Makes pages of the documentation, which shows columns and values by name."""

NAMES = {column.name for column in JOB_CHANGE.columns}
LEVELS = {
    text
    for column in JOB_CHANGE.columns
    for text in (*column.levels, *column.spellings, *column.wording.values())
    if not text.isdecimal() and text not in {"yes", "no", "unknown"}
}
PLAIN_WORDS = {"city", "gender", "experience", "target"}
"""Column names that are English words too: prose may use them, code and string literals may not."""


def literals(path: Path) -> set[str]:
    """Every string constant of a module, and every attribute and argument that it names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg:
            found.add(node.arg)
    return found


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if DOCUMENTATION not in path.parents],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_module_but_the_contract_names_a_column_or_a_value(path):
    text = path.read_text()
    for name in NAMES - PLAIN_WORDS:
        assert not re.search(rf"\b{re.escape(name)}\b", text), name
    assert not literals(path) & (LEVELS | (PLAIN_WORDS - {"target"}))


def test_the_search_for_names_would_find_one():
    assert "gender" in literals(ROOT / "src/jobchurn/contract.py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_longer_than_five_hundred_lines(path):
    assert len(path.read_text().splitlines()) <= 500


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_nothing_that_can_run_code_is_loaded_as_a_model():
    forbidden = re.compile(
        r"^\s*(import|from)\s+(pickle|joblib|cloudpickle|dill|marshal)\b", re.MULTILINE
    )
    for path in SOURCES:
        assert not forbidden.search(path.read_text()), path


def test_no_name_says_nothing():
    vague = re.compile(r"(^|/)(utils?|helpers?|common|misc|manager)(\.py|/)")
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert tracked
    assert not [name for name in tracked if vague.search(name)]


def test_no_row_of_the_real_data_is_committed(real_csv):
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    rows = set(real_csv.read_bytes().splitlines()[1:])
    for name in filter(None, tracked):
        path = ROOT / name
        if path.is_file() and path.suffix in {".csv", ".json", ".ipynb", ".py", ".md", ".txt"}:
            assert not rows & set(path.read_bytes().splitlines()), name
