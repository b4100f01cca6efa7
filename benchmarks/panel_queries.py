"""How long every panel and every alert rule takes on a database of ten million predictions.

Usage: ``python -m benchmarks.panel_queries [--predictions 10000000] [--hours 6] [--keep FOLDER]
[--runs 7] [--limit 200]``

The predictions are spread evenly over 60 days, so that six hours hold some 42,000 of them; their
values are those of the built-in data set, drawn anew. Files, drift windows, requests, runs of jobs
and alerts go with them. Each query is asked as monitoring asks it (in the name of the reading role,
over the last six hours; a rule over its own time range), once to warm up and then so many times;
what counts is the median. Ends with 1 where one is above the limit.

Filling the database takes some minutes and some 8 GB of disk. ``--keep`` keeps it in a folder, and
uses it where it is there already.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import sql

from benchmarks.processes import free_port
from jobchurn.contract import JOB_CHANGE, Column, Contract, Value
from jobchurn.drift import baseline_of
from jobchurn.panels import Dashboard, dashboards_of, expand, interval_of, rules_of
from jobchurn.postgres import serving
from jobchurn.settings import Settings
from jobchurn.store import Store
from jobchurn.synth import generate

DAYS, LOG_DAYS = 60, 14
SAMPLE = 20_000
MODEL = "lgbm-0123456789ab"

Connection = psycopg.Connection[tuple[Any, ...]]


class Timing(NamedTuple):
    """How long one query took, in milliseconds: in the median, and at most."""

    median: float
    most: float
    what: str


def main() -> None:
    """Fill, measure, print, and judge."""
    parser = argparse.ArgumentParser(description="Time every query of monitoring.")
    parser.add_argument("--predictions", type=int, default=10_000_000, help="how many to store")
    parser.add_argument("--hours", type=int, default=6, help="the time range of panels")
    parser.add_argument("--keep", type=Path, help="the folder that keeps the database")
    parser.add_argument("--runs", type=int, default=7, help="how often each query is asked")
    parser.add_argument("--limit", type=float, default=200, help="the most milliseconds")
    parser.add_argument("--only", default="", help="only what has this in its name")
    options = parser.parse_args()
    with _database(options.keep) as url:
        store = Store.connect(url, JOB_CHANGE)
        with psycopg.connect(url, autocommit=True) as connection:
            if not _is_filled(connection):
                _fill(connection, store, options.predictions)
            end = _ask(connection, "SELECT max(created_at) FROM predictions")
            rows = _ask(connection, "SELECT count(*) FROM predictions")
        queries = [
            (what, query)
            for what, query in _queries(store, end - timedelta(hours=options.hours), end)
            if options.only.casefold() in what.casefold()
        ]
        timings = sorted((_timed(store, *asked, options.runs) for asked in queries), reverse=True)
        store.close()
    _print(timings, rows, options.runs)
    slow = [timing for timing in timings if timing.median > options.limit]
    if slow:
        sys.exit(f"{len(slow)} of {len(timings)} take more than {options.limit:g} ms.")
    print(f"\nAll {len(timings)} take at most {options.limit:g} ms.")


def _print(timings: Sequence[Timing], rows: int, runs: int) -> None:
    print(f"{rows:,} predictions; milliseconds, of {runs} runs\n")
    print("| query | median | most |")
    print("|---|---:|---:|")
    for timing in timings:
        print(f"| {timing.what} | {timing.median:.0f} | {timing.most:.0f} |")


# --- asking -----------------------------------------------------------------------------------


def _timed(store: Store, what: str, query: str, runs: int) -> Timing:
    times = [_milliseconds(store, query) for _ in range(runs + 1)][1:]
    return Timing(median(times), max(times), what)


def _queries(store: Store, start: datetime, end: datetime) -> Iterator[tuple[str, str]]:
    """What each query asks, and the query as it is run."""
    for dashboard in dashboards_of(store.contract):
        chosen = _choices(store, dashboard, start, end)
        for variable in dashboard.variables:
            if variable.sql:
                query = _expanded(variable.sql, start, end, {})
                yield f"{dashboard.title}: the choice of {variable.label}", query
        for annotation in dashboard.annotations:
            query = _expanded(annotation.sql, start, end, {})
            yield f"{dashboard.title}: the mark {annotation.name}", query
        for panel in dashboard.panels:
            if "${feature:" in panel.sql:
                for column in store.contract.inputs:
                    one = _expanded(panel.sql, start, end, chosen | {"feature": [column.name]})
                    yield f"{dashboard.title}: {panel.title} of {column.label}", one
            else:
                query = _expanded(panel.sql, start, end, chosen)
                yield f"{dashboard.title}: {panel.title}", query
    for rule in rules_of(store.contract):
        since = end - timedelta(seconds=rule.within_seconds)
        yield f"the rule {rule.name}", _expanded(rule.sql, since, end, {})
        if rule.details:
            yield f"the details of {rule.name}", _expanded(rule.details, since, end, {})


def _choices(
    store: Store, dashboard: Dashboard, start: datetime, end: datetime
) -> dict[str, list[str]]:
    """All of several, and the first of one."""
    found = {}
    for variable in dashboard.variables:
        options = list(variable.options)
        if variable.sql:
            frame = store.panels.read(_expanded(variable.sql, start, end, {}))
            options = [row[0] for row in frame.rows]
        found[variable.name] = options if variable.several else options[:1]
    return found


def _expanded(
    query: str, start: datetime, end: datetime, variables: Mapping[str, Sequence[str]]
) -> str:
    return expand(
        query,
        start=start,
        end=end,
        interval_seconds=interval_of(start, end),
        variables=variables,
    )


def _milliseconds(store: Store, query: str) -> float:
    begun = time.perf_counter()
    store.panels.read(query, seconds=60)
    return 1_000 * (time.perf_counter() - begun)


# --- filling ----------------------------------------------------------------------------------


@contextmanager
def _database(keep: Path | None) -> Iterator[str]:
    """The URL of a database on a server of its own."""
    with tempfile.TemporaryDirectory(prefix="jobchurn-", ignore_cleanup_errors=True) as temporary:
        home = keep or Path(temporary)
        home.mkdir(parents=True, exist_ok=True)
        Path(temporary).chmod(0o755)  # the server may be another user's
        settings = Settings(jobchurn_home=home, database_url=None, postgres_port=free_port())
        with serving(settings) as url:
            yield url


def _is_filled(connection: Connection) -> bool:
    found = "SELECT to_regclass('benchmark_filled') IS NOT NULL"
    return bool(_ask(connection, found))


def _fill(connection: Connection, store: Store, predictions: int) -> None:
    begun = time.perf_counter()
    store.migrate()
    end = _ask(connection, "SELECT date_trunc('minute', now())")
    store.partitions.make(end - timedelta(days=DAYS))
    connection.execute("SET synchronous_commit = off")
    columns = _read(store.contract, generate(SAMPLE, seed=1))
    _sample(connection, store.contract, columns)
    _champion(store, columns)
    for day in range(DAYS):
        _say(f"day {day + 1} of {DAYS}, {time.perf_counter() - begun:.0f} s")
        _predictions(connection, store.contract, end, day, predictions // DAYS)
    _say("what goes with them")
    for statement in (*_FILES, *_WATCHED):
        connection.execute(statement, {"end": end, "days": DAYS, "log_days": LOG_DAYS})
    # As the server does by itself within minutes.
    connection.execute("VACUUM (ANALYZE, FREEZE)")
    connection.execute("CREATE TABLE benchmark_filled ()")
    _say(f"filled in {time.perf_counter() - begun:.0f} s\n")


def _read(contract: Contract, texts: Mapping[str, Sequence[str]]) -> dict[str, list[Value]]:
    return {name: list(map(contract[name].read, cells)) for name, cells in texts.items()}


def _sample(
    connection: Connection, contract: Contract, columns: Mapping[str, Sequence[Value]]
) -> None:
    """Rows to draw from, each with a probability."""
    names = [column.name for column in contract.columns]
    chance = random.Random(0)
    connection.execute(
        "CREATE UNLOGGED TABLE sample AS SELECT 0 AS place, 0::float8 AS p, "
        f"{', '.join(map(_quoted, contract.columns))} FROM predictions LIMIT 0"
    )
    into = sql.SQL("COPY sample (place, p, {}) FROM STDIN").format(
        sql.SQL(", ").join(map(sql.Identifier, names))
    )
    with connection.cursor() as cursor, cursor.copy(into) as copy:
        for place in range(SAMPLE):
            values = [columns[name][place] if name in columns else None for name in names]
            copy.write_row([place, chance.betavariate(1, 3), *values])
    connection.execute("ALTER TABLE sample ADD PRIMARY KEY (place)")
    connection.execute("ANALYZE sample")


def _champion(store: Store, columns: Mapping[str, Sequence[Value]]) -> None:
    chance = random.Random(1)
    scores = [chance.betavariate(1, 3) for _ in range(SAMPLE)]
    counts = {"tp": 300, "fp": 400, "fn": 200, "tn": 1_100}
    card = {
        "baseline": baseline_of(store.contract, columns, scores),
        "metrics": {"rows": 2_000, "confusion": counts, "roc_auc": 0.8, "log_loss": 0.45},
        "calibration_bins": [{"low": n / 10, "rows": 100} for n in range(10)],
    }
    store.models.add(MODEL, "0" * 64, "0" * 64, card)
    store.models.promote(MODEL)


def _predictions(
    connection: Connection, contract: Contract, end: datetime, day: int, count: int
) -> None:
    """One day's: a fifth by hand, the rest by schedule; only of these outcomes are known."""
    outcome = contract.outcome
    columns = [column for column in contract.columns if column is not outcome]
    names = ", ".join(map(_quoted, columns))
    connection.execute(
        f"""
        INSERT INTO predictions (created_at, source, run_id, position, model_version,
          policy_version, contract, probability, prediction, {names}, {_quoted(outcome)})
        SELECT %(start)s + n * interval '1 day' / %(count)s,
          CASE WHEN n %% 5 = 0 THEN 'webapp' ELSE 'scheduled' END,
          '20261124T073000-3f9a2c', 0, '{MODEL}', 'miss-cost-2', '0123456789abcdef',
          p, (p >= 0.33)::int, {names},
          CASE WHEN n %% 5 > 0 THEN {_quoted(outcome)} END
        FROM generate_series(1, %(count)s) AS n
        JOIN sample ON place = (n * 7919::bigint + %(day)s) %% {SAMPLE}
        ORDER BY n
        """,
        {"start": end - timedelta(days=DAYS - day), "count": count, "day": day},
    )


