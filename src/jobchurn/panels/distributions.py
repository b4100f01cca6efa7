"""Panels on the inputs: how each is spread, on average and in blanks, beside training."""

from __future__ import annotations

from collections.abc import Sequence

from jobchurn.contract import Column, Contract
from jobchurn.panels.drift import unseen_names
from jobchurn.panels.panel import Panel, PanelKind, Unit
from jobchurn.panels.serving import NOTHING_SERVED, SERVED, against_training
from jobchurn.panels.sql import (
    BASELINES,
    SCORE,
    identifier,
    literal,
    visible,
    written,
)

_FEATURE = "${feature:sqlstring}"
_NAMES_IN_SIGHT = 12
_AVERAGES = 100
"""Averages have this id, and their column's place in the contract on top of it."""


def distributions(contract: Contract) -> tuple[Panel, ...]:
    """A chosen feature, blanks, averages, and names that training did not see."""
    return (
        *_spread(contract),
        *_averages(contract),
        *unseen_names(contract),
    )


def _spread(contract: Contract) -> tuple[Panel, ...]:
    blanks = [column for column in contract.inputs if not column.required]
    chosen = Panel(
        id=14,
        kind=PanelKind.BARS,
        title="Training and serving",
        description="How the chosen feature is spread: each value's share, blanks too. Numbers "
        "are cut into the bins of training, each with its upper end; of open texts the "
        f"{_NAMES_IN_SIGHT} commonest are told apart.",
        sql=_spread_of_chosen(contract),
        unit=Unit.SHARE,
        lowest=0,
        width=14 if blanks else 24,
        height=10,
        empty=NOTHING_SERVED,
    )
    return (chosen, _blanks(blanks)) if blanks else (chosen,)


def _spread_of_chosen(contract: Contract) -> str:
    """The chosen feature's shares: one query for all, as the choice is a text and no column."""
    texts = [column for column in contract.inputs if not column.is_numeric]
    numbers = [column for column in contract.inputs if column.is_numeric]
    # An upper end belongs to its bin, and width_bucket's bounds to the bin above: hence the minus.
    return written(
        f"""
        WITH counted AS (
          SELECT
            <values>
            count(*)::float8 AS rows
          FROM predictions
          WHERE {SERVED}
          GROUP BY 1, 2
        ), trained AS (
          SELECT baseline
          FROM {BASELINES}
          WHERE feature = {_FEATURE} AND kind <> '{SCORE}'
        ), bounds AS (
          SELECT count(*)::int AS n,
            coalesce(array_agg(-bound ORDER BY bound DESC), '{{}}') AS falling,
            array_agg(bound::text ORDER BY bound) AS texts
          FROM trained
          CROSS JOIN jsonb_array_elements_text(baseline->'edges') AS edges (text)
          CROSS JOIN LATERAL (SELECT text::float8) AS numbers (bound)
        ), bars AS (
          SELECT n - width_bucket(-number, falling) AS bin, level, rows AS served, 0 AS trained
          FROM counted CROSS JOIN bounds
          UNION ALL
          SELECT place::int - 1, NULL, 0, rows::float8
          FROM trained
          CROSS JOIN jsonb_array_elements_text(baseline->'counts') WITH ORDINALITY
            AS bins (rows, place)
          UNION ALL
          SELECT NULL, level, 0, rows::float8
          FROM trained CROSS JOIN jsonb_each_text(baseline->'levels') AS levels (level, rows)
          UNION ALL
          SELECT -1, NULL, 0, (baseline->>'rest')::float8
          FROM trained
          UNION ALL
          SELECT NULL, NULL, 0, (baseline->>'rows')::float8 * (baseline->>'missing')::float8
          FROM trained
        ), shares AS (
          SELECT bin, level,
            sum(served) / (SELECT sum(served) FROM bars) AS serving,
            sum(trained) / (SELECT nullif(sum(trained), 0) FROM bars) AS training
          FROM bars
          GROUP BY bin, level
        ), known (feature, level, place, words) AS (
          <known>
        ), ranked AS (
          SELECT shares.*, place, words,
            level IS NOT NULL AND place IS NULL AS is_open,
            row_number() OVER (
              PARTITION BY level IS NOT NULL AND place IS NULL
              ORDER BY greatest(serving, training) DESC, level
            ) AS rank
          FROM shares LEFT JOIN known USING (level)
        ), labelled AS (
          SELECT serving, training,
            CASE
              WHEN bin = -1 OR is_open AND rank > {_NAMES_IN_SIGHT} THEN 'others'
              WHEN level IS NOT NULL THEN coalesce(words, {visible("level")})
              WHEN bin IS NULL THEN 'blank'
              WHEN n = 0 THEN 'any'
              WHEN bin = 0 THEN '≤ ' || texts[1]
              WHEN bin = n THEN '> ' || texts[n]
              ELSE texts[bin] || ' – ' || texts[bin + 1]
            END AS label,
            CASE
              WHEN bin = -1 OR is_open AND rank > {_NAMES_IN_SIGHT} THEN 2000
              WHEN level IS NOT NULL THEN coalesce(place, 1000 + rank)
              WHEN bin IS NULL THEN 3000
              ELSE bin
            END AS place
          FROM ranked CROSS JOIN bounds
        )
        SELECT label, sum(serving) AS serving, sum(training) AS training
        FROM labelled
        WHERE EXISTS (SELECT FROM counted)
        GROUP BY place, label
        HAVING sum(serving) > 0 OR sum(training) > 0
        ORDER BY place
        """,
        values=f"{_chosen(texts, 'text')} AS level,\n{_chosen(numbers, 'float8')} AS number,",
        known=_levels(contract),
    )


