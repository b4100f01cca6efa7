"""What README, CONTRIBUTING and the documentation tell people to type: it exists, and it works."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer

from api_house import open_house, serving
from jobchurn import synth, wiring
from jobchurn.cli import app
from jobchurn.files import Folders
from jobchurn.flow.dataset import DataFolder
from jobchurn.flow.start import prepare
from jobchurn.registry import Registry
from jobchurn.settings import Settings
from small_model import small_model

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    page
    for page in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    )
    if "```sh" in page.read_text()
]
"""Those that tell people to type something."""
PORTS = ("API_PORT", "WEBAPP_PORT", "AIRFLOW_PORT", "POSTGRES_PORT")


def blocks(page, language="sh"):
    """The fenced blocks of a page, the lines of each joined where they end in a backslash."""
    found = re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [block.replace("\\\n", " ") for block in found]


def section(page, title):
    """A section of a page, without its title."""
    return page.read_text().split(f" {title}\n", 1)[1].split("\n## ", 1)[0]


def words_of(block):
    """The words of each command of a block, without comments and the variables before it."""
    plain = re.sub(r"(^|\s)# .*$", "", block, flags=re.MULTILINE)
    # A line's end ends a command, save inside of quotes.
    lexer = shlex.shlex(plain, posix=True, punctuation_chars="\n;|&")
    lexer.whitespace = " \t"
    lexer.whitespace_split = True
    command = []
    for word in [*lexer, ";"]:
        if not word.strip("\n;|&"):
            yield from [command] if command else []
            command = []
        elif command or not re.fullmatch(r"[A-Z_]+=.*", word):
            command.append(word)


def commands(name):
    """The arguments of every command of that name, in any page."""
    return [
        pytest.param(words[1:], id=f"{page.stem}: {' '.join(words)[:60]}")
        for page in PAGES
        for block in blocks(page)
        for words in words_of(block)
        if Path(words[0]).name == name
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_block_is_read_by_the_shell(page):
    for block in blocks(page):
        done = subprocess.run(
            ["sh", "-n"], check=False, input=block, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{done.stderr}\n{block}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_make_target_that_a_page_names_exists(page):
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z0-9-]+)", "\n".join(blocks(page))))
    named |= set(re.findall(r"`make ([a-z0-9-]+)`", page.read_text()))
    assert named <= targets


@pytest.mark.parametrize("arguments", commands("jobchurn"))
def test_every_command_that_a_page_names_is_taken_by_the_command_line(arguments):
    command, name = typer.main.get_command(app), "jobchurn"
    while arguments and hasattr(command, "commands") and not arguments[0].startswith("-"):
        name, *arguments = arguments
        command = command.commands[name]
    if arguments != ["--help"]:
        command.make_context(name, list(arguments))


@pytest.mark.parametrize("arguments", [*commands("python"), *commands("pytest")])
def test_every_script_that_a_page_names_exists(arguments):
    if arguments[:1] == ["-m"]:
        assert arguments[1] == "pytest" or (ROOT / f"{arguments[1].replace('.', '/')}.py").exists()
        arguments = [a for a in arguments[2:] if "/" in a]
    for script in arguments[:1]:
        assert (ROOT / script).exists()


def test_the_addresses_are_the_default_ones():
    told = section(ROOT / "README.md", "Start")
    for name in PORTS:
        row = next(line for line in told.splitlines() if f"`{name}`" in line)
        assert f":{Settings.model_fields[name.lower()].default}" in row


def test_the_figures_of_the_first_start_are_those_of_the_code():
    told = section(ROOT / "README.md", "Start")
    assert f"{synth.ROWS:,} rows" in told
    assert f"{Settings.model_fields['start_files'].default} raw files" in told


def test_the_tour_of_the_commands_can_be_typed(run, store, contract):
    tour = next(b for b in blocks(ROOT / "README.md") if "--help" in b)
    # What the first start leaves: a model in charge, and rows to learn from.
    folders = Folders(run.home)
    folders.make()
    synth.write_csv(DataFolder(folders.data).training, rows=1500)
    registry = Registry(folders.models, store.models, contract)
    first = registry.add(small_model(contract))
    registry.promote(first)
    done = run(tour)
    assert done.returncode == 0, done.stderr
    assert "rows.csv: 1000 good and 0 bad of 1000 rows" in done.stderr
    assert "1000 rows predicted, 0 refused" in done.stderr
    assert len((run.home.parent / "predicted.csv").read_text().splitlines()) == 1001
    assert len(registry.list()) == 2
    assert registry.champion().version == first


def test_the_tutorials_broken_file_breaks_as_it_says(run):
    broken, again = (
        block for block in blocks(ROOT / "docs/tutorial.md") if "jobchurn ingest" in block
    )
    done = run(broken)
    assert done.returncode == 0, done.stderr
    assert "98 good and 2 bad of 100 rows" in done.stderr
    reasons = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [reason["rule"] for reason in reasons] == ["domain", "too many cells"]
    assert "nothing routed" in run(again).stderr


def test_a_home_that_was_prepared_as_for_production_is_given_no_practice_files(
    run, database, tmp_path
):
    rows = tmp_path / "outcomes.csv"
    synth.write_csv(rows, rows=1500)
    block = next(b for b in blocks(ROOT / "docs/how-to/production.md") if "data split" in b)
    done = run(f"export JOBCHURN_CSV='{rows}'\n{block}")
    assert done.returncode == 0, done.stderr
    made = []
    settings = Settings(jobchurn_home=run.home, database_url=database, jobchurn_csv=rows)
    with wiring.services(settings) as services:
        prepare(services, made.append)
        assert services.registry.champion().card.rows == 1500
    assert made == []
    assert list(Folders(run.home).raw_data.iterdir()) == []


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_the_request_that_a_page_shows_is_answered(page, store, tmp_path):
    request = next(b for b in blocks(ROOT / page) if "/predict " in b)
    body = json.loads(shlex.split(request)[-1])
    with serving(open_house(store, tmp_path)) as client:
        assert client.post("/predict", json=body).json()["n"] == 1
        for record in body["records"]:
            record["relevent_experience"] = record["relevent_experience"].lower()
        refused = client.post("/predict", json=body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["nearest"] == "No relevent experience"