# Every minute a file of a hundred rows, two of its rules broken; every five minutes a window.
_FILES: tuple[LiteralString, ...] = (
    """
    INSERT INTO arrivals (run_id, name, sha256, size, inode, trigger, holder, token, attempts,
      lease_until, arrived_at, started_at, closed_at, outcome)
    SELECT 'run-' || lpad(n::text, 8, '0'), n || '.csv', md5(n::text) || md5(n::text), 9000, n,
      'dag', 'me', 1, 1, moment, moment, moment, moment, 'published'
    FROM generate_series(1, %(days)s * 1440) AS n
    CROSS JOIN LATERAL (SELECT %(end)s - n * interval '1 minute') AS times (moment)
    """,
    """
    INSERT INTO ingestion_runs (run_id, file, sha256, trigger, contract, rows_total, rows_valid,
      rows_invalid, invalid_ratio, criticality, started_at, finished_at, good, report, notes)
    SELECT run_id, name, sha256, trigger, '0123456789abcdef', 100, 100 - bad, bad, bad / 100.0,
      CASE WHEN bad = 0 THEN 'none' WHEN bad < 10 THEN 'low' ELSE 'medium' END,
      started_at, started_at + interval '3 seconds', '/good/' || name, '/reports/' || name, '[]'
    FROM arrivals CROSS JOIN LATERAL (SELECT inode::int %% 21) AS rows (bad)
    """,
    """
    INSERT INTO ingestion_issues (run_id, rule, column_name, rows)
    SELECT run_id, (ARRAY['required', 'domain', 'range', 'kind'])[inode::int %% 4 + 1], 'a', 9
    FROM arrivals
    UNION ALL
    SELECT run_id, 'too few cells', NULL, 1 FROM arrivals
    """,
    """
    INSERT INTO predicted_files (sha256, run_id, name, mtime, rows, predicted_at)
    SELECT sha256, run_id, name, 0, 90, started_at + interval '90 seconds'
    FROM arrivals
    """,
)

