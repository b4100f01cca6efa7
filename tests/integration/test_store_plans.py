"""The named queries find what they want by an index, however much there is."""

from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from jobchurn.contract import JOB_CHANGE
from jobchurn.store import Store
from jobchurn.store.engine import engine_of
from jobchurn.store.predictions import cursor_of
from store_work import batch_of, record_of

NOW = datetime.now(UTC)
TODAY = date(NOW.year, NOW.month, NOW.day)
CURSOR = cursor_of(NOW, 1_000)

QUERIES = {
    "a page": lambda store: store.predictions.page(),
    "a page of a source": lambda store: store.predictions.page(source="webapp"),
    "a page of days": lambda store: store.predictions.page(start=TODAY, end=TODAY),
    "a page of days and a source": lambda store: store.predictions.page(
        end=TODAY, source="scheduled"
    ),
    "a later page": lambda store: store.predictions.page(cursor=CURSOR),
    "a later page of a source": lambda store: store.predictions.page(
        source="webapp", cursor=CURSOR
    ),
    "a request's first answer": lambda store: store.predictions.write(
        batch_of([record_of()], key="known")
    ),
    "which windows there are": lambda store: store.drift.sources(),
    "the next window": lambda store: store.drift.next_window(
        "webapp", "m1", rows=100, wait=timedelta(0)
    ),
    "what is past": lambda store: store.retention.forget_predictions(NOW - timedelta(days=300)),
}


@pytest.fixture
def watched(database):
    """A store over some thousand predictions, and the statements that it sends."""
    engine = engine_of(database)
    statements = []
    sa.event.listen(
        engine,
        "before_cursor_execute",
        lambda _c, _u, statement, parameters, _x, _m: statements.append((statement, parameters)),
    )
    store = Store(engine, JOB_CHANGE)
    store.predictions.write(batch_of([record_of()], key="known"))
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO predictions (created_at, source, position, model_version, policy_version, "
            "contract, probability, prediction) SELECT now() - n * interval '1 second', "
            "CASE WHEN mod(n, 50) = 0 THEN 'webapp' ELSE 'scheduled' END, 0, 'm' || mod(n, 2), "
            "'p', 'c', 0.5, 1 FROM generate_series(1, 20000) AS n"
        )
        connection.exec_driver_sql("ANALYZE predictions")
    statements.clear()
    yield store, statements
    engine.dispose()


@contextmanager
def plans(store):
    """How the server would run a statement, where it reads no table from end to end unasked."""
    with store._engine.connect() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")

        def plan(statement, parameters):
            found = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            return "\n".join(found.scalars())

        yield plan


@pytest.mark.parametrize("ask", QUERIES.values(), ids=QUERIES)
def test_no_named_query_reads_all_predictions(watched, ask):
    store, statements = watched
    ask(store)
    asked = [
        (statement, parameters)
        for statement, parameters in statements
        if "predictions" in statement and statement.split()[0] in {"SELECT", "DELETE", "WITH"}
    ]
    assert asked
    with plans(store) as plan:
        for statement, parameters in asked:
            assert "Seq Scan on predictions" not in plan(statement, parameters), statement


def test_every_index_on_predictions_is_of_use_to_a_named_query(watched):
    store, statements = watched
    for ask in QUERIES.values():
        ask(store)
    with plans(store) as plan:
        said = "\n".join(
            plan(statement, parameters)
            for statement, parameters in list(statements)
            if "predictions" in statement and statement.split()[0] in {"SELECT", "DELETE", "WITH"}
        )
    for index in ("_pkey", "_source_created_at_id_idx", "_source_model_version_created_at_id_idx"):
        assert f"predictions_{NOW:%Y_%m}{index}" in said
