"""The dashboard on ingestion: what came in, how good it was, and what was wrong with it."""

from __future__ import annotations

from jobchurn.contract import Contract
from jobchurn.panels.checked import (
    FIRST_TIME,
    INGESTED_BY,
    ISSUES,
    NO_FILE,
    NO_ISSUE,
    TRIGGERS,
)
from jobchurn.panels.marks import ALERTS
from jobchurn.panels.panel import (
    Colour,
    Dashboard,
    Panel,
    PanelKind,
    State,
    Threshold,
    Unit,
    Variable,
)
from jobchurn.panels.reasons import latest_files, reasons
from jobchurn.panels.sql import binned, written

NAME = "ingestion"
SHARE_OF_BAD, HIGH_FILES, MINUTES_SINCE = 2, 4, 6
"""Panels that alert rules point to."""

BAD_SHARE = (
    Threshold(None, Colour.GOOD),
    Threshold(0.10, Colour.WARN),
    Threshold(0.50, Colour.BAD),
)
"""What a share of bad rows says: as a file's criticality by default, medium and high."""

_LEVELS = (
    State(0, "none", Colour.GOOD),
    State(1, "low", Colour.NOTICE),
    State(2, "medium", Colour.WARN),
    State(3, "high", Colour.BAD),
)
_RULES_IN_SIGHT = 7


def dashboard_of(contract: Contract) -> Dashboard:
    """The dashboard on ingestion."""
    return Dashboard(
        name=NAME,
        title="Ingestion quality",
        description="Is what comes in any good? Rows and files as they were checked; content that "
        "was there before counts once.",
        variables=(
            Variable(
                name="trigger",
                label="Ingested by",
                options=tuple(TRIGGERS),
                several=True,
                words=TRIGGERS,
            ),
        ),
        annotations=(ALERTS,),
        panels=(*_numbers(), *_over_time(), *reasons(contract), latest_files()),
    )


def _numbers() -> tuple[Panel, ...]:
    return (
        _stat(
            1,
            "Rows ingested",
            "Rows of all files that were checked, good and bad.",
            "coalesce(sum(rows_total), 0)::bigint",
        ),
        Panel(
            id=SHARE_OF_BAD,
            kind=PanelKind.STAT,
            title="Share of bad rows",
            description="Rows that broke a rule, of all rows. Orange from 10% on, red from 50%: "
            "there a file's criticality is medium and high. A rule calls when it is above 40% over "
            "an hour.",
            sql=written(f"""
                SELECT sum(rows_invalid)::float8 / sum(rows_total) AS value
                FROM ingestion_runs
                WHERE {FIRST_TIME}
                HAVING sum(rows_total) > 0
            """),
            unit=Unit.SHARE,
            thresholds=BAD_SHARE,
            lowest=0,
            highest=1,
            width=4,
            height=4,
            empty=NO_FILE,
        ),
        _stat(3, "Files", "Files that were checked and published.", "count(*)"),
        _stat(
            HIGH_FILES,
            "High-criticality files",
            "Files that could not be read, lack a required column, or are bad for the greater "
            "part. Each is told at once, with its report.",
            "count(*) FILTER (WHERE criticality = 'high')",
            thresholds=(Threshold(None, Colour.GOOD), Threshold(1, Colour.BAD)),
        ),
        Panel(
            id=5,
            kind=PanelKind.STAT,
            title="Repeated files",
            description="Files whose content had come before, under whatever name: they are "
            "recognised, and their rows go nowhere a second time.",
            sql=written("""
                SELECT count(*) AS value
                FROM ingestion_runs
                WHERE $__timeFilter(finished_at)
                  AND duplicate_of IS NOT NULL
                  AND trigger IN (${trigger:sqlstring})
            """),
            unit=Unit.COUNT,
            width=4,
            height=4,
        ),
        Panel(
            id=MINUTES_SINCE,
            kind=PanelKind.STAT,
            title="Since the last file",
            description="How long ago a file was last ingested, whatever its verdict and whatever "
            "the time range. A rule calls after ten minutes.",
            sql=written("""
                SELECT extract(epoch FROM now() - max(finished_at))::float8 / 60 AS value
                FROM ingestion_runs
                HAVING max(finished_at) IS NOT NULL
            """),
            unit=Unit.MINUTES,
            thresholds=(
                Threshold(None, Colour.GOOD),
                Threshold(10, Colour.WARN),
                Threshold(60, Colour.BAD),
            ),
            width=4,
            height=4,
            empty="No file was ever ingested: put one into raw_data/, or run `jobchurn ingest`.",
        ),
    )


