"""``jobchurn train`` and ``jobchurn models …``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobchurn.cli.show import note, table

group = typer.Typer(no_args_is_help=True, help="List, promote and roll back model versions.")


def add_to(app: typer.Typer) -> None:
    """Add the command and the group to the command line."""
    app.command("train")(train)
    app.add_typer(group, name="models")


def train(
    csv: Annotated[
        Path | None,
        typer.Argument(help="Rows with known outcomes; by default what `data split` set aside."),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**32 - 1, help="The same seed and data give the same model."),
    ] = 0,
    promote: Annotated[
        bool | None,
        typer.Option(
            "--promote/--no-promote",
            help="Put it in charge; by default only where no model is yet.",
        ),
    ] = None,
) -> None:
    """Train a model, show how good it is, and register it."""
    from jobchurn import wiring
    from jobchurn.errors import NotFound
    from jobchurn.flow.dataset import DataFolder
    from jobchurn.flow.train import train as learn
    from jobchurn.model.evaluate import evaluation_table

    with wiring.services() as services:
        source = csv or DataFolder(services.folders.data).training
        if not source.exists():
            raise NotFound(
                f"There is no file {source}.",
                "Run `jobchurn data split` first, or name a CSV file with known outcomes.",
            )
        model = learn(services, source, seed=seed, progress=note)
        typer.echo(evaluation_table(model.card))
        champion = services.store.models.champion()
        if model.version == champion:
            note(f"{model.version} is the champion already.")
        elif promote or (promote is None and champion is None):
            services.registry.promote(model.version)
            note(f"{model.version} is the champion now.")
        else:
            note(f"Put it in charge with `jobchurn models promote {model.version}`.")
        typer.echo(model.version)


@group.command("list")
def list_() -> None:
    """List the model versions, newest first."""
    from jobchurn import wiring

    with wiring.services() as services:
        table(
            "Model versions",
            ("version", "champion", "trained", "rows", "ROC-AUC", "log loss"),
            (
                (
                    model.version,
                    "yes" if model.champion else "",
                    f"{model.created_at:%Y-%m-%d %H:%M}",
                    model.card["rows"],
                    f"{model.card['metrics']['roc_auc']:.3f}",
                    f"{model.card['metrics']['log_loss']:.3f}",
                )
                for model in services.registry.list()
            ),
        )


@group.command("promote")
def promote_(version: Annotated[str, typer.Argument(help="The version to put in charge.")]) -> None:
    """Put a model version in charge; every worker follows within a second."""
    from jobchurn import wiring

    with wiring.services() as services:
        services.registry.promote(version)
        note(f"{version} is the champion now.")


@group.command("rollback")
def rollback() -> None:
    """Put the champion's predecessor in charge again."""
    from jobchurn import wiring

    with wiring.services() as services:
        note(f"{services.registry.rollback()} is the champion again.")
