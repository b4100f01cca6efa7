"""Panels on performance: how good the probabilities were, where the outcome is known."""

from __future__ import annotations

from jobchurn.contract import Contract
from jobchurn.panels.panel import Colour, Panel, PanelKind, Threshold, Unit
from jobchurn.panels.serving import SERVED
from jobchurn.panels.sql import binned, identifier, written

CALIBRATION_GAP = 22
"""The panel that an alert rule points to."""

_GAP = (Threshold(None, Colour.GOOD), Threshold(0.05, Colour.WARN), Threshold(0.10, Colour.BAD))
_UNKNOWN = (
    "No outcome is known of what was predicted in this time range: outcomes come with the rows, in "
    "the column of the contract."
)
# A probability of 0 or 1 that is wrong would be infinitely wrong.
_LOSS = "-avg(ln(greatest(CASE outcome WHEN 1 THEN probability ELSE 1 - probability END, 1e-15)))"
# Each positive counts the negatives that lie below it, and half of those beside it.
_AUC = written("""
    SELECT sum(positives * (below + negatives / 2)) / (sum(positives) * sum(negatives)) AS value
    FROM (
      SELECT positives, negatives,
        sum(negatives) OVER (ORDER BY probability) - negatives AS below
      FROM (
        SELECT probability,
          count(*) FILTER (WHERE outcome = 1)::float8 AS positives,
          count(*) FILTER (WHERE outcome = 0)::float8 AS negatives
        FROM known
        GROUP BY probability
      ) AS steps
    ) AS ordered
    HAVING sum(positives) > 0 AND sum(negatives) > 0
""")


def known(contract: Contract, rows: str) -> str:
    """The predictions whose outcome is known.

    Args:
        contract: says which column is the outcome.
        rows: SQL for which predictions are looked at, from the table's name on.
    """
    outcome = identifier(contract.outcome.name)
    return written(f"""
        SELECT *
        FROM (
          SELECT created_at, probability, prediction, {outcome} AS outcome
          FROM {rows}
        ) AS looked_at
        WHERE outcome IS NOT NULL
    """)


def outcomes(contract: Contract) -> tuple[Panel, ...]:
    """How predictions compare with outcomes."""
    rows = known(contract, f"predictions WHERE {SERVED}")
    return (*_numbers(rows), *_beside_training(rows), _over_time(rows))


def _numbers(rows: str) -> tuple[Panel, ...]:
    return (
        _stat(
            19,
            "Known outcomes",
            "Predictions whose outcome came with the row. The panels from here on are about these "
            "alone: with fewer than some hundreds, chance has a large part in them.",
            written("SELECT count(*) AS value\nFROM known"),
            rows,
            Unit.COUNT,
        ),
        _stat(
            20,
            "ROC-AUC",
            "How often a positive was given a higher probability than a negative: 0.5 is "
            "guessing, 1 is never wrong. What the model reached on the hold-out is below.",
            _AUC,
            rows,
            Unit.NUMBER,
        ),
        _stat(
            21,
            "Log loss",
            "How wrong the probabilities were, sure errors counting most; lower is better.",
            written(f"SELECT {_LOSS} AS value\nFROM known\nHAVING count(*) > 0"),
            rows,
            Unit.NUMBER,
        ),
        _stat(
            CALIBRATION_GAP,
            "Calibration gap",
            "How far the mean probability is from the share of positive outcomes. Above 10 points "
            "over a week a rule calls: too many or too few are then decided positive.",
            written("""
                SELECT abs(avg(probability) - avg(outcome::float8)) AS value
                FROM known
                HAVING count(*) > 0
            """),
            rows,
            Unit.SHARE,
            _GAP,
        ),
    )