def _chosen(columns: Sequence[Column], kind: str) -> str:
    """The chosen feature's value, where it is one of these columns; NULL else."""
    if not columns:
        return f"NULL::{kind}"
    cases = "\n".join(
        f"  WHEN {literal(column.name)} THEN {identifier(column.name)}::{kind}"
        for column in columns
    )
    return f"CASE {_FEATURE}\n{cases}\nEND"


def _levels(contract: Contract) -> str:
    """The levels that the contract lists of the chosen feature, with their order and words."""
    rows = [
        (
            literal(column.name),
            literal(level),
            str(place),
            literal(column.words(level)),
        )
        for column in contract.inputs
        for place, level in enumerate(column.levels)
    ]
    if not rows:
        return "SELECT NULL::text, NULL::text, NULL::int, NULL::text WHERE false"
    listed = ",\n".join(f"  ({', '.join(row)})" for row in rows)
    return (
        f"SELECT * FROM (VALUES\n{listed}\n) AS levels (feature, level, place, words)\n"
        f"WHERE feature = {_FEATURE}"
    )


def _blanks(columns: Sequence[Column]) -> Panel:
    counts = ",\n".join(
        f"count({identifier(column.name)}) AS known_{place}" for place, column in enumerate(columns)
    )
    listed = ",\n".join(
        f"({literal(column.name)}, {literal(column.label)}, known_{place})"
        for place, column in enumerate(columns)
    )
    return Panel(
        id=15,
        kind=PanelKind.BARS,
        title="Blanks",
        description="The share of blank cells of each column that may be blank, beside training. A "
        "column that a source stopped to fill shows here first.",
        sql=written(
            f"""
            WITH served AS (
              SELECT count(*)::float8 AS rows,
                <counts>
              FROM predictions
              WHERE {SERVED}
            ), inputs AS (
              SELECT feature, label, 1 - known / rows AS blank
              FROM served
              CROSS JOIN LATERAL (VALUES
                <listed>
              ) AS columns (feature, label, known)
              WHERE rows > 0
            ), trained AS (
              SELECT feature, (baseline->>'missing')::float8 AS blank
              FROM {BASELINES}
              WHERE kind <> '{SCORE}'
            )
            SELECT label, inputs.blank AS serving, trained.blank AS training
            FROM inputs LEFT JOIN trained USING (feature)
            ORDER BY serving DESC, label
            """,
            counts=counts,
            listed=listed,
        ),
        unit=Unit.SHARE,
        lowest=0,
        width=10,
        height=10,
        empty=NOTHING_SERVED,
    )


def _averages(contract: Contract) -> tuple[Panel, ...]:
    """One panel for each number, at most three side by side, each row of them full."""
    numbers = [
        (place, column)
        for place, column in enumerate(contract.columns)
        if column in contract.inputs and column.is_numeric
    ]
    return tuple(
        _average(column, _AVERAGES + place, width)
        for (place, column), width in zip(numbers, _widths(len(numbers)), strict=True)
    )


def _average(column: Column, number: int, width: int) -> Panel:
    unit = f" ({column.unit})" if column.unit else ""
    return Panel(
        id=number,
        kind=PanelKind.SERIES,
        title=f"{column.label}{unit}, on average",
        description=f"{column.meaning} The mean of what was served, beside that of training.",
        sql=against_training(
            f"avg({identifier(column.name)}::float8)",
            written(f"""
                SELECT (baseline->>'mean')::float8 AS value
                FROM {BASELINES}
                WHERE feature = {literal(column.name)} AND kind <> '{SCORE}'
            """),
        ),
        width=width,
        empty=NOTHING_SERVED,
    )


def _widths(count: int) -> list[int]:
    """The widths of panels in rows of three, and of two or one where they do not come out even."""
    rows = -(-count // 3)
    lengths = [count // rows + (row < count % rows) for row in range(rows)] if rows else []
    return [24 // length for length in lengths for _ in range(length)]
