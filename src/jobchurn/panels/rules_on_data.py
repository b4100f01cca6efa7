"""The alert rules on the data: what came in, what was answered, and whether it drifted."""

from __future__ import annotations

from jobchurn.contract import Contract
from jobchurn.panels import drift, ingestion, outcomes, predictions
from jobchurn.panels.outcomes import known
from jobchurn.panels.panel import Unit
from jobchurn.panels.rule import AlertRule, Severity
from jobchurn.panels.sql import CHAMPION, TO, answer, label_of, written

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_MOST = 100_000
"""How many predictions calibration looks at: enough for any mean, and few enough for any stream."""

_ALIKE = 200
"""How many answers must be alike. Where a quarter is positive, 200 are so once in 10^25 times."""

_CHECKED = "$__timeFilter(finished_at) AND duplicate_of IS NULL"
_LATEST = written(f"""
    SELECT DISTINCT ON (source) id, source, rows, unseen, decision
    FROM drift_windows
    WHERE $__timeFilter(last_at) AND model_version = {CHAMPION}
    ORDER BY source, last_at DESC, last_id DESC
""")


def rules_on_data(contract: Contract) -> tuple[AlertRule, ...]:
    """What came in, what was answered, and whether it drifted."""
    return (
        *_of_ingestion(),
        _one_class(),
        *_of_drift(contract),
        _calibration(contract),
    )


def _of_ingestion() -> tuple[AlertRule, ...]:
    return (
        AlertRule(
            name="bad-rows",
            title="Many rows are bad",
            description="More than 40% of the rows of the last hour broke a rule. They are in "
            "bad_data/, and no prediction is made for them.",
            over="At most 40% of the rows of the last hour are bad, or none came.",
            severity=Severity.WARNING,
            sql=answer(
                "coalesce(sum(rows_invalid)::float8 / nullif(sum(rows_total), 0)::float8, 0)",
                f"FROM ingestion_runs\nWHERE {_CHECKED}",
            ),
            within_seconds=_HOUR,
            above=0.4,
            unit=Unit.SHARE,
            details=written(f"""
                SELECT coalesce(column_name || ', ', '') || rule || ': ' || sum(rows) || ' rows of '
                  || count(DISTINCT run_id) || ' files' AS line
                FROM ingestion_issues JOIN ingestion_runs USING (run_id)
                WHERE {_CHECKED}
                GROUP BY column_name, rule
                ORDER BY sum(rows) DESC, column_name, rule
                LIMIT 5
            """),
            dashboard=ingestion.NAME,
            panel=ingestion.SHARE_OF_BAD,
        ),
        AlertRule(
            name="nothing-ingested",
            title="Nothing comes in",
            description="No file was ingested for more than ten minutes, though there was one "
            "within a day.",
            over="A file came in; or none has come for a whole day, which is taken to be meant.",
            severity=Severity.WARNING,
            sql=answer(
                f"coalesce(extract(epoch FROM {TO} - max(finished_at))::float8 / 60, 0)",
                "FROM ingestion_runs\nWHERE $__timeFilter(finished_at)",
            ),
            within_seconds=_DAY,
            above=10,
            unit=Unit.MINUTES,
            dashboard=ingestion.NAME,
            panel=ingestion.MINUTES_SINCE,
        ),
        AlertRule(
            name="high-criticality",
            title="A file of high criticality",
            description="In the last 15 minutes a file came that cannot be read, lacks a required "
            "column, or is bad for the greater part.",
            over="No such file has come for 15 minutes.",
            severity=Severity.CRITICAL,
            sql=answer(
                "count(*)", f"FROM ingestion_runs\nWHERE {_CHECKED} AND criticality = 'high'"
            ),
            within_seconds=15 * _MINUTE,
            above=0,
            unit=Unit.COUNT,
            details=written(f"""
                SELECT file || ': ' || rows_invalid || ' of ' || rows_total || ' rows bad' AS line
                FROM ingestion_runs
                WHERE {_CHECKED} AND criticality = 'high'
                ORDER BY finished_at DESC, run_id
                LIMIT 5
            """),
            dashboard=ingestion.NAME,
            panel=ingestion.HIGH_FILES,
            told_by_ingestion=True,
        ),
    )


