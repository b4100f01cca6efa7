"""``jobchurn ingest``, ``predict`` and ``runs``: the daily work, by hand."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobchurn.cli.show import note, table

if TYPE_CHECKING:
    from jobchurn.store.runs import Run


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("ingest")(ingest)
    app.command("predict")(predict)
    app.command("runs")(runs)


def ingest(
    files: Annotated[
        list[Path] | None, typer.Argument(help="CSV files; by default one raw file at random.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every raw file that is waiting.")] = False,
) -> None:
    """Judge files and route their rows to good or bad, as the ingestion DAG does."""
    from jobchurn import wiring
    from jobchurn.errors import InvalidRequest
    from jobchurn.flow import ingest as flow

    if files and all_:
        raise InvalidRequest("Files and --all exclude each other.", "Give one of the two.")
    with wiring.services() as services:
        if all_:
            done = 0
            for run in flow.ingest_all(services, trigger="cli"):
                note(told(run))
                done += 1
            note(f"{done} files ingested." if done else "No raw file is waiting.")
            return
        named: list[Path | None] = [*(files or [])] or [None]
        for file in named:
            one = flow.ingest_one(services, trigger="cli", file=file)
            note(told(one) if one else "No raw file is waiting.")


def told(run: Run) -> str:
    """A run in one line, whatever its file is called."""
    name = _in_one_line(run.file)
    if run.duplicate_of:
        return f"{name}: the content of run {run.duplicate_of} again; nothing routed."
    return (
        f"{name}: {run.rows_valid} good and {run.rows_invalid} bad of {run.rows_total} rows, "
        f"criticality {run.criticality}."
    )


def _in_one_line(name: str) -> str:
    from jobchurn.files import printable

    return printable(name)


def predict(
    file: Annotated[Path | None, typer.Argument(help="A CSV file of your own.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where the answer goes; else to stdout.")
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="Every new good file, as the prediction DAG does.")
    ] = False,
) -> None:
    """Predict a CSV file, or (--new) the good files that no prediction covers yet."""
    from jobchurn import wiring
    from jobchurn.errors import InvalidRequest, NotFound
    from jobchurn.flow import score

    if (file is None) == (not new):
        raise InvalidRequest("Give either a file or --new.", "See `jobchurn predict --help`.")
    with wiring.services() as services:
        if file is None:
            scored = list(score.score_new(services))
            for one in scored:
                note(f"{_in_one_line(one.file)}: {one.rows} rows predicted.")
            if not scored:
                note("No good file is new.")
            return
        if not file.exists():
            raise NotFound(f"There is no file {file}.", "Give the path of a CSV file.")
        if out is None:
            rows = score.predict_file(services, file, sys.stdout)
            sys.stdout.flush()  # here, where a reader that has gone is no fault
        else:
            answer = io.StringIO()
            _must_be_writable(out)
            rows = score.predict_file(services, file, answer)
            _write(out, answer.getvalue())
        for reasons in list(rows.refused.values())[:20]:
            note(f"row {reasons[0].row}: " + "; ".join(reason.message for reason in reasons))
        note(f"{len(rows.records)} rows predicted, {len(rows.refused)} refused.")


def _must_be_writable(out: Path) -> None:
    """Refuse, before any work, a place where no file can be written."""
    from jobchurn.errors import InvalidRequest

    place = Path(os.path.realpath(out))  # unlike resolve, it takes a loop of links as it is
    if _is_taken_by_no_file(out):
        writable = os.access(out, os.W_OK)
    else:
        writable = not place.is_dir() and os.access(place.parent, os.W_OK)
    if not writable:
        raise InvalidRequest(
            f"No file can be written at {out}.", "Name one in a folder that you may write to."
        )


def _is_taken_by_no_file(out: Path) -> bool:
    """Whether a pipe or a device is there, which is written to and not replaced."""
    return out.exists() and not out.is_file() and not out.is_dir()


def _write(out: Path, text: str) -> None:
    """Write an answer whole or not at all; it may replace the very file that was read."""
    from jobchurn import files
    from jobchurn.errors import DataUnusable

    try:
        if _is_taken_by_no_file(out):
            out.write_text(text, encoding="utf-8")
        else:
            # A link goes on pointing to where it did.
            files.write_atomically(Path(os.path.realpath(out)), text.encode())
    except OSError as error:
        raise DataUnusable(
            f"{out} cannot be written: {error.strerror}.", "Choose another place, or make room."
        ) from error


def runs(
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=10**9, help="At most so many, newest first; by default all."),
    ] = None,
) -> None:
    """List the ingestion runs, newest first."""
    from jobchurn import wiring

    with wiring.services() as services:
        finished = services.store.runs.finished(limit=limit)
    if as_json:
        rows = [dataclasses.asdict(run) for run in finished]
        typer.echo(json.dumps(rows, indent=2, default=datetime.isoformat))
        return
    runs_table(finished)


def runs_table(finished: Sequence[Run]) -> None:
    """Print runs as a table."""
    table(
        "Ingestion runs",
        ("finished", "file", "by", "rows", "good", "bad", "criticality", "repeats"),
        (
            (
                f"{run.finished_at:%Y-%m-%d %H:%M:%S}",
                run.file,
                run.trigger,
                run.rows_total,
                run.rows_valid,
                run.rows_invalid,
                run.criticality,
                run.duplicate_of,
            )
            for run in finished
        ),
    )
