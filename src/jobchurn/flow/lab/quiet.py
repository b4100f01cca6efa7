"""The experiment in which nothing must happen: hours of rows as training saw them."""

from __future__ import annotations

from collections import Counter
from math import ceil

from jobchurn.drift import Decision
from jobchurn.flow.feed import ROWS_A_FILE
from jobchurn.flow.lab.rows import source_of
from jobchurn.flow.lab.stream import Finding, Progress, Stream, within_its_time
from jobchurn.flow.services import Services
from jobchurn.flow.watch import Report
from jobchurn.flow.watch.state import FIRING

FILES_AN_HOUR = 60
"""A demonstration ingests one raw file a minute, of ``feed.ROWS_A_FILE`` rows."""

FILES_A_ROUND = 5
"""The monitoring DAG watches every five minutes."""

_MINUTES_AN_HOUR = 10.0


@within_its_time
def quiet(
    services: Services,
    progress: Progress,
    *,
    hours: float = 1.0,
    files_an_hour: int = FILES_AN_HOUR,
    ripe_seconds: float = 6.0,
) -> Finding:
    """Stream what a demonstration streams in so many hours, save its errors, as fast as it goes.

    A round is five minutes' worth: five files, then watching, as the DAGs do it.
    """
    draw, origin = source_of(services)
    stream = Stream(services, "quiet", progress, _MINUTES_AN_HOUR * max(hours, 1), ripe_seconds)
    stream.announce(origin)
    firing_before = {
        name for name, state in services.store.alert_states.all().items() if state.state == FIRING
    }
    left, rounds = ceil(hours * files_an_hour), ceil(hours * files_an_hour / FILES_A_ROUND)
    decisions: Counter[Decision] = Counter()
    fired: set[str] = set()

    def note(report: Report) -> None:
        decisions.update(window.decision for window in report.drift.windows)
        fired.update(said.rule.name for said in report.rules if said.state == FIRING)

    for number in range(1, rounds + 1):
        progress(f"Round {number} of {rounds}: {min(left, FILES_A_ROUND)} files …")
        for _ in range(min(left, FILES_A_ROUND)):
            stream.send(draw(ROWS_A_FILE))
        left -= FILES_A_ROUND
        note(stream.look())
    note(stream.watch())
    alarms = sorted(fired - firing_before)
    seen = (
        f"{decisions.total()} windows were judged, of which {decisions[Decision.WARN]} warned and "
        f"{decisions[Decision.PAGE]} paged"
    )
    if alarms:
        return Finding(False, f"{seen}. Alarms: {', '.join(alarms)}.")
    return Finding(True, f"{seen}. No alarm was raised.")