def _one_class() -> AlertRule:
    # The latest alone: an hour in which the model worked must not hide that it no longer does.
    latest = written(f"""
        FROM (
          SELECT source, prediction, probability
          FROM predictions
          WHERE $__timeFilter(created_at)
          ORDER BY created_at DESC, id DESC
          LIMIT {_ALIKE}
        ) AS latest
    """)
    return AlertRule(
        name="one-class",
        title="Every answer is the same",
        description=f"The latest {_ALIKE} predictions of the last hour, or all of them where they "
        f"are at least {_ALIKE // 2}, say the same. The model, its threshold or the data is not "
        "what it should be.",
        over="Both answers occur again, or too few were given in the last hour to tell.",
        severity=Severity.CRITICAL,
        sql=answer(
            f"(count(*) >= {_ALIKE // 2} AND min(prediction) = max(prediction))::int", latest
        ),
        within_seconds=_HOUR,
        above=0,
        details=written(
            """
            SELECT source || ': ' || count(*) || ' predictions, all ' || min(prediction)
              || ', mean probability ' || round(avg(probability)::numeric, 2) AS line
            <latest>
            GROUP BY source
            ORDER BY source
            """,
            latest=latest,
        ),
        dashboard=predictions.NAME,
        panel=predictions.MAJORITY,
    )


def _of_drift(contract: Contract) -> tuple[AlertRule, ...]:
    label = label_of(contract, "feature", "kind")
    return (
        AlertRule(
            name="drift",
            title="The data has drifted",
            description="In two windows running, the same feature differs from what the model in "
            "charge was trained on, by more than chance and by enough to matter.",
            over="The latest windows show no feature that has drifted twice running; or none was "
            "judged for a day.",
            severity=Severity.CRITICAL,
            sql=_of_latest("count(*) FILTER (WHERE decision = 2)"),
            within_seconds=_DAY,
            above=0,
            unit=Unit.COUNT,
            details=written(
                f"""
                WITH latest AS (
                  <latest>
                )
                SELECT {label} || ' (' || source || '): p ' || trim(to_char(p_adjusted, '9EEEE'))
                  || coalesce(', effect ' || round(effect::numeric, 2), '')
                  || coalesce(', mean ' || to_char(shift, 'SG0.00') || ' sd', '')
                  || ', blank ' || round(100 * missing::numeric) || '% against '
                  || round(100 * missing_baseline::numeric) || '%' AS line
                FROM latest JOIN drift_metrics AS metrics ON window_id = latest.id
                WHERE metrics.decision = 2
                ORDER BY p_adjusted, effect DESC, feature
                LIMIT 5
                """,
                latest=_LATEST,
            ),
            dashboard=predictions.NAME,
            panel=drift.DECISIONS,
        ),
        AlertRule(
            name="unseen-levels",
            title="Names that the model has never seen",
            description="In the latest window of a source, more than 5% of the rows hold a text "
            "that did not occur in training. Answers for these rows rest on the other features.",
            over="The latest windows hold few such names; or none was judged for a day.",
            severity=Severity.WARNING,
            sql=_of_latest("coalesce(max(unseen::float8 / nullif(rows, 0)), 0)"),
            within_seconds=_DAY,
            above=0.05,
            unit=Unit.SHARE,
            details=written(
                """
                WITH latest AS (
                  <latest>
                )
                SELECT source || ': ' || unseen || ' of ' || rows || ' rows' AS line
                FROM latest
                WHERE unseen > 0
                ORDER BY unseen::float8 / rows DESC, source
                """,
                latest=_LATEST,
            ),
            dashboard=predictions.NAME,
            panel=drift.UNSEEN,
        ),
    )


def _calibration(contract: Contract) -> AlertRule:
    latest = f"predictions WHERE $__timeFilter(created_at) ORDER BY created_at DESC LIMIT {_MOST}"
    rows = written("WITH known AS (\n  <known>\n)", known=known(contract, latest))
    return AlertRule(
        name="calibration",
        title="Probabilities and outcomes disagree",
        description="Where the outcome is known, the mean probability is more than 10 points away "
        "from the share of positive outcomes, over at least 200 predictions of the last seven "
        f"days (of the latest {_MOST:,}).",
        over="The two differ by at most 10 points, or too few outcomes are known to tell.",
        severity=Severity.WARNING,
        sql=f"{rows}\n"
        + answer(
            "CASE WHEN count(*) >= 200\n"
            "    THEN abs(avg(probability) - avg(outcome::float8)) ELSE 0 END",
            "FROM known",
        ),
        within_seconds=7 * _DAY,
        above=0.1,
        unit=Unit.SHARE,
        details=f"{rows}\n"
        + written("""
            SELECT 'mean probability ' || round(100 * avg(probability)::numeric) || '%, positive '
              || round(100 * avg(outcome)) || '%, of ' || count(*) || ' known outcomes' AS line
            FROM known
            HAVING count(*) > 0
        """),
        dashboard=predictions.NAME,
        panel=outcomes.CALIBRATION_GAP,
    )


def _of_latest(value: str) -> str:
    """A number over the latest window of each source."""
    return written(
        """
        WITH latest AS (
          <latest>
        )
        <value>
        """,
        latest=_LATEST,
        value=answer(value, "FROM latest"),
    )
