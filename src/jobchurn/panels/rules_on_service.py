"""The alert rules on the service: its answers, its jobs and its alerts."""

from __future__ import annotations

from jobchurn.panels import freshness, operations, service
from jobchurn.panels.panel import Unit
from jobchurn.panels.percentiles import percentile
from jobchurn.panels.rule import AlertRule, Severity
from jobchurn.panels.sql import TO, answer, written

_MINUTE, _DAY = 60, 86_400

_SMALL = "$__timeFilter(at) AND route = '/predict' AND method = 'POST' AND records < 1000"


def rules_on_service() -> tuple[AlertRule, ...]:
    """Slow answers, errors, predictions that are late, alerts that do not arrive."""
    return (
        AlertRule(
            name="slow-answers",
            title="Answers are slow",
            description="For five minutes, one in twenty requests for predictions of fewer than "
            "1,000 records has taken more than a second.",
            over="19 in 20 such requests of the last 15 minutes took at most a second; or there "
            "were few.",
            severity=Severity.WARNING,
            sql=written(
                f"""
                WITH slow AS (
                  <slow>
                )
                SELECT {TO} AS time,
                  CASE WHEN (SELECT count(*) FROM request_log WHERE {_SMALL}) >= 20
                    THEN coalesce((SELECT value FROM slow), 0) ELSE 0 END AS value
                """,
                slow=percentile(f"SELECT seconds, weight\nFROM request_log\nWHERE {_SMALL}", 0.95),
            ),
            within_seconds=15 * _MINUTE,
            above=1,
            pending_seconds=5 * _MINUTE,
            unit=Unit.SECONDS,
            dashboard=service.NAME,
            panel=service.SLOW,
        ),
        AlertRule(
            name="errors",
            title="The API answers with errors",
            description="More than 5% of the requests of the last ten minutes, at least 20, were "
            "answered with a status of 500 or above.",
            over="At most 5% of the requests of the last ten minutes failed, or there were few.",
            severity=Severity.CRITICAL,
            sql=answer(
                "CASE WHEN sum(weight) >= 20\n"
                "    THEN coalesce(sum(weight) FILTER (WHERE status >= 500), 0) / sum(weight)\n"
                "    ELSE 0 END",
                "FROM request_log\nWHERE $__timeFilter(at)",
            ),
            within_seconds=10 * _MINUTE,
            above=0.05,
            unit=Unit.SHARE,
            details=written("""
                SELECT method || ' ' || route || ': ' || round(sum(weight)) || ' times ' || status
                  AS line
                FROM request_log
                WHERE $__timeFilter(at) AND status >= 500
                GROUP BY method, route, status
                ORDER BY sum(weight) DESC, 1
                LIMIT 5
            """),
            dashboard=service.NAME,
            panel=service.ERRORS,
        ),
        AlertRule(
            name="late-predictions",
            title="Good rows wait for predictions",
            description="Files whose good rows were published more than ten minutes ago, within "
            "seven days, have no predictions.",
            over="No good rows of the last seven days wait any longer; older ones are not looked "
            "at.",
            severity=Severity.WARNING,
            sql=answer("count(*)", _late()),
            within_seconds=7 * _DAY,
            above=0,
            unit=Unit.COUNT,
            details=written(
                """
                SELECT file || ': ' || rows_valid || ' good rows' AS line
                <late>
                ORDER BY finished_at, run_id
                LIMIT 5
                """,
                late=_late(),
            ),
            dashboard=service.NAME,
            panel=freshness.LATE,
        ),
        AlertRule(
            name="alerts-undelivered",
            title="Alerts do not arrive",
            description="Alerts were recorded more than five minutes ago and have not been "
            "delivered.",
            over="What was recorded within a day has arrived; older alerts are not looked at.",
            severity=Severity.WARNING,
            sql=answer("count(*)", _undelivered()),
            within_seconds=_DAY,
            above=0,
            unit=Unit.COUNT,
            details=written(
                """
                SELECT channel || ', ' || count(*) || ' alerts: '
                  || coalesce(left(max(last_error), 200), 'not tried yet') AS line
                <undelivered>
                GROUP BY channel
                ORDER BY channel
                LIMIT 5
                """,
                undelivered=_undelivered(),
            ),
            dashboard=service.NAME,
            panel=operations.UNDELIVERED,
        ),
        AlertRule(
            name="upkeep",
            title="Nobody tidies up the database",
            description="The last time that the database's owner tidied up, within two days, it "
            "failed; or no partition is there for the predictions of next week.",
            over="It was done once without fault, and the coming weeks have their partitions.",
            severity=Severity.WARNING,
            sql=written(
                f"""
                SELECT {TO} AS time,
                  (SELECT count(*) FROM (
                    <wrong>
                  ) AS wrong) AS value
                """,
                wrong=_unkept(),
            ),
            within_seconds=2 * _DAY,
            above=0,
            unit=Unit.COUNT,
            details=_unkept(),
            dashboard=service.NAME,
            panel=operations.JOBS,
        ),
    )


def _unkept() -> str:
    """What is wrong with the upkeep, one line for each."""
    return written(f"""
        SELECT 'It failed at ' || to_char(finished_at, 'YYYY-MM-DD HH24:MI "UTC"') AS line
        FROM (
          SELECT outcome, finished_at FROM job_runs
          WHERE $__timeFilter(finished_at) AND job = 'tidy'
          ORDER BY finished_at DESC LIMIT 1
        ) AS latest
        WHERE outcome = 'failed'
        UNION ALL
        SELECT 'The partitions end at ' || max(following) AS line
        FROM (
          SELECT substring(pg_get_expr(relpartbound, oid) FROM 'TO [(].([0-9-]+)')::date
            AS following
          FROM pg_class JOIN pg_inherits ON inhrelid = oid
          WHERE inhparent = 'predictions'::regclass
        ) AS partitions
        HAVING coalesce(max(following) < {TO} + interval '7 days', true)
    """)


def _late() -> str:
    late = freshness.waiting_too_long(TO)
    return f"FROM ingestion_runs\nWHERE $__timeFilter(finished_at) AND {late}"


def _undelivered() -> str:
    return written(f"""
        FROM alerts
        WHERE $__timeFilter(created_at)
          AND created_at < {TO} - interval '5 minutes'
          AND status IN ('pending', 'failed')
    """)
