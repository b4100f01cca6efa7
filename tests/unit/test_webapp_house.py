"""The web app's own rules: what its modules may import, and how they are laid out."""

import ast
from pathlib import Path

import pytest

WEBAPP = Path(__file__).parents[2] / "webapp"
MODULES = sorted(WEBAPP.rglob("*.py"))


def imported(path):
    """The modules that a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(WEBAPP)))
def test_a_module_imports_nothing_of_the_package_but_the_contract(path):
    ours = {name for name in imported(path) if name.split(".")[0] == "jobchurn"}
    assert ours <= {"jobchurn.contract"}


def test_only_the_client_speaks_http_and_nobody_reaches_the_database():
    networks = {"aiohttp", "http", "httpx", "psycopg", "requests", "socket", "sqlalchemy", "urllib"}
    users = {path.name for path in MODULES if networks & {n.split(".")[0] for n in imported(path)}}
    assert users == {"client.py"}


def test_no_folder_is_named_so_that_streamlit_runs_its_files_without_the_frame():
    assert not (WEBAPP / "pages").exists()
