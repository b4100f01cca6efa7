"""``jobchurn data …``: make, fetch and split data sets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from jobchurn.cli.show import note

group = typer.Typer(no_args_is_help=True, help="Make, fetch and split data sets.")


def add_to(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(group, name="data")


def _place_for(target: Path) -> Path:
    """Where a data set is written, for it to lie at ``target``: its folder is made, links lead on.

    What is written replaces what was there, which a pipe or a device would not survive.

    Raises:
        InvalidRequest: something else than a file is there.
    """
    from jobchurn.errors import InvalidRequest

    if target.exists() and not target.is_file():
        raise InvalidRequest(f"{target} is no regular file.", "Name a file, or a new place.")
    place = Path(os.path.realpath(target))  # a loop of links is refused where the folder is made
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


@group.command("synth")
def synth(
    rows: Annotated[int, typer.Option(min=1, max=10**7, help="How many rows to make.")] = 19_158,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same rows.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", dir_okay=False, help="By default the home's data set."),
    ] = None,
) -> None:
    """Make the built-in data set: nobody's rows, with the patterns of real ones."""
    from jobchurn import synth as synthesis
    from jobchurn.files import Folders
    from jobchurn.flow.dataset import DataFolder
    from jobchurn.settings import read_settings

    folders = Folders(read_settings().home)
    if out is None:
        folders.make()
    target = out or DataFolder(folders.data).dataset
    synthesis.write_csv(_place_for(target), rows=rows, seed=seed)
    note(f"{rows} rows made.")
    typer.echo(bytes(target))  # as it is, whatever its bytes say


@group.command("fetch")
def fetch(
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", dir_okay=False, help="By default the home's data set."),
    ] = None,
) -> None:
    """Bring the published data set from OpenML (needs a network)."""
    from jobchurn import wiring
    from jobchurn.files import Folders
    from jobchurn.flow import dataset
    from jobchurn.settings import read_settings

    folders = Folders(read_settings().home)
    if out is None:
        folders.make()
    target = out or dataset.DataFolder(folders.data).dataset
    rows = dataset.fetch(_place_for(target), wiring.contract(), note)
    note(f"{rows} rows fetched.")
    typer.echo(bytes(target))  # as it is, whatever its bytes say


@group.command("split")
def split(
    n_files: Annotated[
        int | None, typer.Option("--n-files", "--n_files", min=1, help="Into how many raw files.")
    ] = None,
    error_rate: Annotated[
        float,
        typer.Option(
            "--error-rate", "--error_rate", min=0, max=1, help="The share of rows to damage."
        ),
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="The same seed splits the same way.")] = 0,
) -> None:
    """Set 70% of the data set aside to learn from; split the rest into raw files with errors."""
    from jobchurn import wiring
    from jobchurn.files import Folders
    from jobchurn.flow import dataset
    from jobchurn.settings import read_settings

    settings = read_settings()
    folders = Folders(settings.home)
    folders.make()
    manifest = dataset.set_aside_and_split(
        settings,
        folders,
        wiring.contract(),
        n_files=n_files or settings.start_files,
        error_rate=error_rate,
        seed=seed,
        progress=note,
    )
    note(f"{len(manifest.files)} raw files written.")
    typer.echo(folders.raw_data)
