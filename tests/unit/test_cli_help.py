"""What the command line says of itself."""

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from jobchurn.cli import app


def commands_of(group, prefix=""):
    """Every command below a group, by the words that call it."""
    found = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= commands_of(command, f"{prefix}{name} ")
        else:
            found[prefix + name] = command
    return found


COMMANDS = commands_of(typer.main.get_command(app))


def told_by(*words, code=0):
    done = CliRunner().invoke(app, words)
    assert done.exit_code == code, done.output
    return done.output


def test_the_commands_of_the_design_are_there():
    assert COMMANDS.keys() == {
        "up", "down", "status", "logs", "reset", "doctor", "env",
        "data synth", "data fetch", "data split",
        "train", "models list", "models promote", "models rollback",
        "ingest", "predict", "runs", "trace", "db migrate", "db roles",
        "watch", "lab drift", "lab bad-rows", "lab one-class", "lab quiet",
        "keys create", "keys list", "keys revoke",
        "forget", "tidy", "backup", "restore",
        "dashboards build", "dashboards check",
    }  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_says_what_it_does_and_what_each_word_after_it_means(words):
    command = COMMANDS[words]
    assert command.help
    for parameter in command.params:
        assert parameter.help, parameter.name


def test_help_shows_every_command():
    for group in ("", "data", "models", "db", "lab"):
        shown = told_by(*group.split(), "--help")
        for words in COMMANDS:
            of, _, name = words.rpartition(" ")
            if of == group:
                assert f" {name} " in shown


@pytest.mark.parametrize("group", ["", "data", "models", "db", "lab"])
def test_a_group_without_a_command_shows_its_help(group):
    assert "Usage" in told_by(*group.split(), code=2)


def test_help_loads_nothing_that_takes_long():
    program = (
        "import sys; sys.argv = ['jobchurn', '--help']; from jobchurn.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = ['airflow', 'great_expectations', 'lightgbm', 'numpy', 'pandas', 'pydantic',"
        " 'sklearn', 'sqlalchemy', 'streamlit']\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == "[]\n"
    assert "Usage" in done.stdout


def test_the_version_is_told():
    assert told_by("--version")[0].isdigit()


def test_a_word_that_is_no_command_is_told():
    assert "engest" in told_by("engest", code=2)
