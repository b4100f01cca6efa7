"""Panels on drift: what was decided of each feature, and how far it is from training."""

from __future__ import annotations

from jobchurn.contract import Contract, Kind
from jobchurn.panels.panel import Colour, Panel, PanelKind, State, Threshold, Unit
from jobchurn.panels.serving import SERVED, SOURCES
from jobchurn.panels.sql import (
    BASELINES,
    CHAMPION,
    binned,
    constants,
    identifier,
    label_of,
    literal,
    visible,
    written,
)

DECISIONS, UNSEEN = 11, 6
"""Panels that alert rules point to."""

DECIDED = (
    State(0, "quiet", Colour.GOOD),
    State(1, "warn", Colour.WARN),
    State(2, "page", Colour.BAD),
)
"""What is decided of a feature in a window."""

_UNSEEN = (Threshold(None, Colour.GOOD), Threshold(0.05, Colour.WARN))
_NO_WINDOW = (
    "No window of predictions was judged in this time range: it takes 500 predictions, or 100 that "
    "wait for an hour, and `jobchurn watch`. It also says where a model is too old to be compared."
)
_LATEST = written(f"""
    SELECT DISTINCT ON (source) id, source, last_at, rows, unseen
    FROM drift_windows
    WHERE $__timeFilter(last_at) AND {SOURCES} AND model_version = {CHAMPION}
    ORDER BY source, last_at DESC, last_id DESC
""")


def drift_stats() -> tuple[Panel, ...]:
    """The numbers at the top."""
    return (
        Panel(
            id=5,
            kind=PanelKind.STAT,
            title="Features that drifted",
            description="In the latest window of each source: features that differ from training "
            "by more than chance, and by enough to matter. In a second window running, somebody "
            "is called.",
            sql=written(
                """
                WITH latest AS (
                  <latest>
                )
                SELECT count(DISTINCT (kind, feature)) FILTER (WHERE decision > 0) AS value
                FROM latest JOIN drift_metrics ON window_id = latest.id
                HAVING count(*) > 0
            """,
                latest=_LATEST,
            ),
            unit=Unit.COUNT,
            thresholds=(Threshold(None, Colour.GOOD), Threshold(1, Colour.WARN)),
            width=4,
            height=4,
            empty=_NO_WINDOW,
        ),
        Panel(
            id=UNSEEN,
            kind=PanelKind.STAT,
            title="Unseen names",
            description="In the latest window of each source: rows with a text that training did "
            "not see. Their answers rest on the other features.",
            sql=written(
                """
                WITH latest AS (
                  <latest>
                )
                SELECT sum(unseen)::float8 / sum(rows) AS value
                FROM latest
                HAVING sum(rows) > 0
            """,
                latest=_LATEST,
            ),
            unit=Unit.SHARE,
            thresholds=_UNSEEN,
            lowest=0,
            width=4,
            height=4,
            empty=_NO_WINDOW,
        ),
    )