_WATCHED: tuple[LiteralString, ...] = (
    """
    INSERT INTO drift_windows (source, model_version, rows, first_at, last_at, last_id, unseen,
      decision, decided_at)
    SELECT CASE WHEN n %% 5 = 0 THEN 'webapp' ELSE 'scheduled' END, version, 500, moment, moment,
      n, n %% 20, (n %% 50 = 0)::int, moment
    FROM models, (SELECT count(*) / 500 AS windows FROM predictions) AS counted,
      generate_series(1, windows) AS n
    CROSS JOIN LATERAL (SELECT %(end)s - n * %(days)s * interval '1 day' / windows) AS t (moment)
    """,
    """
    INSERT INTO drift_metrics (window_id, feature, kind, test, statistic, p_value, p_adjusted,
      effect, psi, missing, missing_baseline, decision)
    SELECT id, feature, kind, 'chi-square', 1, 0.5, 1, 0.02, 0.05, 0.1, 0.1,
      (id %% 50 = 0)::int
    FROM drift_windows, feature_baseline
    """,
    """
    INSERT INTO request_log (at, route, method, status, seconds, records, waiting, weight)
    SELECT %(end)s - random() * %(log_days)s * interval '1 day', route, method,
      CASE WHEN random() < 0.002 THEN 503 WHEN random() < 0.01 THEN 422 ELSE 200 END,
      0.003 / (random() + 0.01), records, (random() * 3)::int, 1
    FROM (VALUES ('/predict', 'POST', 1, 466000), ('/predict', 'POST', 90, 20000),
      ('/panels/{dashboard}', 'GET', 0, 60000), ('/model', 'GET', 0, 60000), ('-', 'GET', 0, 500))
      AS kinds (route, method, records, requests)
    CROSS JOIN generate_series(1, requests)
    """,
    """
    INSERT INTO job_runs (job, run, outcome, due_at, started_at, finished_at)
    SELECT job, n::text, CASE WHEN n %% 100 = 0 THEN 'failed' ELSE 'success' END, moment, moment,
      moment + interval '4 seconds'
    FROM (VALUES ('dag_ingestion', 1), ('dag_prediction', 2), ('dag_monitoring', 5))
      AS jobs (job, minutes)
    CROSS JOIN generate_series(1, %(log_days)s * 1440 / minutes) AS n
    CROSS JOIN LATERAL (SELECT %(end)s - n * minutes * interval '1 minute') AS times (moment)
    """,
    """
    INSERT INTO alerts (kind, severity, title, body, channel, status, attempts, created_at,
      delivered_at)
    SELECT 'rule', 'warning', 'Many rows are bad', '{}', 'teams', 'delivered', 1, moment, moment
    FROM generate_series(1, 5000) AS n
    CROSS JOIN LATERAL (SELECT %(end)s - n * %(days)s * interval '1 day' / 5000) AS times (moment)
    """,
    """
    INSERT INTO alert_states (rule, state, value, since, evaluated_at)
    SELECT 'rule-' || n, 'ok', 0, %(end)s, %(end)s FROM generate_series(1, 11) AS n
    """,
)


def _quoted(column: Column) -> str:
    return '"' + column.name.replace('"', '""') + '"'


def _ask(connection: Connection, query: LiteralString) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
