"""``jobchurn forget`` and ``tidy``: what is kept of people, and for how long."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from jobchurn.cli.show import note, table

if TYPE_CHECKING:
    from jobchurn.flow.forget import Forgotten


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("forget")(forget)
    app.command("tidy")(tidy)


def forget(
    person: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="The person's id; - reads it from stdin, as ps shows arguments."
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what there is.")] = False,
    doubtful: Annotated[
        bool,
        typer.Option(
            "--doubtful",
            help="Also what may be theirs: broken records that mention the id elsewhere, and whole "
            "files that were refused and mention it.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Remove a person from the database, the files and the reports of this home.

    What is under way with their data is finished first. Ends with 1 where something is left that
    cannot be told to be theirs.
    """
    from jobchurn import wiring
    from jobchurn.errors import InvalidRequest
    from jobchurn.flow import forget as flow

    text = sys.stdin.readline() if person == "-" else person
    if not yes and not dry_run and (person == "-" or not sys.stdin.isatty()):
        raise InvalidRequest(
            "Nobody can be asked whether that is meant.", "Add --yes, or --dry-run to look first."
        )
    with wiring.services() as services:
        subject = flow.Person.of(services.contract, text)
        if not yes and not dry_run:
            found = flow.forget(services, subject, doubtful=doubtful, dry_run=True)
            _show(found, removed=False)
            typer.confirm("Remove this? It cannot be undone.", abort=True, err=True)
        done = flow.forget(services, subject, doubtful=doubtful, dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, **dataclasses.asdict(done)}))
    else:
        _show(done, removed=not dry_run)
    if done.left:
        raise typer.Exit(1)


def _show(done: Forgotten, *, removed: bool) -> None:
    table(
        "Removed" if removed else "To be removed",
        ("what", "rows", "run"),
        [
            ("predictions in the database", done.predictions, None),
            ("kept answers to requests", done.requests, None),
            *((one.file, one.rows, one.run_id) for one in done.files),
        ],
    )
    for left in done.left:
        row = f", row {left.row}" if left.row else ""
        note(f"Left: {left.file}{row}: {left.why}.")
    if done.left:
        note("Look into what is left; --doubtful removes what may be theirs.")


def tidy(
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Remove what is older than LOG_DAYS, PREDICTION_DAYS and FILE_DAYS say; make partitions ahead.

    In the name of the database's owner. `jobchurn up` and compose do it once a day.
    """
    from jobchurn import wiring
    from jobchurn.flow.upkeep import keep_up

    with wiring.services() as services:
        tidied = keep_up(services)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(tidied)))
        return
    table(
        "Tidied up",
        ("what", "how many"),
        [
            ("entries of logs removed", tidied.entries),
            ("predictions removed", tidied.predictions),
            ("files removed", tidied.files),
            ("expired keys removed", tidied.keys),
            ("partitions made", tidied.partitions),
        ],
    )
