"""What the panels on predictions share: which rows, and a line beside that of training."""

from __future__ import annotations

from jobchurn.panels.sql import binned, written

SOURCES = "source IN (${source:sqlstring})"
"""What comes from the chosen sources."""

SERVED = f"$__timeFilter(created_at) AND {SOURCES}"
"""Which predictions are looked at."""

NOTHING_SERVED = (
    "Nothing was predicted in this time range: fill in the form, or run `jobchurn predict --new`."
)
"""What to do where there is none."""


def against_training(value: str, training: str) -> str:
    """Two lines over time: a number of what is served, and the same number of training.

    Args:
        value: SQL for the number, an aggregate over predictions.
        training: a query for the champion's, in the column ``value``: one row, or none.
    """
    return written(
        f"""
        WITH served AS (
          SELECT {binned("created_at")}, {value} AS value
          FROM predictions
          WHERE {SERVED}
          GROUP BY 1
        ), trained AS (
          <training>
        )
        SELECT time, line.metric, line.value
        FROM served
        LEFT JOIN trained ON true
        CROSS JOIN LATERAL (VALUES ('serving', served.value), ('training', trained.value))
          AS line (metric, value)
        WHERE line.value IS NOT NULL
        ORDER BY time, metric
        """,
        training=training,
    )
