"""The dashboard on predictions: what was answered, whether the data drifted, how good it was."""

from __future__ import annotations

from jobchurn.contract import Contract
from jobchurn.panels.distributions import distributions
from jobchurn.panels.drift import drift_over_time, drift_stats
from jobchurn.panels.marks import ALERTS, PROMOTIONS
from jobchurn.panels.outcomes import outcomes
from jobchurn.panels.panel import (
    Colour,
    Dashboard,
    Panel,
    PanelKind,
    Threshold,
    Unit,
    Variable,
)
from jobchurn.panels.serving import NOTHING_SERVED, SERVED, against_training
from jobchurn.panels.sql import BASELINES, SCORE, binned, written

NAME = "predictions"
MAJORITY = 4
"""The panel that an alert rule points to."""

_TRAINED_RATE = written("""
    SELECT (counts->>'tp')::float8 / rows + (counts->>'fp')::float8 / rows AS value
    FROM models
    CROSS JOIN LATERAL (SELECT card->'metrics'->'confusion') AS confusion (counts)
    CROSS JOIN LATERAL (SELECT nullif((card->'metrics'->>'rows')::float8, 0)) AS held_out (rows)
    WHERE champion AND rows IS NOT NULL AND counts IS NOT NULL
""")
_TRAINED_MEAN = written(f"""
    SELECT (baseline->>'mean')::float8 AS value
    FROM {BASELINES}
    WHERE kind = '{SCORE}'
""")


def dashboard_of(contract: Contract) -> Dashboard:
    """The dashboard on predictions and drift."""
    return Dashboard(
        name=NAME,
        title="Predictions and drift",
        description="Are the answers still to be trusted? What is served, beside what the model "
        "in charge was trained on.",
        variables=(
            Variable(
                name="source",
                label="Asked by",
                options=("webapp", "scheduled"),
                several=True,
                words={"webapp": "web app and clients", "scheduled": "schedule"},
            ),
            Variable(
                name="feature",
                label="Feature",
                options=tuple(column.name for column in contract.inputs),
                words={column.name: column.label for column in contract.inputs},
            ),
        ),
        annotations=(PROMOTIONS, ALERTS),
        panels=(
            *_stats(contract),
            *drift_stats(),
            *_over_time(),
            *_probabilities(),
            *drift_over_time(contract),
            *distributions(contract),
            *outcomes(contract),
        ),
    )


def _stats(contract: Contract) -> tuple[Panel, ...]:
    return (
        Panel(
            id=1,
            kind=PanelKind.STAT,
            title="Predictions",
            description="Answers that were given and stored.",
            sql=f"SELECT count(*) AS value\nFROM predictions\nWHERE {SERVED}",
            unit=Unit.COUNT,
            width=4,
            height=4,
            empty=NOTHING_SERVED,
        ),
        Panel(
            id=2,
            kind=PanelKind.STAT,
            title="Positive rate",
            description=f"The share of answers that say the {contract.subject} "
            f"{contract.positive}.",
            sql=written(f"""
                SELECT avg(prediction::float8) AS value
                FROM predictions
                WHERE {SERVED}
                HAVING count(*) > 0
            """),
            unit=Unit.SHARE,
            width=4,
            height=4,
            empty=NOTHING_SERVED,
        ),
        Panel(
            id=3,
            kind=PanelKind.STAT,
            title="Positive rate in training",
            description="The same share on the rows held out of the champion's training, at the "
            "threshold of that time: what the rate beside it is to be compared with.",
            sql=_TRAINED_RATE,
            unit=Unit.SHARE,
            width=4,
            height=4,
            empty="No model is in charge: run `jobchurn train`.",
        ),
        Panel(
            id=MAJORITY,
            kind=PanelKind.STAT,
            title="Majority share",
            description="The share of the answer that is given more often. At 100% every answer is "
            "the same, which calls for somebody: people do not come like that.",
            sql=written(f"""
                SELECT greatest(avg(prediction::float8), 1 - avg(prediction::float8)) AS value
                FROM predictions
                WHERE {SERVED}
                HAVING count(*) > 0
            """),
            unit=Unit.SHARE,
            thresholds=(
                Threshold(None, Colour.GOOD),
                Threshold(0.95, Colour.WARN),
                Threshold(1, Colour.BAD),
            ),
            lowest=0.5,
            highest=1,
            width=4,
            height=4,
            empty=NOTHING_SERVED,
        ),
    )


def _over_time() -> tuple[Panel, ...]:
    return (
        Panel(
            id=7,
            kind=PanelKind.STACK,
            title="Predictions by source",
            description="Who asked: the web app and other clients of the API, or the scheduled job "
            "that predicts good files.",
            sql=written(f"""
                SELECT {binned("created_at")},
                  source AS metric,
                  count(*) AS value
                FROM predictions
                WHERE {SERVED}
                GROUP BY 1, 2
                ORDER BY 1, 2
            """),
            unit=Unit.COUNT,
            lowest=0,
            empty=NOTHING_SERVED,
        ),
        Panel(
            id=8,
            kind=PanelKind.SERIES,
            title="Positive rate over time",
            description="The share of positive answers, beside that on the rows held out of the "
            "champion's training. Few rows make it jump: see how many there were.",
            sql=against_training("avg(prediction::float8)", _TRAINED_RATE),
            unit=Unit.SHARE,
            lowest=0,
            empty=NOTHING_SERVED,
        ),
    )


def _probabilities() -> tuple[Panel, ...]:
    return (
        Panel(
            id=9,
            kind=PanelKind.BARS,
            title="Probabilities",
            description="How the probabilities are spread, in serving and on training rows that "
            "the scoring model had not seen. Bars that part while the rate stays are a shift "
            "all the same.",
            sql=written(f"""
                WITH served AS (
                  SELECT least(floor(probability * 10), 9)::int AS tenth, count(*) AS rows
                  FROM predictions
                  WHERE {SERVED}
                  GROUP BY 1
                ), trained AS (
                  SELECT round((bin->>'low')::float8 * 10)::int AS tenth,
                    (bin->>'rows')::float8 AS rows
                  FROM models, jsonb_array_elements(card->'calibration_bins') AS bin
                  WHERE champion
                )
                SELECT tenth * 10 || '–' || tenth * 10 + 10 || '%' AS label,
                  coalesce(served.rows / (SELECT sum(rows) FROM served), 0)::float8 AS serving,
                  coalesce(trained.rows / (SELECT sum(rows) FROM trained), 0) AS training
                FROM generate_series(0, 9) AS tenth
                LEFT JOIN served USING (tenth)
                LEFT JOIN trained USING (tenth)
                WHERE EXISTS (SELECT FROM served)
                ORDER BY tenth
            """),
            unit=Unit.SHARE,
            lowest=0,
            empty=NOTHING_SERVED,
        ),
        Panel(
            id=10,
            kind=PanelKind.SERIES,
            title="Mean probability over time",
            description="The mean probability served, beside that on the champion's training data. "
            "It moves before the rate does.",
            sql=against_training("avg(probability)", _TRAINED_MEAN),
            unit=Unit.SHARE,
            lowest=0,
            empty=NOTHING_SERVED,
        ),
    )