def drift_over_time(contract: Contract) -> tuple[Panel, ...]:
    """What was decided, and how far apart data and training are."""
    label = label_of(contract, "feature", "kind")
    # Of the windows of one moment the worst is told, and after it the last one: the worst alone
    # would seem to last until the next window, long after it is over.
    return (
        Panel(
            id=DECISIONS,
            kind=PanelKind.TIMELINE,
            title="Drift decisions",
            description="Each feature at the end of each window. Warn: it differs from training by "
            "more than chance in this window. Page: in the one before, too. A colour lasts until "
            "the next window.",
            sql=written(f"""
                WITH judged AS (
                  SELECT {binned("last_at")},
                    source, feature, kind,
                    max(last_at) AS ended,
                    max(metrics.decision) AS worst,
                    (array_agg(metrics.decision ORDER BY last_at DESC, windows.id DESC))[1] AS last
                  FROM drift_windows AS windows
                  JOIN drift_metrics AS metrics ON window_id = windows.id
                  WHERE $__timeFilter(last_at) AND {SOURCES}
                  GROUP BY 1, 2, 3, 4
                ), told AS (
                  SELECT time, source, feature, kind, worst AS decision
                  FROM judged
                  UNION ALL
                  SELECT ended, source, feature, kind, last
                  FROM judged
                  WHERE last < worst
                ), compared AS (
                  SELECT *, lag(decision) OVER (
                    PARTITION BY source, feature, kind ORDER BY time
                  ) AS before
                  FROM told
                )
                SELECT time,
                  {label}
                    || CASE WHEN (SELECT count(DISTINCT source) FROM judged) > 1
                       THEN ' · ' || source ELSE '' END AS metric,
                  decision::int AS value
                FROM compared
                WHERE decision IS DISTINCT FROM before
                ORDER BY time, metric
            """),
            states=DECIDED,
            width=24,
            height=12,
            empty=_NO_WINDOW,
        ),
        Panel(
            id=12,
            kind=PanelKind.BARS,
            title="Size of the shift",
            description="The latest window beside training, the greater one of the sources. "
            "Effect: which share of the rows would have to change to look like training. PSI: the "
            "usual index; in windows of a few hundred rows chance alone makes it 0.1 and more, so "
            "nothing is decided by it.",
            sql=written(
                f"""
                WITH latest AS (
                  <latest>
                )
                SELECT {label} AS label,
                  coalesce(max(effect), 0) AS effect,
                  coalesce(max(psi), 0) AS "PSI"
                FROM latest JOIN drift_metrics ON window_id = latest.id
                GROUP BY feature, kind
                ORDER BY effect DESC, label
            """,
                latest=_LATEST,
            ),
            lowest=0,
            width=9,
            height=10,
            empty=_NO_WINDOW,
        ),
        Panel(
            id=13,
            kind=PanelKind.TABLE,
            title="Latest windows",
            description="What was decided of each feature in the latest window of each source, the "
            "surest difference first. p is corrected for being one of many; shift is that of the "
            "mean, in standard deviations of training.",
            sql=written(
                f"""
                WITH latest AS (
                  <latest>
                )
                SELECT {label} AS feature,
                  source,
                  CASE decision WHEN 0 THEN 'quiet' WHEN 1 THEN 'warn' ELSE 'page' END
                    AS decision,
                  p_adjusted AS p,
                  effect,
                  psi AS "PSI",
                  shift,
                  missing AS blank,
                  missing_baseline AS "in training",
                  rows,
                  last_at AS until
                FROM latest JOIN drift_metrics AS metrics ON window_id = latest.id
                ORDER BY metrics.decision DESC, p_adjusted, effect DESC, metrics.feature, source
            """,
                latest=_LATEST,
            ),
            units={"blank": Unit.SHARE, "in training": Unit.SHARE, "rows": Unit.COUNT},
            width=15,
            height=10,
            empty=_NO_WINDOW,
        ),
    )


def unseen_names(contract: Contract) -> tuple[Panel, ...]:
    """What training did not see; nothing where every level is in the contract."""
    open_texts = [column for column in contract.inputs if column.kind is Kind.TEXT]
    if not open_texts:
        return ()
    names = " UNION ALL ".join(
        f"SELECT {literal(column.name)} AS feature, {identifier(column.name)} AS name, "
        f"count(*) AS rows FROM served GROUP BY {identifier(column.name)}"
        for column in open_texts
    )
    columns = ", ".join(identifier(column.name) for column in open_texts)
    labels = constants((literal(column.name), literal(column.label)) for column in open_texts)
    title = " or ".join(column.label for column in open_texts)
    return (
        Panel(
            id=17,
            kind=PanelKind.SERIES,
            title=f"{title} not seen in training",
            description="The share of each window's rows with such a name, by source. A rule calls "
            "above 5%.",
            sql=written(f"""
                SELECT {binned("last_at")},
                  source AS metric,
                  sum(unseen)::float8 / nullif(sum(rows), 0)::float8 AS value
                FROM drift_windows
                WHERE $__timeFilter(last_at) AND {SOURCES}
                GROUP BY 1, 2
                ORDER BY 1, 2
            """),
            unit=Unit.SHARE,
            thresholds=_UNSEEN,
            lowest=0,
            width=14,
            empty=_NO_WINDOW,
        ),
        Panel(
            id=18,
            kind=PanelKind.TABLE,
            title="Names not seen in training",
            description="Which ones, the commonest first: misspelt, or truly new?",
            sql=written(f"""
                WITH served AS (
                  SELECT {columns} FROM predictions WHERE {SERVED}
                ), named AS (
                  {names}
                ), trained AS (
                  SELECT feature, baseline->'levels' AS levels
                  FROM {BASELINES}
                )
                SELECT label AS "column", {visible("name")} AS name, rows
                FROM named JOIN trained USING (feature)
                JOIN (VALUES {labels}) AS labels (feature, label) USING (feature)
                WHERE name IS NOT NULL AND NOT jsonb_exists(levels, name)
                ORDER BY rows DESC, label, named.name
                LIMIT 50
            """),
            unit=Unit.COUNT,
            width=10,
            empty="Every name of this time range was seen in training.",
        ),
    )
