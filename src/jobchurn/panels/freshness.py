"""Panels on freshness: how long a raw file waits until its predictions are stored.

The objective: 99% of the files of the last seven days within ten minutes of arriving.
"""

from __future__ import annotations

from jobchurn.panels.panel import Colour, Panel, PanelKind, Threshold, Unit
from jobchurn.panels.percentiles import percentile, percentiles
from jobchurn.panels.sql import TO, binned, written

LATE = 10
"""The panel that an alert rule points to."""

OBJECTIVE_SHARE, OBJECTIVE_SECONDS = 0.99, 600
"""The objective: which share of the files has its predictions within how many seconds."""

_KEPT = 0.25
"""Less of the error budget than this is worth a look."""

_OBJECTIVE = (Threshold(None, Colour.GOOD), Threshold(OBJECTIVE_SECONDS, Colour.BAD))
_NO_FILE = "No file was predicted in this time range: run `jobchurn predict --new`."
_NO_FILE_IN_DAYS = "No file was predicted in the seven days before the end of this time range."

# Where the file system's clock is ahead of the database's, nothing took less than no time.
_WAIT = "greatest(extract(epoch FROM predicted_at - coalesce(arrived_at, started_at)), 0)::float8"


def waiting_too_long(moment: str) -> str:
    """A condition on ingestion runs: good rows of the seven days before that are late.

    Args:
        moment: SQL for when they are looked at.
    """
    return written(f"""
        finished_at > {moment} - interval '7 days'
          AND finished_at < {moment} - interval '{OBJECTIVE_SECONDS} seconds'
          AND good IS NOT NULL
          AND duplicate_of IS NULL
          AND NOT EXISTS (
            SELECT FROM predicted_files WHERE predicted_files.run_id = ingestion_runs.run_id
          )
    """)


_FILES = written(f"""
    SELECT predicted_at, {_WAIT} AS seconds, 1 AS weight
    FROM predicted_files JOIN arrivals USING (run_id)
    WHERE $__timeFilter(predicted_at)
""")
_MISSED = written(
    f"""
    SELECT avg(missed::int)::float8 AS share
    FROM (
      SELECT {_WAIT} > {OBJECTIVE_SECONDS} AS missed
      FROM predicted_files JOIN arrivals USING (run_id)
      WHERE predicted_at BETWEEN {TO} - interval '7 days' AND {TO}
      UNION ALL
      SELECT true
      FROM ingestion_runs
      WHERE
        <late>
    ) AS files
    """,
    late=waiting_too_long(TO),
)


def budget() -> Panel:
    """What is left of the objective's error budget."""
    return Panel(
        id=4,
        kind=PanelKind.STAT,
        title="Error budget left",
        description="Of the objective that 99% of the files of seven days have their predictions "
        "within ten minutes of arriving: all of it while nothing was late, none once 1% was, and "
        "below zero from then on. A file that waits for longer counts already.",
        sql=written(
            f"""
            WITH missed AS (
              <missed>
            )
            SELECT 1 - share / (1 - {OBJECTIVE_SHARE}) AS value
            FROM missed
            WHERE share IS NOT NULL
            """,
            missed=_MISSED,
        ),
        unit=Unit.SHARE,
        thresholds=(
            Threshold(None, Colour.BAD),
            Threshold(0, Colour.WARN),
            Threshold(_KEPT, Colour.GOOD),
        ),
        highest=1,
        width=4,
        height=4,
        empty=_NO_FILE_IN_DAYS,
    )


def freshness_stats() -> tuple[Panel, ...]:
    """The numbers on freshness."""
    return (
        _waiting_time(7, "Arrival to prediction, median", 0.5),
        _waiting_time(8, "Arrival to prediction, p99", 0.99),
        Panel(
            id=9,
            kind=PanelKind.STAT,
            title="In time, seven days",
            description="The share of files whose predictions were stored within ten minutes of "
            "arriving, over the seven days before the end of the time range. The objective is 99%.",
            sql=written(
                """
                WITH missed AS (
                  <missed>
                )
                SELECT 1 - share AS value
                FROM missed
                WHERE share IS NOT NULL
                """,
                missed=_MISSED,
            ),
            unit=Unit.SHARE,
            thresholds=(
                Threshold(None, Colour.BAD),
                Threshold(OBJECTIVE_SHARE, Colour.WARN),
                Threshold(OBJECTIVE_SHARE + _KEPT * (1 - OBJECTIVE_SHARE), Colour.GOOD),
            ),
            highest=1,
            width=6,
            height=4,
            empty=_NO_FILE_IN_DAYS,
        ),
        Panel(
            id=LATE,
            kind=PanelKind.STAT,
            title="Files that wait too long",
            description="Good files of the last seven days that were published more than ten "
            "minutes ago and have no predictions yet, whatever the time range; one is enough to "
            "call.",
            sql="SELECT count(*) AS value\nFROM ingestion_runs\nWHERE " + waiting_too_long("now()"),
            unit=Unit.COUNT,
            thresholds=(Threshold(None, Colour.GOOD), Threshold(1, Colour.BAD)),
            width=6,
            height=4,
        ),
    )


def freshness_over_time() -> Panel:
    """Freshness over time."""
    return Panel(
        id=14,
        kind=PanelKind.SERIES,
        title="Arrival to prediction over time",
        description="How long files waited from arriving to stored predictions, by the moment of "
        "these. Below the line is within the objective.",
        sql=percentiles(
            written(
                f"""
                SELECT {binned("predicted_at")}, seconds, weight
                FROM (
                  <files>
                ) AS files
                """,
                files=_FILES,
            ),
            {"p50": 0.5, "p99": 0.99},
        ),
        unit=Unit.SECONDS,
        thresholds=_OBJECTIVE,
        lowest=0,
        empty=_NO_FILE,
    )


def _waiting_time(number: int, title: str, share: float) -> Panel:
    return Panel(
        id=number,
        kind=PanelKind.STAT,
        title=title,
        description="From a raw file's arrival to the storing of its predictions, over the files "
        "predicted in the time range. The objective is ten minutes for 99 files in 100.",
        sql=percentile(_FILES, share),
        unit=Unit.SECONDS,
        thresholds=_OBJECTIVE,
        lowest=0,
        width=6,
        height=4,
        empty=_NO_FILE,
    )
