"""The dashboard on the service: requests, freshness, jobs, alerts and the database."""

from __future__ import annotations

from jobchurn.contract import Contract
from jobchurn.panels.freshness import budget, freshness_over_time, freshness_stats
from jobchurn.panels.marks import ALERTS, PROMOTIONS
from jobchurn.panels.operations import alerts, alerts_waiting, database, failed_runs, jobs
from jobchurn.panels.panel import (
    Colour,
    Dashboard,
    Panel,
    PanelKind,
    Threshold,
    Unit,
    Variable,
)
from jobchurn.panels.percentiles import percentile, percentiles
from jobchurn.panels.sql import binned, written

NAME = "service"
ERRORS, SLOW = 2, 12
"""Panels that alert rules point to, beside those of their own modules."""

_ASKED = "$__timeFilter(at) AND route IN (${route:sqlstring})"
_UNASKED = "The API was asked nothing in this time range, but for its health and its metrics."
_ERRORS = (Threshold(None, Colour.GOOD), Threshold(0.01, Colour.WARN), Threshold(0.05, Colour.BAD))
_LATENCY = (Threshold(None, Colour.GOOD), Threshold(0.5, Colour.WARN), Threshold(1, Colour.BAD))

# One step of the index for each route, however long the log is; never empty, as no list in SQL is.
_ROUTES = written("""
    WITH RECURSIVE found AS (
      SELECT min(route) AS route FROM request_log
      UNION ALL
      SELECT (SELECT min(route) FROM request_log WHERE route > found.route)
      FROM found
      WHERE found.route IS NOT NULL
    )
    SELECT route FROM found WHERE route IS NOT NULL
    UNION
    SELECT '/predict'
    ORDER BY route
""")


def dashboard_of(_: Contract) -> Dashboard:
    """The dashboard on the service's health."""
    return Dashboard(
        name=NAME,
        title="Service health",
        description="Does the service answer, in time and without errors? Do its jobs run, and do "
        "its alerts arrive?",
        variables=(Variable(name="route", label="Route", sql=_ROUTES, several=True),),
        annotations=(PROMOTIONS, ALERTS),
        panels=(
            *_stats(),
            budget(),
            failed_runs(),
            alerts_waiting(),
            *freshness_stats(),
            *_over_time(),
            freshness_over_time(),
            *_load(),
            *jobs(),
            *alerts(),
            *database(),
        ),
    )


def _stats() -> tuple[Panel, ...]:
    return (
        Panel(
            id=1,
            kind=PanelKind.STAT,
            title="Requests",
            description="Requests to the API on the chosen routes, without those for health and "
            "metrics. In a rush a sample is kept, whose weights keep the sum right.",
            sql=written(f"""
                SELECT coalesce(round(sum(weight)), 0)::bigint AS value
                FROM request_log
                WHERE {_ASKED}
            """),
            unit=Unit.COUNT,
            width=4,
            height=4,
        ),
        Panel(
            id=ERRORS,
            kind=PanelKind.STAT,
            title="Error rate",
            description="The share of requests that were answered with a status of 500 or above. A "
            "rule calls above 5% over ten minutes.",
            sql=written(f"""
                SELECT coalesce(sum(weight) FILTER (WHERE status >= 500), 0) / sum(weight) AS value
                FROM request_log
                WHERE {_ASKED}
                HAVING sum(weight) > 0
            """),
            unit=Unit.SHARE,
            thresholds=_ERRORS,
            lowest=0,
            width=4,
            height=4,
            empty=_UNASKED,
        ),
        Panel(
            id=3,
            kind=PanelKind.STAT,
            title="Latency, p95",
            description="19 requests in 20 on the chosen routes were answered within this time, to "
            "the last byte. A rule calls when predictions of fewer than 1,000 records take longer "
            "than a second.",
            sql=percentile(f"SELECT seconds, weight\nFROM request_log\nWHERE {_ASKED}", 0.95),
            unit=Unit.SECONDS,
            thresholds=_LATENCY,
            lowest=0,
            width=4,
            height=4,
            empty=_UNASKED,
        ),
    )


