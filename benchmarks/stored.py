"""Databases that hold as many predictions as are wanted, made within the server."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from jobchurn.contract import JOB_CHANGE, Contract, Value
from jobchurn.store import Store
from jobchurn.synth import generate

SAMPLE = 20_000
MODEL = "lgbm-0123456789ab"

Connection = psycopg.Connection[tuple[Any, ...]]


def database_of(server: str, rows: int, days: int) -> str:
    """The URL of a database with predictions of the built-in data set; made where it is not there.

    Every day has as many, evenly spread; the last one is yesterday when the database is made. A
    fifth of them was asked for by hand. Each is of another person.

    Args:
        server: the URL of a database on the same server, in the name of an administrator.
        rows: how many predictions; a few fewer, so that each day has as many.
        days: over how many days.
    """
    name = f"predictions_{rows}"
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        known = "SELECT true FROM pg_database WHERE datname = %s"
        if connection.execute(known, [name]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with psycopg.connect(url, autocommit=True) as connection:
        if not ask(connection, "SELECT to_regclass('benchmark_filled') IS NOT NULL"):
            _fill(connection, url, rows, days)
    return url


def ask(connection: Connection, question: str) -> Any:
    """The first cell of an answer."""
    found = connection.execute(question.encode()).fetchone()
    return found[0] if found else None


def _fill(connection: Connection, url: str, rows: int, days: int) -> None:
    begun = time.perf_counter()
    store = Store.connect(url, JOB_CHANGE, seconds=0)
    store.migrate()
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for month in range(0, days + 31, 28):
        store.partitions.make(end - timedelta(days=min(month, days)))
    store.close()
    connection.execute("SET synchronous_commit = off")
    connection.execute("SET maintenance_work_mem = '512MB'")
    contract = JOB_CHANGE
    texts = generate(SAMPLE, seed=1)
    _sample(connection, contract, {n: [contract[n].read(t) for t in c] for n, c in texts.items()})
    indexes = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'predictions' "
        "AND indexname <> 'predictions_pkey'"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    for day in range(days):
        _say(f"{rows:,} rows: day {day + 1} of {days}, {time.perf_counter() - begun:.0f} s")
        _predictions(connection, contract, end - timedelta(days=days - day), day, rows // days)
    for _, definition in indexes:
        connection.execute(definition.replace(" ON ONLY ", " ON ").encode())
    _say("what the server does by itself within minutes")
    connection.execute("VACUUM (ANALYZE, FREEZE)")
    connection.execute("CREATE TABLE benchmark_filled ()")
    _say(f"filled in {time.perf_counter() - begun:.0f} s\n")


def _sample(
    connection: Connection, contract: Contract, columns: Mapping[str, Sequence[Value]]
) -> None:
    """Rows to draw from."""
    names = [column.name for column in contract.columns]
    listed = sql.SQL(", ").join(map(sql.Identifier, names))
    connection.execute(
        sql.SQL(
            "CREATE UNLOGGED TABLE sample AS SELECT 0 AS place, {} FROM predictions LIMIT 0"
        ).format(listed)
    )
    into = sql.SQL("COPY sample (place, {}) FROM STDIN").format(listed)
    with connection.cursor() as cursor, cursor.copy(into) as copy:
        for place in range(SAMPLE):
            values = [columns[name][place] if name in columns else None for name in names]
            copy.write_row([place, *values])
    connection.execute("ALTER TABLE sample ADD PRIMARY KEY (place)")
    connection.execute("ANALYZE sample")


def _predictions(
    connection: Connection, contract: Contract, start: datetime, day: int, count: int
) -> None:
    """One day's: a fifth by hand, the rest by schedule; each person once, as is the rule."""
    own = None if contract.id is None else contract.id.name
    names = [column.name for column in contract.columns if column.name != own]
    listed = sql.SQL(", ").join(map(sql.Identifier, names))
    person = sql.SQL("") if own is None else sql.SQL(", {}").format(sql.Identifier(own))
    number = sql.SQL("") if own is None else sql.SQL(", {} + n").format(1 + day * count)
    connection.execute(
        sql.SQL(
            """
            INSERT INTO predictions (created_at, source, run_id, position, model_version,
              policy_version, contract, probability, prediction, {names}{person})
            SELECT {start} + n * interval '1 day' / {count},
              CASE WHEN n % 5 = 0 THEN 'webapp' ELSE 'scheduled' END,
              '20261124T073000-3f9a2c', 0, {model}, 'miss-cost-2', '0123456789abcdef',
              p, (p >= 0.33)::int, {names}{number}
            FROM generate_series(0, {count} - 1) AS n
            JOIN sample ON place = (n * 7919::bigint + {day}) % {sample}
            CROSS JOIN LATERAL (SELECT abs(sin(n + {day}::float8)) AS p) AS scores
            ORDER BY n
            """
        ).format(
            names=listed,
            person=person,
            number=number,
            start=sql.Literal(start),
            count=sql.Literal(count),
            model=sql.Literal(MODEL),
            day=sql.Literal(day),
            sample=sql.Literal(SAMPLE),
        )
    )


def _say(text: str) -> None:
    sys.stderr.write(f"\r\033[K{text}")
