"""Panels on what was wrong: which rules were broken, in which columns, in which files."""

from __future__ import annotations

from jobchurn.contract import Contract
from jobchurn.panels.checked import FIRST_TIME, INGESTED_BY, ISSUES, NO_FILE, NO_ISSUE
from jobchurn.panels.panel import Panel, PanelKind, Unit
from jobchurn.panels.sql import literal, visible, written


def reasons(contract: Contract) -> tuple[Panel, ...]:
    """Which rules were broken, in which columns."""
    labels = " ".join(
        f"WHEN {literal(column.name)} THEN {literal(column.label)}" for column in contract.columns
    )
    return (
        Panel(
            id=12,
            kind=PanelKind.BARS,
            title="Rules most broken",
            description="Rows by the rule that they broke, over all columns.",
            sql=written(f"""
                SELECT rule AS label, sum(rows)::bigint AS rows
                FROM {ISSUES}
                WHERE {FIRST_TIME}
                GROUP BY rule
                ORDER BY rows DESC, rule
                LIMIT 10
            """),
            unit=Unit.COUNT,
            lowest=0,
            width=10,
            height=9,
            empty=NO_ISSUE,
        ),
        Panel(
            id=13,
            kind=PanelKind.TABLE,
            title="Reasons by column and rule",
            description="Which column is to blame, by which rule, in how many rows and files, and "
            "in what share of all rows that came.",
            sql=written(f"""
                WITH total AS (
                  SELECT sum(rows_total)::float8 AS rows FROM ingestion_runs WHERE {FIRST_TIME}
                )
                SELECT
                  CASE column_name {labels} ELSE coalesce(column_name, 'the record') END
                    AS "column",
                  rule,
                  sum(rows)::bigint AS rows,
                  sum(rows)::float8 / nullif((SELECT rows FROM total), 0) AS share,
                  count(DISTINCT run_id) AS files
                FROM {ISSUES}
                WHERE {FIRST_TIME}
                GROUP BY column_name, rule
                ORDER BY rows DESC, column_name, rule
                LIMIT 100
            """),
            unit=Unit.COUNT,
            units={"share": Unit.SHARE},
            width=14,
            height=9,
            empty=NO_ISSUE,
        ),
    )


def latest_files() -> Panel:
    """The last files, with the way to their reports."""
    return Panel(
        id=14,
        kind=PanelKind.TABLE,
        title="Latest files",
        description="The last fifty, the latest first; the report shows offending cells and their "
        "likely repair. A repeated file has the numbers of the first one, and no report.",
        sql=written(f"""
            SELECT finished_at AS finished,
              {visible("file")} AS file,
              rows_total AS rows,
              rows_invalid AS "bad rows",
              invalid_ratio AS "bad share",
              criticality,
              {INGESTED_BY} AS "ingested by",
              CASE WHEN duplicate_of IS NULL THEN 'no' ELSE 'yes' END AS repeated,
              regexp_replace(report, '^.*/', '') AS report
            FROM ingestion_runs
            WHERE $__timeFilter(finished_at)
              AND trigger IN (${{trigger:sqlstring}})
            ORDER BY finished_at DESC, run_id DESC
            LIMIT 50
        """),
        unit=Unit.COUNT,
        units={"bad share": Unit.SHARE},
        links={"report": "/reports/{cell}"},
        width=24,
        height=10,
        empty=NO_FILE,
    )
