"""What is marked in panels over time."""

from __future__ import annotations

from jobchurn.panels.panel import Annotation
from jobchurn.panels.sql import written

PROMOTIONS = Annotation(
    name="Model promoted",
    sql=written("""
        SELECT promoted_at AS time, version AS text
        FROM models
        WHERE $__timeFilter(promoted_at)
        ORDER BY 1
    """),
)
"""When a model was put in charge."""

ALERTS = Annotation(
    name="Alert",
    # One message for each channel: they are recorded together.
    sql=written("""
        SELECT min(created_at) AS time, title AS text
        FROM alerts
        WHERE $__timeFilter(created_at)
          AND kind = 'rule'
        GROUP BY title, date_trunc('minute', created_at)
        ORDER BY 1
    """),
)
"""When people were told of a rule that fires, or that it is over, or would have been; files have
alerts of their own, which would hide these."""
