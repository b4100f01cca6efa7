"""``jobchurn trace``: one row's whole life, as lines or as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobchurn.cli.show import harmless

if TYPE_CHECKING:
    from jobchurn.flow.routed import Place
    from jobchurn.flow.trace import Life
    from jobchurn.store.trace import TracedArrival, TracedPrediction
    from jobchurn.verdict import Reason

_MARGIN = 12
_BIGGEST = 2**63 - 1
"""The largest number that a prediction, or a row, can have."""


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("trace")(trace)


def trace(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE:ROW|PREDICTION",
            help="A row of a file, counted from 1 without the header, or a prediction's number. "
            "The file is the raw one's name or that of its routed files, or a path; of a path "
            "among the good or bad ones the row is counted in that file.",
        ),
    ],
    run: Annotated[
        str | None, typer.Option(help="Which arrival of the file; by default the latest.")
    ] = None,
    show: Annotated[
        bool,
        typer.Option("--show", help="Tell the row's own text, too, which is about a person."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON object.")] = False,
) -> None:
    """Tell a row's life: arrival, verdict, where its bytes lie, prediction, alerts, retries."""
    from jobchurn import wiring
    from jobchurn.errors import InvalidRequest
    from jobchurn.flow import trace as flow

    file, row = _meant(what)
    if file is None and run is not None:
        raise InvalidRequest("A prediction has one run.", "Leave --run out, or give FILE:ROW.")
    with wiring.services() as services:
        if file is None:
            life = flow.trace_prediction(services, row, show=show)
        else:
            life = flow.trace_row(services, file, row, run_id=run, show=show)
    if as_json:
        typer.echo(json.dumps(life_json(life), indent=2, default=_json))
        return
    for label, text in lines_of(life):
        typer.echo(harmless(f"{label:<{_MARGIN}} {text}".rstrip()))


def _meant(what: str) -> tuple[str | None, int]:
    """The file and its row, or a prediction's number alone."""
    from jobchurn.errors import InvalidRequest

    file, colon, number = what.rpartition(":")
    known = number.isascii() and number.isdecimal() and 0 < int(number[:20]) <= _BIGGEST
    if not known or (colon and not file):
        raise InvalidRequest(
            f"{harmless(what)} is neither a row of a file nor a prediction.",
            "Give FILE:ROW, as in rows.csv:7, or the number of a prediction.",
        )
    return (file if colon else None), int(number)


def life_json(life: Life) -> dict[str, Any]:
    """A life, made of JSON's types, moments and paths."""
    return {
        "file": life.file,
        "row": life.row,
        "state": life.state.value,
        "forgotten": life.is_forgotten,
        "run": life.arrival and life.arrival.run_id,
        "duplicate_of": life.arrival and life.arrival.duplicate_of,
        "arrivals": [dataclasses.asdict(one) for one in life.arrivals],
        "repeats": [one.run_id for one in life.repeats],
        "ingestion": life.run and dataclasses.asdict(life.run),
        "reasons": [dataclasses.asdict(one) for one in life.reasons],
        "place": life.place and dataclasses.asdict(life.place),
        "scored_at": life.scored_at,
        "predictions": [dataclasses.asdict(one) for one in life.predictions],
        "alerts": [dataclasses.asdict(one) for one in life.alerts],
        "redactions": [dataclasses.asdict(one) for one in life.redactions],
    }


def _json(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def lines_of(life: Life) -> Iterator[tuple[str, str]]:
    """A life in lines, each with the label that stands before it."""
    if life.file is not None:
        row = "a row" if life.row is None else f"row {life.row}"
        yield "what", f"{row} of {_name(life.file)}"
    yield "state", life.state + (", and removed since" if life.is_forgotten else "")
    yield from _arrivals_lines(life)
    if (run := life.run) is not None:
        counts = f"{run.rows_valid} good and {run.rows_invalid} bad of {run.rows_total} rows"
        yield "verdict", f"{counts}, criticality {run.criticality}; report {run.report}"
    for reason in life.reasons:
        yield "reason", _reason(reason)
    if life.place is not None:
        yield from _place_lines(life.place)
    yield from _predictions_lines(life)
    for alert in life.alerts:
        tries = "1 try" if alert.attempts == 1 else f"{alert.attempts} tries"
        yield "alert", f"{alert.title}: {alert.status} to {alert.channel}, {tries}"
    for redaction in life.redactions:
        file = redaction.file or "the predictions"
        yield "removed", f"{_moment(redaction.at)}: {redaction.rows} rows of {file}"


def _arrivals_lines(life: Life) -> Iterator[tuple[str, str]]:
    if life.arrival is not None:
        yield from _arrival_lines(life.arrival)
    for other in life.arrivals:
        if other != life.arrival:
            yield "also", f"run {other.run_id} of {_moment(other.started_at)}, {_standing(other)}"
    for repeat in life.repeats:
        if repeat != life.arrival:
            yield "repeated", f"as {_name(repeat.name)} by run {repeat.run_id}; nothing was routed"


def _predictions_lines(life: Life) -> Iterator[tuple[str, str]]:
    for prediction in life.predictions:
        yield from _prediction_lines(prediction)
    if life.state == "good" and not life.predictions:
        none_yet = "none yet; jobchurn predict --new makes it"
        scored = f"none is kept; the file was predicted {_moment(life.scored_at)}"
        yield "prediction", scored if life.scored_at else none_yet


def _arrival_lines(arrival: TracedArrival) -> Iterator[tuple[str, str]]:
    came = _moment(arrival.arrived_at) if arrival.arrived_at else "at a time not known"
    yield "arrived", f"{came}, {arrival.size:,} bytes, sha256 {arrival.sha256}"
    yield "run", f"{arrival.run_id}, by {arrival.trigger}, {_standing(arrival)}"
    if arrival.takeovers:
        yield "retried", f"taken over from another worker {arrival.takeovers} times"
    if arrival.outcome is None:
        yield "held", f"by {arrival.holder or 'nobody'}, until {_moment(arrival.lease_until)}"


def _standing(arrival: TracedArrival) -> str:
    standing = f"{arrival.outcome or 'under way'} {_moment(arrival.closed_at)}".rstrip()
    if arrival.duplicate_of is None:
        return standing
    return f"{standing}, the content of run {arrival.duplicate_of} again"


def _reason(reason: Reason) -> str:
    likely = f"; likely meant: {reason.repair}" if reason.repair is not None else ""
    return f"{reason.rule}: {reason.message}{likely}"


def _place_lines(place: Place) -> Iterator[tuple[str, str]]:
    row = "" if place.row is None else f", row {place.row} of it"
    if place.doubt:
        yield "lies in", f"{place.path}{row}; where in it cannot be told: {place.doubt}"
        return
    yield "lies in", f"{place.path}{row}, bytes {place.start} up to {place.stop}"
    if place.text is not None:
        yield "text", place.text.rstrip("\r\n")


def _prediction_lines(prediction: TracedPrediction) -> Iterator[tuple[str, str]]:
    decision = f"{prediction.prediction}, with probability {prediction.probability:.6f}"
    stored = f"number {prediction.id}, {_moment(prediction.created_at)}"
    yield "prediction", f"{decision}; {stored}, source {prediction.source}"
    yield "decided by", f"model {prediction.model_version}, policy {prediction.policy_version}"
    key = prediction.request_key
    if key is not None:
        yield "request", f"key {key}: a retry is given this answer, and stores nothing"
    for name, value in prediction.record.items():
        yield "", f"{name}: {'blank' if value is None else value}"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def _name(name: str) -> str:
    from jobchurn.files import printable

    return printable(name)