def _stat(
    number: int,
    title: str,
    description: str,
    sql: str,
    rows: str,
    unit: Unit,
    thresholds: tuple[Threshold, ...] = (),
) -> Panel:
    return Panel(
        id=number,
        kind=PanelKind.STAT,
        title=title,
        description=description,
        sql=_of_known(sql, rows),
        unit=unit,
        thresholds=thresholds,
        width=6,
        height=4,
        empty=_UNKNOWN,
    )


def _of_known(sql: str, rows: str) -> str:
    """A query that reads ``known``, and begins with its first SELECT or a further part of WITH."""
    return written("WITH known AS (\n  <rows>\n)\n<sql>", rows=rows, sql=sql)


def _beside_training(rows: str) -> tuple[Panel, ...]:
    return (
        Panel(
            id=23,
            kind=PanelKind.BARS,
            title="Calibration",
            description="By tenths of the probability: what happened beside what was expected, the "
            "mean probability. Where the two part, the probabilities mislead. Tenths without any "
            "known outcome are left out.",
            sql=_of_known(
                written("""
                    SELECT tenth * 10 || '–' || tenth * 10 + 10 || '%' AS label,
                      happened, expected
                    FROM (
                      SELECT least(floor(probability * 10), 9)::int AS tenth,
                        avg(outcome::float8) AS happened,
                        avg(probability) AS expected
                      FROM known
                      GROUP BY 1
                    ) AS tenths
                    ORDER BY tenth
                """),
                rows,
            ),
            unit=Unit.SHARE,
            lowest=0,
            highest=1,
            empty=_UNKNOWN,
        ),
        Panel(
            id=24,
            kind=PanelKind.TABLE,
            title="Performance against the hold-out",
            description="The same measures on what was served and on the rows held out of the "
            "champion's training. Precision: of those decided positive, the share that is. "
            "Recall: of the positive, the share decided so.",
            sql=_of_known(_measures(), rows),
            empty=_UNKNOWN,
        ),
    )


def _measures() -> str:
    held_out = "card->'metrics'->>"
    return written(
        f"""
        , ranking AS (
          <auc>
        ), served AS (
          SELECT count(*) AS rows,
            {_LOSS} AS loss,
            avg((probability - outcome) ^ 2) AS brier,
            avg(outcome::float8) FILTER (WHERE prediction = 1) AS precision,
            avg(prediction::float8) FILTER (WHERE outcome = 1) AS recall
          FROM known
        ), champion AS (
          SELECT card FROM models WHERE champion
        )
        SELECT measure, serving, training AS "hold-out"
        FROM served
        LEFT JOIN ranking ON true
        LEFT JOIN champion ON true
        CROSS JOIN LATERAL (VALUES
          ('ROC-AUC', ranking.value, {held_out}'roc_auc'),
          ('Log loss', loss, {held_out}'log_loss'),
          ('Brier score', brier, {held_out}'brier'),
          ('Precision', precision, {held_out}'precision'),
          ('Recall', recall, {held_out}'recall')
        ) AS measures (measure, serving, held_out)
        CROSS JOIN LATERAL (SELECT held_out::float8) AS trained (training)
        WHERE rows > 0
        """,
        auc=_AUC,
    )


def _over_time(rows: str) -> Panel:
    return Panel(
        id=25,
        kind=PanelKind.SERIES,
        title="Outcomes over time",
        description="The share of positive outcomes beside the mean probability of the same rows. "
        "A gap that opens without drift says that the relation itself has changed.",
        sql=_of_known(
            written(f"""
                SELECT time, metric, value
                FROM (
                  SELECT {binned("created_at")},
                    avg(outcome::float8) AS happened,
                    avg(probability) AS expected
                  FROM known
                  GROUP BY 1
                ) AS moments
                CROSS JOIN LATERAL (VALUES ('happened', happened), ('expected', expected))
                  AS line (metric, value)
                ORDER BY time, metric
            """),
            rows,
        ),
        unit=Unit.SHARE,
        lowest=0,
        highest=1,
        width=24,
        empty=_UNKNOWN,
    )
