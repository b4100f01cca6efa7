"""Trace: one row's whole life, from the file that it came in to what was predicted of it.

Everything is looked up, nothing is remembered for this: the ledger says what became of the file,
the reasons beside the bad rows which rows those were, and the routed files themselves where a row's
bytes lie. What can no longer be told (a file was removed, or changed by hand) is said to be so.
What is personal (the row's own text, what is wrong in it word for word, the record that was
predicted) is given only where it is asked for.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from jobchurn import files, report
from jobchurn.errors import NotFound
from jobchurn.flow import routed, work
from jobchurn.flow.routed import Place
from jobchurn.flow.services import Services
from jobchurn.store.alerts import Alert
from jobchurn.store.redactions import Redaction
from jobchurn.store.runs import Run
from jobchurn.store.trace import TracedArrival, TracedPrediction
from jobchurn.verdict import Reason


class State(StrEnum):
    """What has become of a row."""

    WAITING = "waiting"
    """Its file lies in the folder of arriving files, and nobody has claimed it yet."""
    UNDER_WAY = "under way"
    """Its file is claimed, and its run is not published."""
    WITHDRAWN = "withdrawn"
    """Its file was changed or taken away before it could be worked on."""
    REFUSED = "refused"
    """Its file was refused as a whole."""
    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"
    """The reasons are gone that say which rows were bad."""
    NO_FILE = "no file"
    """It came by a request, and not in a file of ours."""


@dataclass(frozen=True, kw_only=True)
class Life:
    """All that is known of one row.

    Attributes:
        file: the raw file's name, as :func:`os.fsdecode` gives it; ``None`` where it came in none.
        row: its number in the raw file, from 1; ``None`` where it came in none.
        state: what has become of it.
        is_forgotten: it was removed since, and only its place is left.
        arrivals: every arrival that the file can mean, the latest first.
        arrival: the one that is told of; ``None`` where it is not claimed yet.
        repeats: the later arrivals of the same content.
        run: what the run found that judged the content: the arrival's own, or the one it repeats.
        reasons: why the row, or the whole file, is bad.
        place: where its bytes lie; ``None`` where they lie nowhere.
        scored_at: when the good file was found to be predicted.
        predictions: of the row; one, if all is well and it is good.
        alerts: what people were told about the file.
        redactions: what was removed of the run's files and predictions.
    """

    file: str | None = None
    row: int | None = None
    state: State
    is_forgotten: bool = False
    arrivals: tuple[TracedArrival, ...] = ()
    arrival: TracedArrival | None = None
    repeats: tuple[TracedArrival, ...] = ()
    run: Run | None = None
    reasons: tuple[Reason, ...] = ()
    place: Place | None = None
    scored_at: datetime | None = None
    predictions: tuple[TracedPrediction, ...] = ()
    alerts: tuple[Alert, ...] = ()
    redactions: tuple[Redaction, ...] = ()


class _Meant(NamedTuple):
    """What a person means by a file: arrivals, one that nobody has claimed, and its routed part."""

    arrivals: list[TracedArrival]
    waiting: Path | None = None
    part: Path | None = None


def trace_row(
    services: Services, file: str, row: int, *, run_id: str | None = None, show: bool = False
) -> Life:
    """The life of a row of a file.

    Args:
        services: the folders and the database.
        file: the name of a raw file or of routed ones, or a path. Of a file among the good or the
            bad ones the row is counted in it, of any other in the raw file.
        row: the row's number, from 1.
        run_id: which arrival of the file is meant; by default the latest.
        show: tell what is personal, too.

    Raises:
        NotFound: no such file has come, or it has no such row.
    """
    meant = _meant_by(services, file)
    if run_id is None and meant.waiting is not None:
        place = routed.place_in(meant.waiting, services.contract, row, show=show)
        return Life(
            file=meant.waiting.name,
            row=row,
            state=State.WAITING,
            arrivals=tuple(meant.arrivals),
            place=place,
        )
    arrival = _chosen(meant.arrivals, file, run_id)
    life = _life(services, arrival, row, part=meant.part, show=show)
    return dataclasses.replace(life, arrivals=tuple(meant.arrivals))


def trace_prediction(services: Services, number: int, *, show: bool = False) -> Life:
    """The life of the row of which a prediction was made.

    Raises:
        NotFound: no such prediction is kept.
    """
    prediction = services.store.trace.prediction(number)
    if prediction is None:
        raise NotFound(
            f"No prediction {number} is kept.",
            "It may have been removed on request, or been kept for long enough.",
        )
    own = (_shown(prediction, show=show),)
    arrival = services.store.trace.arrival(prediction.run_id) if prediction.run_id else None
    if arrival is None or prediction.row_number is None:
        return Life(state=State.NO_FILE, predictions=own)
    run = services.store.runs.get(arrival.run_id)
    part = Path(run.good) if run.good else None
    life = _life(services, arrival, prediction.row_number, part=part, show=show)
    return dataclasses.replace(life, predictions=own, arrivals=(arrival,))


def _meant_by(services: Services, file: str) -> _Meant:
    folders, ledger = services.folders, services.store.trace
    path = Path(file)
    if not os.path.isfile(path):  # noqa: PTH113 (whatever the name holds, it raises nothing)
        arrivals = _arrivals_named(services, path.name)
        return _Meant(arrivals, _waiting(services, path.name, arrivals))
    folder = path.absolute().parent.resolve()
    if folder in (folders.good_data.resolve(), folders.bad_data.resolve()):
        named = _arrivals_named(services, path.name)
        return _Meant([one for one in named if one.routed_name == path.name], part=path.absolute())
    if folder == folders.raw_data.resolve() or path.name == file:
        arrivals = _arrivals_named(services, path.name)
        waiting = _waiting(services, path.name, arrivals)
        if arrivals or waiting:
            return _Meant(arrivals, waiting)
    return _Meant(ledger.arrivals_of_content(files.sha256_of(path)))


def _arrivals_named(services: Services, name: str) -> list[TracedArrival]:
    """The arrivals of a name as it is, or as it was shown to a person."""
    ledger = services.store.trace
    return ledger.arrivals_named(name) or ledger.arrivals_named(files.from_printable(name))


def _waiting(services: Services, name: str, arrivals: Sequence[TracedArrival]) -> Path | None:
    """The file of this name that waits to be claimed, if any."""
    for candidate in (name, files.from_printable(name)):
        path = services.folders.raw_data / candidate
        if os.path.isfile(path):  # noqa: PTH113
            content = files.sha256_of(path)
            claimed = any(one.sha256 == content and one.outcome is None for one in arrivals)
            return None if claimed else path
    return None


def _chosen(arrivals: Sequence[TracedArrival], file: str, run_id: str | None) -> TracedArrival:
    for arrival in arrivals:
        if arrival.run_id == run_id:
            return arrival
    if not arrivals:
        raise NotFound(
            f"No file {files.printable(file)} has come.",
            "Give a raw file's name, that of its routed files, or a path; see jobchurn runs.",
        )
    if run_id is not None:
        known = ", ".join(arrival.run_id for arrival in arrivals)
        raise NotFound(
            f"{files.printable(file)} has not come as run {run_id}.", f"It has come as {known}."
        )
    kept = [arrival for arrival in arrivals if arrival.outcome != "withdrawn"]
    return (kept or arrivals)[0]


def _life(
    services: Services, arrival: TracedArrival, row: int, *, part: Path | None, show: bool
) -> Life:
    store = services.store
    first = arrival
    if arrival.duplicate_of is not None:
        first = store.trace.arrival(arrival.duplicate_of) or arrival
    told = [*store.alerts.of_run(arrival.run_id)]
    told += store.alerts.of_run(first.run_id) if first is not arrival else []
    life = Life(
        file=arrival.name,
        row=row,
        state=State.WITHDRAWN,
        arrival=arrival,
        repeats=tuple(store.trace.repeats_of(first.run_id)),
        alerts=tuple(told),
        redactions=tuple(store.redactions.of_run(first.run_id)),
    )
    if arrival.outcome == "withdrawn":
        return life
    if arrival.outcome is None:
        place = _place_under_way(services, arrival, row, show=show)
        return dataclasses.replace(life, state=State.UNDER_WAY, place=place)
    return _judged(services, life, store.runs.get(first.run_id), row, part=part, show=show)


def _judged(
    services: Services, life: Life, run: Run, row: int, *, part: Path | None, show: bool
) -> Life:
    """The life of a row whose file was judged; where ``part`` is given, it is counted in that."""
    life = dataclasses.replace(life, run=run)
    if run.bad is not None and not run.rows_invalid:
        reasons = routed.reasons_in(Path(run.reasons or "")) or ()
        place = routed.whole(Path(run.bad), show=show)
        return dataclasses.replace(
            life,
            state=State.REFUSED,
            is_forgotten=place.stop == 0 and bool(life.redactions),
            reasons=tuple(_told(services, reason, show=show) for reason in reasons),
            place=place,
        )
    sides = routed.sides_of(run)
    if part is not None:
        if sides is None:
            return dataclasses.replace(life, row=None, state=State.UNKNOWN)
        row = sides.raw_row(row, is_bad=str(part) == run.bad)
    if not 1 <= row <= run.rows_total:
        raise routed.no_such_row(run.file, row, run.rows_total)
    life = dataclasses.replace(life, row=row)
    if sides is None:
        return dataclasses.replace(life, state=State.UNKNOWN)
    place = routed.place_of(run, sides, row, services.contract, show=show)
    life = dataclasses.replace(
        life, place=place, is_forgotten=place.is_empty and _has_lost_rows(life, place)
    )
    if sides.is_bad(row):
        reasons = tuple(_told(services, reason, show=show) for reason in sides.reasons_of(row))
        return dataclasses.replace(life, state=State.BAD, reasons=reasons)
    found_predictions = services.store.trace.predictions_of_row(run.run_id, sides.routed_row(row))
    return dataclasses.replace(
        life,
        state=State.GOOD,
        scored_at=services.store.trace.predicted_at(run.run_id),
        predictions=tuple(_shown(one, show=show) for one in found_predictions),
    )


def _has_lost_rows(life: Life, place: Place) -> bool:
    """Whether rows were removed from the file in which a place is."""
    return any(one.file and Path(one.file).name == place.path.name for one in life.redactions)


def _place_under_way(
    services: Services, arrival: TracedArrival, row: int, *, show: bool
) -> Place | None:
    """Where a row lies whose file is worked on, wherever that is just now."""
    for path in work.places_of(services, arrival.run_id, arrival.name):
        if path.is_file():
            return routed.place_in(path, services.contract, row, show=show)
    return None


def _told(services: Services, reason: Reason, *, show: bool) -> Reason:
    """A reason as it may be told: without the cell's own text, where that was not asked for."""
    column = services.contract.by_name.get(reason.column or "")
    if show or reason.message == report.REMOVED:
        return reason
    message = reason.message
    if column is not None and reason.row is not None:
        message = f"{column.name} breaks the rule; allowed: {column.allowed}"
    return dataclasses.replace(reason, text="", message=message, repair=None)


def _shown(prediction: TracedPrediction, *, show: bool) -> TracedPrediction:
    """A prediction as it may be told: without the record, where that was not asked for."""
    return prediction if show else dataclasses.replace(prediction, record={})
