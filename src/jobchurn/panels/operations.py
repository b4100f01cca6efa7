"""Panels on what runs behind the API: jobs, alerts and the database."""

from __future__ import annotations

from jobchurn.panels.panel import Colour, Panel, PanelKind, State, Threshold, Unit
from jobchurn.panels.sql import binned, written

UNDELIVERED = 6
JOBS = 18
"""The panels that alert rules point to."""

_NO_RUN = (
    "No job ran in this time range: the jobs are Airflow's, and `jobchurn status` shows whether it "
    "is up."
)


def failed_runs() -> Panel:
    """How many runs of jobs failed."""
    return Panel(
        id=5,
        kind=PanelKind.STAT,
        title="Failed job runs",
        description="Runs of the scheduled jobs that ended in failure, in the time range. What "
        "they left undone is taken up by the next run.",
        sql=written("""
            SELECT count(*) AS value
            FROM job_runs
            WHERE $__timeFilter(finished_at) AND outcome = 'failed'
        """),
        unit=Unit.COUNT,
        thresholds=(Threshold(None, Colour.GOOD), Threshold(1, Colour.WARN)),
        width=4,
        height=4,
    )


def jobs() -> tuple[Panel, ...]:
    """How the scheduled jobs fared."""
    return (
        Panel(
            id=JOBS,
            kind=PanelKind.TIMELINE,
            title="Job outcomes",
            description="The worst run of each moment. Quiet: there was nothing to do. A colour "
            "lasts until the next run, so that a job that has stopped keeps its last one.",
            sql=written(f"""
                SELECT {binned("finished_at")},
                  job AS metric,
                  max(CASE outcome WHEN 'failed' THEN 2 WHEN 'success' THEN 1 ELSE 0 END) AS value
                FROM job_runs
                WHERE $__timeFilter(finished_at)
                GROUP BY 1, 2
                ORDER BY 1, 2
            """),
            states=(
                State(0, "quiet", Colour.PLAIN),
                State(1, "success", Colour.GOOD),
                State(2, "failed", Colour.BAD),
            ),
            empty=_NO_RUN,
        ),
        Panel(
            id=19,
            kind=PanelKind.SERIES,
            title="Job durations",
            description="The longest run of each job, from its start to its end. One that takes "
            "longer than the time between two runs delays the next.",
            sql=written(f"""
                SELECT {binned("finished_at")},
                  job AS metric,
                  extract(epoch FROM max(finished_at - started_at))::float8 AS value
                FROM job_runs
                WHERE $__timeFilter(finished_at)
                GROUP BY 1, 2
                ORDER BY 1, 2
            """),
            unit=Unit.SECONDS,
            lowest=0,
            empty=_NO_RUN,
        ),
    )


def alerts_waiting() -> Panel:
    """How many alerts are still to be delivered."""
    return Panel(
        id=UNDELIVERED,
        kind=PanelKind.STAT,
        title="Alerts that wait",
        description="Alerts that are still to be delivered, whatever the time range; those that "
        "were given up count for a day. A rule calls when one waits for more than five minutes.",
        sql=written("""
            SELECT count(*) AS value
            FROM alerts
            WHERE status IN ('pending', 'failed')
              AND (attempts < 10 OR created_at > now() - interval '1 day')
        """),
        unit=Unit.COUNT,
        thresholds=(Threshold(None, Colour.GOOD), Threshold(1, Colour.WARN)),
        width=4,
        height=4,
    )


def alerts() -> tuple[Panel, ...]:
    """What was told, and what there is to be told."""
    return (
        Panel(
            id=20,
            kind=PanelKind.TABLE,
            title="Alert rules",
            description="Each rule as `jobchurn watch` last left it, those that fire first, with "
            "the page that says what to do. Where Grafana has the rules, it keeps states of its "
            "own.",
            sql=written("""
                SELECT rule, state, value, since, evaluated_at AS "last asked", error
                FROM alert_states
                ORDER BY array_position('{firing,pending}'::text[], state), rule
            """),
            links={"rule": "/runbook/{cell}"},
            width=10,
            height=9,
            empty="No rule was asked yet: run `jobchurn watch`.",
        ),
        Panel(
            id=21,
            kind=PanelKind.TABLE,
            title="Alert deliveries",
            description="Alerts of the time range, the latest first, through which channel, and "
            "how long they took to be delivered. Failed: tried again, ten times at most. "
            "Skipped: there is no channel, so nobody was told.",
            sql=written("""
                SELECT created_at AS created, title, channel, status, attempts,
                  extract(epoch FROM delivered_at - created_at)::float8 AS took,
                  last_error AS "last error"
                FROM alerts
                WHERE $__timeFilter(created_at)
                ORDER BY created_at DESC, id DESC
                LIMIT 100
            """),
            units={"attempts": Unit.COUNT, "took": Unit.SECONDS},
            width=14,
            height=9,
            empty="Nobody was told of anything in this time range.",
        ),
    )


def database() -> tuple[Panel, ...]:
    """How large the database is, and how busy."""
    return (
        _of_database(
            22,
            "Database size",
            "All tables and indexes, now.",
            "SELECT pg_database_size(current_database()) AS value",
            Unit.BYTES,
        ),
        _of_database(
            23,
            "Predictions stored",
            "All there are: counted up to 100,000, and from there on by the server's own estimate.",
            written("""
                SELECT greatest(
                  coalesce(sum(greatest(reltuples, 0)), 0)::bigint,
                  (SELECT count(*) FROM (SELECT FROM predictions LIMIT 100000) AS counted)
                ) AS value
                FROM pg_partition_tree('predictions') JOIN pg_class ON pg_class.oid = relid
                WHERE isleaf
            """),
            Unit.COUNT,
        ),
        _of_database(
            24,
            "Connections",
            "Open connections to this database, now.",
            written("""
                SELECT numbackends AS value
                FROM pg_stat_database
                WHERE datname = current_database()
            """),
            Unit.COUNT,
        ),
        _of_database(
            25,
            "Connections in use",
            "Of all that the server takes, over all its databases. At 100% it refuses everybody.",
            written("""
                SELECT sum(numbackends)::float8 / current_setting('max_connections')::int AS value
                FROM pg_stat_database
            """),
            Unit.SHARE,
            (
                Threshold(None, Colour.GOOD),
                Threshold(0.7, Colour.WARN),
                Threshold(0.9, Colour.BAD),
            ),
        ),
    )


def _of_database(
    number: int,
    title: str,
    description: str,
    sql: str,
    unit: Unit,
    thresholds: tuple[Threshold, ...] = (),
) -> Panel:
    return Panel(
        id=number,
        kind=PanelKind.STAT,
        title=title,
        description=description,
        sql=sql,
        unit=unit,
        thresholds=thresholds,
        width=6,
        height=4,
    )
