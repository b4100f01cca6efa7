"""``jobchurn watch`` and ``jobchurn lab …``: monitoring by hand, and seeing each alarm go off."""

from __future__ import annotations

import dataclasses
import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobchurn.cli.show import harmless, note, table

if TYPE_CHECKING:
    from jobchurn.flow.lab import Finding
    from jobchurn.flow.watch import Report

lab = typer.Typer(
    no_args_is_help=True, help="Set each alarm off (or see that none goes off), in this home."
)

Minutes = Annotated[
    float,
    typer.Option(min=0.1, max=1_440, help="How long the whole experiment may take, in minutes."),
]


def add_to(app: typer.Typer) -> None:
    """Add the command and the group to the command line."""
    app.command("watch")(watch)
    app.add_typer(lab, name="lab")


def watch(
    every: Annotated[
        float | None,
        typer.Option(
            min=1, max=86_400, help="Again and again, after so many seconds, until Ctrl-C."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="As JSON, one object a round and a line.")
    ] = False,
) -> None:
    """Judge new windows for drift, evaluate the alert rules, tell people: as the DAG does.

    Whatever fires, it ends with 0; only where a rule could not be evaluated it does not.
    """
    from jobchurn import wiring
    from jobchurn.errors import JobchurnError
    from jobchurn.flow import watch as flow

    with wiring.services() as services:
        if every is None:
            report = flow.watch(services)
            _show(report, as_json=as_json)
            if not report.is_whole:
                raise typer.Exit(1)
            return
        try:
            while True:
                try:
                    _show(flow.watch(services), as_json=as_json)
                except JobchurnError as error:
                    note(f"This round failed: {error}")
                time.sleep(every)
        except KeyboardInterrupt:
            note("Stopped.")


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report_json(report), default=datetime.isoformat))
        return
    from jobchurn.flow.watch.words import (
        delivery_words,
        moment_words,
        unjudged_words,
        window_words,
    )
    from jobchurn.notify import quantity

    for window in report.drift.windows:
        typer.echo(harmless(window_words(window)))
    for unjudged in report.drift.unjudged:
        note(unjudged_words(unjudged))
    table(
        "Alert rules",
        ("rule", "state", "since", "value", "alarm above", "told"),
        (
            (
                said.rule.name,
                said.state,
                moment_words(said.since),
                None if said.value is None else quantity(said.value, said.rule.unit),
                quantity(said.rule.above, said.rule.unit),
                said.news,
            )
            for said in report.rules
        ),
    )
    for said in report.rules:
        if said.error:
            note(f"{said.rule.name} could not be evaluated: {said.error}")
    for delivery in report.deliveries:
        typer.echo(harmless(delivery_words(delivery)))


def report_json(report: Report) -> dict[str, Any]:
    """A round of watching, made of JSON's types and moments."""
    return {
        "windows": [
            {
                "source": window.source,
                "model_version": window.model_version,
                "rows": window.rows,
                "first_at": window.first_at,
                "last_at": window.last_at,
                "unseen": window.unseen,
                "decision": window.decision.name.lower(),
                "features": [
                    dataclasses.asdict(one) | {"decision": one.decision.name.lower()}
                    for one in window.features
                ],
            }
            for window in report.drift.windows
        ],
        "unjudged": [dataclasses.asdict(one) for one in report.drift.unjudged],
        "rules": [
            {
                "rule": said.rule.name,
                "title": said.rule.title,
                "severity": said.rule.severity,
                "state": said.state,
                "since": said.since,
                "value": said.value,
                "above": said.rule.above,
                "unit": said.rule.unit,
                "told": said.news,
                "error": said.error,
            }
            for said in report.rules
        ],
        "deliveries": [dataclasses.asdict(delivery) for delivery in report.deliveries],
    }


@lab.command("drift")
def drift(
    feature: Annotated[str, typer.Option(help="The feature that shifts, by its column's name.")],
    strength: Annotated[
        float,
        typer.Option(
            help="Of a number: by how many of its standard deviations it grows. "
            "Of any other: the share of rows that get one and the same value."
        ),
    ] = 0.3,
    blank: Annotated[
        bool, typer.Option("--blank", help="Let that share of rows go blank instead.")
    ] = False,
    minutes: Minutes = 3.0,
) -> None:
    """Shift a feature until the drift alert fires, then end the shift until it is over."""
    from jobchurn import wiring
    from jobchurn.flow import lab as flow

    with wiring.services() as services:
        _end(
            flow.drift(
                services,
                note,
                feature=feature,
                strength=strength,
                blank=blank,
                minutes=minutes,
            )
        )


@lab.command("bad-rows")
def bad_rows(minutes: Minutes = 3.0) -> None:
    """Send bad rows until the alert of their share fires, then good ones until it is over."""
    from jobchurn import wiring
    from jobchurn.flow import lab as flow

    with wiring.services() as services:
        _end(flow.bad_rows(services, note, minutes=minutes))


@lab.command("one-class")
def one_class(minutes: Minutes = 3.0) -> None:
    """Send rows that the champion decides alike until the alert fires, then rows as they come."""
    from jobchurn import wiring
    from jobchurn.flow import lab as flow

    with wiring.services() as services:
        _end(flow.one_class(services, note, minutes=minutes))


@lab.command("quiet")
def quiet(
    hours: Annotated[
        float,
        typer.Option(
            min=0.1, max=24, help="How many hours of a demonstration's rows are streamed at once."
        ),
    ] = 1.0,
) -> None:
    """Stream an hour's rows without any shift, in a few minutes: no alert may fire."""
    from jobchurn import wiring
    from jobchurn.flow import lab as flow

    with wiring.services() as services:
        _end(flow.quiet(services, note, hours=hours))


def _end(finding: Finding) -> None:
    typer.echo(harmless(finding.words))
    if not finding.as_expected:
        raise typer.Exit(1)
