"""The experiments that set an alarm off and see it end: drift, bad rows, one class."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

from jobchurn.errors import DataUnusable
from jobchurn.flow.lab.rows import shift_of, source_of
from jobchurn.flow.lab.stream import Finding, Progress, Stream, state_of, within_its_time
from jobchurn.flow.rows import Record
from jobchurn.flow.services import Services
from jobchurn.flow.watch.state import FIRING, OK
from jobchurn.flow.watch.windows import baseline_of

DAMAGED = 0.9
"""The share of rows that ``bad_rows`` damages in a file."""

_MOST_SENT = 5
_FEWEST_ROWS = 300
_MOST_ROWS = 200_000


@within_its_time
def drift(
    services: Services,
    progress: Progress,
    *,
    feature: str,
    strength: float,
    blank: bool = False,
    minutes: float = 3.0,
    ripe_seconds: float = 6.0,
) -> Finding:
    """Shift one feature until it pages, then end the shift until all is clear.

    Window after window of ``DRIFT_WINDOW_ROWS`` rows is sent: quiet ones, which also fill up the
    window that others have begun; shifted ones, of which the second in a row pages; quiet ones.
    """
    baseline = baseline_of(services.store, services.registry.champion().version)
    shift = shift_of(services.contract, baseline["columns"], feature, strength, blank=blank)
    draw, origin = source_of(services)
    chance = Random(time.time_ns())  # noqa: S311
    rows = services.settings.drift_window_rows
    stream = Stream(services, "drift", progress, minutes, ripe_seconds)
    stream.announce(origin)

    def until(wanted: str, make: Callable[[], list[Record]], what: str) -> bool:
        for _ in range(_MOST_SENT):
            progress(f"{rows} {what} rows …")
            stream.send(make())
            if state_of(stream.watch(), "drift").state == wanted:
                return True
        return False

    def quiet_rows() -> list[Record]:
        return draw(rows)

    def shifted_rows() -> list[Record]:
        return shift.applied(draw(rows), chance)

    if not until(OK, quiet_rows, "quiet"):
        return Finding(False, "The rule drift fires already, whatever comes: see its runbook.")
    progress(f"From now on {shift.words} …")
    if not until(FIRING, shifted_rows, "shifted"):
        return Finding(False, f"No alarm came: {shift.words}, which is too little to be sure.")
    progress("The alarm is raised. The shift ends …")
    if not until(OK, quiet_rows, "quiet"):
        return Finding(False, "The alarm came, and did not end with the shift.")
    return Finding(True, "The shift was found, the alarm raised, and all is clear again.")


@within_its_time
def bad_rows(
    services: Services, progress: Progress, *, minutes: float = 3.0, ripe_seconds: float = 6.0
) -> Finding:
    """Send bad rows until they are too large a share of the last hour's, then good ones."""
    draw, origin = source_of(services)
    stream = Stream(services, "bad-rows", progress, minutes, ripe_seconds)
    stream.announce(origin)
    progress("A file of high criticality is told at once, by ingestion itself, beside the rule.")
    total, bad = _of_the_last_hour(services)
    needed = _enough((0.5 * total - bad) / (DAMAGED - 0.5))
    progress(f"{needed} rows, of which nine in ten are damaged …")
    stream.send(draw(needed), damaged=DAMAGED)
    if state_of(stream.look(), "bad-rows").state != FIRING:
        return Finding(False, "No alarm came for a share of bad rows of one half.")
    total, bad = _of_the_last_hour(services)
    needed = _enough(bad / 0.3 - total)
    progress(f"The alarm is raised. {needed} good rows …")
    stream.send(draw(needed))
    if state_of(stream.look(), "bad-rows").state != OK:
        return Finding(False, "The alarm came, and did not end with the bad rows.")
    stream.watch()
    return Finding(True, "The bad rows were found, the alarm raised, and all is clear again.")


@within_its_time
def one_class(
    services: Services, progress: Progress, *, minutes: float = 3.0, ripe_seconds: float = 6.0
) -> Finding:
    """Send rows that the champion decides all alike, then rows as they come."""
    draw, origin = source_of(services)
    stream = Stream(services, "one-class", progress, minutes, ripe_seconds)
    stream.announce(origin)
    alike = _alike(services, draw(4 * _FEWEST_ROWS))[:_FEWEST_ROWS]
    progress(f"{len(alike)} rows that are decided alike …")
    stream.send(alike)
    if state_of(stream.look(), "one-class").state != FIRING:
        return Finding(False, "No alarm came: others of the rows that count are decided otherwise.")
    progress("The alarm is raised. Rows as they come …")
    stream.send(draw(_FEWEST_ROWS))
    if state_of(stream.look(), "one-class").state != OK:
        return Finding(False, "The alarm came, and did not end.")
    stream.watch()
    return Finding(True, "The single answer was found, the alarm raised, and all is clear again.")


def _alike(services: Services, records: list[Record]) -> list[Record]:
    """Those of the rows that get the commoner of the two answers."""
    probabilities = services.registry.champion().probabilities(records).tolist()
    decided = [services.policy.decide(probability) for probability in probabilities]
    [(commoner, _)] = Counter(decided).most_common(1)
    return [record for record, one in zip(records, decided, strict=True) if one == commoner]


def _of_the_last_hour(services: Services) -> tuple[int, int]:
    """How many rows were ingested in the last hour, and how many of them are bad."""
    since = datetime.now(UTC) - timedelta(hours=1)
    runs = [
        run
        for run in services.store.runs.finished(limit=5_000)
        if run.finished_at and run.finished_at > since and run.duplicate_of is None
    ]
    return sum(run.rows_total for run in runs), sum(run.rows_invalid for run in runs)


def _enough(rows: float) -> int:
    if rows > _MOST_ROWS:
        raise DataUnusable(
            "So much came in during the last hour that the lab's rows are lost in it.",
            "Try again in a quiet hour, or in a home of its own (JOBCHURN_HOME).",
        )
    return max(_FEWEST_ROWS, round(rows))
