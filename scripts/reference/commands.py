"""The command line, from the command line itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from scripts.reference.markdown import code, page, prose, table

from jobchurn import errors
from jobchurn.cli import app
from jobchurn.errors import JobchurnError

MAKEFILE = Path(__file__).resolve().parents[2] / "Makefile"


def commands_page() -> str:
    """``commands.md``."""
    root = typer.main.get_command(app)
    return page(
        "Commands",
        "`jobchurn` lies in `.venv/bin/` after `make setup`. Results go to stdout, everything else "
        "to stderr. Commands that need the database join the one of a running stack; where none "
        "runs, they start it for as long as they take.",
        *(
            part
            for path, command in _commands(root, "jobchurn")
            for part in _section(path, command)
        ),
        "## Exit codes",
        "0 is success. A foreseen failure ends with one sentence, its cure, and one of these; "
        "anything else shows a traceback and is a fault of ours.",
        table(("code", "failures"), _exit_codes()),
        "## Make targets",
        "Each is one command; `make` alone lists them.",
        table(("target", "what it does"), make_targets()),
    )


def make_targets() -> Iterator[tuple[str, str]]:
    """Each target of the Makefile, and what it says of itself."""
    for found in re.finditer(r"^([a-z0-9-]+):.*## (.+)$", MAKEFILE.read_text(), re.MULTILINE):
        yield code(f"make {found[1]}"), found[2]


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command that does something, groups gone into."""
    for name, child in command.commands.items():
        if hasattr(child, "commands"):
            yield from _commands(child, f"{path} {name}")
        else:
            yield f"{path} {name}", child


def _section(path: str, command: Any) -> Iterator[str]:
    yield f"## {path}"
    yield prose(command.help)
    if command.params:
        yield table(
            ("argument or option", "default", "meaning"),
            ((_spelt(p), _default(p), prose(getattr(p, "help", ""))) for p in command.params),
        )


def _spelt(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        dots = "…" if parameter.nargs == -1 else ""
        return code(f"{parameter.name.upper()}{dots}")
    return ", ".join(map(code, [*parameter.opts, *parameter.secondary_opts]))


def _default(parameter: Any) -> str:
    value = parameter.default
    return "" if value is None or value is False or value == "" else code(value)


def _exit_codes() -> Iterator[tuple[str, str]]:
    titles: dict[int, list[str]] = {}
    for _, failure in inspect.getmembers(errors, inspect.isclass):
        if issubclass(failure, JobchurnError) and failure is not JobchurnError:
            titles.setdefault(failure.exit_code, []).append(failure("").title)
    for number, names in sorted(titles.items()):
        yield code(number), "; ".join(sorted(names))
