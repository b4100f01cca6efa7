"""The terminal's door: words become calls of ``flow`` and ``stack``, and answers become text.

Results go to stdout, everything else to stderr. A foreseen failure ends with one sentence, its cure
and an exit code of its own; whatever else happens is a fault of ours and shows its traceback.
"""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Annotated

import typer

from jobchurn.cli import data, models, services, work
from jobchurn.errors import JobchurnError

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
        sys.stderr.write(f"jobchurn: {error.message}\n")
        if error.cure:
            sys.stderr.write(f"  Cure: {error.cure}\n")
        sys.exit(error.exit_code)
