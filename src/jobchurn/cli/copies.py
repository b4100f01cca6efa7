"""``jobchurn backup`` and ``restore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobchurn.cli.show import note

if TYPE_CHECKING:
    from jobchurn.flow.backup import Manifest


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(folder: Annotated[Path, typer.Argument(help="A folder that is made.")]) -> None:
    """Write the database and all files of the home into a folder, while everybody works on.

    It holds people's data and secrets: it is closed to others, and is to be kept so.
    """
    from jobchurn import wiring
    from jobchurn.settings import read_settings

    manifest = wiring.backup(read_settings(), folder)
    _tell("Backed up", manifest)
    for path in manifest.left_out:
        note(f"Left out, as it was still being written: {path}")
    for path in manifest.missing:
        note(f"The ledger knows it, and it is not there: {path}")


def restore(
    folder: Annotated[Path, typer.Argument(help="A folder that `jobchurn backup` has written.")],
) -> None:
    """Bring a backup back into an empty home and an empty database."""
    from jobchurn import wiring
    from jobchurn.settings import read_settings

    _tell("Restored", wiring.restore(read_settings(), folder))


def _tell(done: str, manifest: Manifest) -> None:
    note(f"{done}: the database and {len(manifest.files)} files, as of {manifest.at}.")
