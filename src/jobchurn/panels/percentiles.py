"""Percentiles of what is a sample: each entry counts as often as its weight says.

The p-th percentile is the least value up to which at least that share of the weight lies.
"""

from __future__ import annotations

from collections.abc import Mapping

from jobchurn.panels.sql import written


def percentile(rows: str, share: float) -> str:
    """One percentile; no row where there are no entries.

    Args:
        rows: a query for the entries, with ``seconds`` and ``weight``.
        share: 0 to 1.
    """
    return written(
        f"""
        WITH entries AS (
          <rows>
        ), weighed AS (
          SELECT seconds,
            sum(weight) OVER (ORDER BY seconds) AS up_to,
            sum(weight) OVER () AS total
          FROM entries
        )
        SELECT min(seconds) AS value
        FROM weighed
        WHERE up_to >= {share} * total
        HAVING count(*) > 0
        """,
        rows=rows,
    )


def percentiles(rows: str, shares: Mapping[str, float]) -> str:
    """Several percentiles over time, each a line.

    Args:
        rows: a query for the entries, with ``time``, ``seconds`` and ``weight``.
        shares: the line's name → 0 to 1.
    """
    wanted = ", ".join(f"('{name}', {share})" for name, share in shares.items())
    return written(
        f"""
        WITH entries AS (
          <rows>
        ), weighed AS (
          SELECT time, seconds,
            sum(weight) OVER (PARTITION BY time ORDER BY seconds) AS up_to,
            sum(weight) OVER (PARTITION BY time) AS total
          FROM entries
        )
        SELECT time, metric, min(seconds) AS value
        FROM weighed
        JOIN (VALUES {wanted}) AS wanted (metric, share) ON up_to >= share * total
        GROUP BY time, metric
        ORDER BY time, metric
        """,
        rows=rows,
    )