def _over_time() -> tuple[Panel, ...]:
    return (
        Panel(
            id=11,
            kind=PanelKind.STACK,
            title="Requests by status",
            description="2xx were answered, 4xx refused as they were asked, 5xx failed by our "
            "fault.",
            sql=written(f"""
                SELECT {binned("at")},
                  status / 100 || 'xx' AS metric,
                  sum(weight) AS value
                FROM request_log
                WHERE {_ASKED}
                GROUP BY 1, 2
                ORDER BY 1, 2
            """),
            unit=Unit.COUNT,
            lowest=0,
            empty=_UNASKED,
        ),
        Panel(
            id=SLOW,
            kind=PanelKind.SERIES,
            title="Latency",
            description="The time within which half, 95 and 99 in 100 requests were answered, to "
            "the last byte. A rising p50 is a load or a slow database; p99 alone, a few large "
            "requests.",
            sql=percentiles(
                written(f"""
                    SELECT {binned("at")}, seconds, weight
                    FROM request_log
                    WHERE {_ASKED}
                """),
                {"p50": 0.5, "p95": 0.95, "p99": 0.99},
            ),
            unit=Unit.SECONDS,
            lowest=0,
            empty=_UNASKED,
        ),
        Panel(
            id=13,
            kind=PanelKind.SERIES,
            title="Errors over time",
            description="The share of requests that failed by our fault (5xx), and of those that "
            "were refused as they were asked (4xx).",
            sql=written(f"""
                SELECT time, metric, value
                FROM (
                  SELECT {binned("at")},
                    coalesce(sum(weight) FILTER (WHERE status >= 500), 0) / sum(weight) AS failed,
                    coalesce(sum(weight) FILTER (WHERE status BETWEEN 400 AND 499), 0)
                      / sum(weight) AS refused
                  FROM request_log
                  WHERE {_ASKED}
                  GROUP BY 1
                ) AS moments
                CROSS JOIN LATERAL (VALUES ('5xx', failed), ('4xx', refused))
                  AS line (metric, value)
                ORDER BY time, metric
            """),
            unit=Unit.SHARE,
            lowest=0,
            empty=_UNASKED,
        ),
    )


def _load() -> tuple[Panel, ...]:
    return (
        Panel(
            id=15,
            kind=PanelKind.SERIES,
            title="Queue depth",
            description="How many other requests were under way or waiting when one came: in the "
            "mean, and at most. Further ones are asked to come back once the queue is full.",
            sql=written(f"""
                SELECT time, metric, value
                FROM (
                  SELECT {binned("at")},
                    sum(waiting * weight) / sum(weight) AS mean,
                    max(waiting)::float8 AS most
                  FROM request_log
                  WHERE {_ASKED}
                  GROUP BY 1
                ) AS moments
                CROSS JOIN LATERAL (VALUES ('mean', mean), ('most', most)) AS line (metric, value)
                ORDER BY time, metric
            """),
            unit=Unit.COUNT,
            lowest=0,
            empty=_UNASKED,
        ),
        Panel(
            id=16,
            kind=PanelKind.SERIES,
            title="Predictions a second",
            description="Rows predicted and stored, whoever asked, in the mean of each interval.",
            sql=written(f"""
                SELECT {binned("created_at")},
                  'predictions' AS metric,
                  count(*) * 1000.0::float8 / $__interval_ms AS value
                FROM predictions
                WHERE $__timeFilter(created_at)
                GROUP BY 1
                ORDER BY 1
            """),
            unit=Unit.PER_SECOND,
            lowest=0,
            empty="Nothing was predicted in this time range.",
        ),
        Panel(
            id=17,
            kind=PanelKind.TABLE,
            title="Routes",
            description="Each route with its requests and how they fared, the busiest first.",
            sql=written(f"""
                WITH weighed AS (
                  SELECT route, method, status, seconds, records, weight,
                    sum(weight) OVER (PARTITION BY route, method ORDER BY seconds) AS up_to,
                    sum(weight) OVER (PARTITION BY route, method) AS total
                  FROM request_log
                  WHERE {_ASKED}
                )
                SELECT method || ' ' || route AS route,
                  round(sum(weight))::bigint AS requests,
                  coalesce(sum(weight) FILTER (WHERE status >= 500), 0) / sum(weight) AS failed,
                  min(seconds) FILTER (WHERE up_to >= 0.5 * total) AS p50,
                  min(seconds) FILTER (WHERE up_to >= 0.95 * total) AS p95,
                  min(seconds) FILTER (WHERE up_to >= 0.99 * total) AS p99,
                  sum(records * weight) / sum(weight) AS "records each"
                FROM weighed
                GROUP BY weighed.route, method
                ORDER BY requests DESC, 1
                LIMIT 50
            """),
            unit=Unit.COUNT,
            units={
                "failed": Unit.SHARE,
                "p50": Unit.SECONDS,
                "p95": Unit.SECONDS,
                "p99": Unit.SECONDS,
                "records each": Unit.NUMBER,
            },
            width=24,
            empty=_UNASKED,
        ),
    )
