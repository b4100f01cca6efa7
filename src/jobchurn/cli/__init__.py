"""The terminal's door: words become calls of ``flow`` and ``stack``, and answers become text.

Results go to stdout, everything else to stderr. A foreseen failure ends with one sentence, its cure
and an exit code of its own, and so does a machine that has no room or no permission for a file;
whatever else happens is a fault of ours and shows its traceback.
"""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Annotated, NoReturn

import typer

from jobchurn.cli import (
    copies,
    dashboards,
    data,
    database,
    keys,
    models,
    monitor,
    people,
    services,
    trace,
    work,
)
from jobchurn.cli.show import note
from jobchurn.errors import JobchurnError, refusal_of

app = typer.Typer(
    name="jobchurn",
    help="Which candidates are looking for a new job, why, and how sure the prediction is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
services.add_to(app)
data.add_to(app)
models.add_to(app)
work.add_to(app)
trace.add_to(app)
database.add_to(app)
monitor.add_to(app)
dashboards.add_to(app)
keys.add_to(app)
people.add_to(app)
copies.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(metadata.version("jobchurn"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Which candidates are looking for a new job, why, and how sure the prediction is."""


def main() -> None:
    """Run the command line."""
    try:
        app()
    except JobchurnError as error:
        _end(error.message, error.cure, error.exit_code)
    except OSError as error:
        refusal = refusal_of(error)
        if refusal is None:
            raise
        _end(refusal.message, refusal.cure, refusal.exit_code)


def _end(message: str, cure: str, code: int) -> NoReturn:
    note(f"jobchurn: {message}")
    if cure:
        note(f"  Cure: {cure}")
    sys.exit(code)