def _stat(
    number: int,
    title: str,
    description: str,
    value: str,
    thresholds: tuple[Threshold, ...] = (),
) -> Panel:
    """A count over the runs of the time range."""
    return Panel(
        id=number,
        kind=PanelKind.STAT,
        title=title,
        description=description,
        sql=f"SELECT {value} AS value\nFROM ingestion_runs\nWHERE {FIRST_TIME}",
        unit=Unit.COUNT,
        thresholds=thresholds,
        width=4,
        height=4,
    )


def _over_time() -> tuple[Panel, ...]:
    levels = ", ".join(f"({level.value}, '{level.word}')" for level in _LEVELS)
    severity = " ".join(f"WHEN '{level.word}' THEN {level.value}" for level in _LEVELS)
    return (
        Panel(
            id=7,
            kind=PanelKind.STACK,
            title="Good and bad rows",
            description="Where the rows went, at the time when their file was published.",
            sql=written(f"""
                SELECT {binned("finished_at")},
                  metric,
                  sum(rows)::float8 AS value
                FROM ingestion_runs
                CROSS JOIN LATERAL (VALUES ('good', rows_valid), ('bad', rows_invalid))
                  AS routed (metric, rows)
                WHERE {FIRST_TIME}
                GROUP BY 1, 2
                ORDER BY 1, 2
            """),
            unit=Unit.COUNT,
            lowest=0,
            width=16,
            empty=NO_FILE,
        ),
        Panel(
            id=8,
            kind=PanelKind.BARS,
            title="Files by criticality",
            description="How much attention the files deserve: none where every row is good, high "
            "where the file as a whole is of no use.",
            sql=written(f"""
                WITH files AS (
                  SELECT criticality FROM ingestion_runs WHERE {FIRST_TIME}
                )
                SELECT word AS label, count(criticality) AS files
                FROM (VALUES {levels}) AS levels (place, word)
                LEFT JOIN files ON criticality = word
                WHERE EXISTS (SELECT FROM files)
                GROUP BY place, word
                ORDER BY place
            """),
            unit=Unit.COUNT,
            lowest=0,
            width=8,
            empty=NO_FILE,
        ),
        Panel(
            id=9,
            kind=PanelKind.SERIES,
            title="Share of bad rows over time",
            description="A step up that stays is a sender's change; a single peak is one file. The "
            "lines mark medium and high criticality.",
            sql=written(f"""
                SELECT {binned("finished_at")},
                  'bad rows' AS metric,
                  sum(rows_invalid)::float8 / sum(rows_total) AS value
                FROM ingestion_runs
                WHERE {FIRST_TIME}
                GROUP BY 1
                HAVING sum(rows_total) > 0
                ORDER BY 1
            """),
            unit=Unit.SHARE,
            thresholds=BAD_SHARE,
            lowest=0,
            highest=1,
            empty=NO_FILE,
        ),
        Panel(
            id=10,
            kind=PanelKind.STACK,
            title="Issues over time",
            description="Rows by the rule that they broke. A row that breaks several counts for "
            f"each; the {_RULES_IN_SIGHT} rules most broken are told apart.",
            sql=written(f"""
                WITH found AS (
                  SELECT finished_at, rule, rows FROM {ISSUES} WHERE {FIRST_TIME}
                ), ranked AS (
                  SELECT rule, row_number() OVER (ORDER BY sum(rows) DESC, rule) AS place
                  FROM found
                  GROUP BY rule
                )
                SELECT {binned("finished_at")},
                  CASE WHEN place <= {_RULES_IN_SIGHT} THEN rule ELSE 'other rules' END AS metric,
                  sum(rows)::float8 AS value
                FROM found JOIN ranked USING (rule)
                GROUP BY 1, 2
                ORDER BY 1, 2
            """),
            unit=Unit.COUNT,
            lowest=0,
            empty=NO_ISSUE,
        ),
        Panel(
            id=11,
            kind=PanelKind.TIMELINE,
            title="Criticality over time",
            description="The worst file of each moment, by what ingested it. A colour lasts until "
            "the next file.",
            sql=written(f"""
                SELECT {binned("finished_at")},
                  {INGESTED_BY} AS metric,
                  max(CASE criticality {severity} ELSE 0 END) AS value
                FROM ingestion_runs
                WHERE {FIRST_TIME}
                GROUP BY 1, 2
                ORDER BY 1, 2
            """),
            states=_LEVELS,
            width=24,
            height=6,
            empty=NO_FILE,
        ),
    )
