"""``jobchurn dashboards …``: Grafana's files, written and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobchurn.cli.show import note

group = typer.Typer(
    no_args_is_help=True, help="Write and check Grafana's dashboards, alert rules and provisioning."
)

Folder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="The folder of the files; by default the repository's, or else grafana/ here.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(group, name="dashboards")


@group.command("build")
def build(out: Folder = None) -> None:
    """Write the files that Grafana is provisioned with."""
    from jobchurn.files import write_atomically

    folder = _folder(out)
    built = _built()
    written = 0
    for name, text in built.items():
        path = folder / name
        if _text_of(path) != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text.encode())
            written += 1
    note(f"{len(built)} files in {folder}, {written} of them written anew.")


@group.command("check")
def check(out: Folder = None) -> None:
    """Name each file that is not as it would be written, or that Grafana could not use; then 1."""
    folder = _folder(out)
    built = _built()

    from jobchurn.grafana.files import FOLDERS, differences

    places = [
        path
        for name in FOLDERS
        for path in (folder / name).glob("*")
        if path.is_file() and not path.name.startswith(".")
    ]
    found = {path.relative_to(folder).as_posix(): _text_of(path) or "" for path in places}
    faults = differences(found, built)
    for fault in faults:
        typer.echo(fault)
    if faults:
        note("  Cure: jobchurn dashboards build")
        raise typer.Exit(1)
    note(f"{len(built)} files in {folder}, all as they should be.")


def _built() -> dict[str, str]:
    """What the files should be.

    Raises:
        NotInstalled: the libraries that make them are missing.
    """
    from jobchurn import wiring
    from jobchurn.errors import NotInstalled

    try:
        from jobchurn.grafana.files import files_of
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("grafana_foundation_sdk", "yaml"):
            raise
        raise NotInstalled(
            f"Grafana's files cannot be made without the library {error.name}.",
            'Install it with `pip install "jobchurn[dashboards]"`.',
        ) from None
    return files_of(wiring.contract())


def _folder(out: Path | None) -> Path:
    repository = Path(__file__).resolve().parents[3] / "grafana"
    return out or (repository if repository.is_dir() else Path("grafana"))


def _text_of(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None
