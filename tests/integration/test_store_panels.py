"""Panels are read in the name of a role that can only read, one query at a time."""

import contextlib
import time
from datetime import UTC, datetime

import psycopg
import pytest

from conftest import cloned
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import DatabaseOutdated, DatabaseUnreachable, QueryRefused, ReaderMissing
from jobchurn.store import Store
from store_work import batch_of, record_of


def stored(store, count):
    store.predictions.write(batch_of([record_of() for _ in range(count)]))


@pytest.fixture(scope="module")
def kept(postgres_server, template_database):
    """A store with two predictions, for tests that change nothing."""
    for url in cloned(postgres_server, template_database):
        opened = Store.connect(url, JOB_CHANGE)
        stored(opened, 2)
        yield opened
        opened.close()


def test_a_query_is_answered_with_columns_and_rows(store):
    stored(store, 3)
    frame = store.panels.read("SELECT source, count(*) AS value FROM predictions GROUP BY source")
    assert frame.columns == ("source", "value")
    assert frame.rows == [("webapp", 3)]
    assert not frame.more


def test_it_is_asked_in_the_readers_name(kept):
    frame = kept.panels.read(
        "SELECT current_user, current_setting('transaction_read_only'), "
        "current_setting('statement_timeout')",
        seconds=2.5,
    )
    assert frame.rows == [("jobchurn_reader", "on", "2500ms")]


def test_afterwards_the_store_writes_as_before(store):
    for _ in range(20):  # whichever connection is given next
        store.panels.read("SELECT 1")
        stored(store, 1)
    assert store.predictions.count() == 20


def test_an_empty_answer_has_its_columns(kept):
    frame = kept.panels.read("SELECT id, title FROM alerts")
    assert (frame.columns, frame.rows, frame.more) == (("id", "title"), [], False)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT '100%' AS x WHERE 'a' LIKE '%' AND 7 % 4 = 3 AND '%s %(x)s' <> ''",
        "SELECT ':colon' AS x, '100%'::text AS y",
        "SELECT 1 AS x;",
        "  SELECT 1 AS x ; \n",
        "WITH a AS (SELECT 1 AS x) SELECT x FROM a",
        "SELECT 1 AS x, 2 AS x",
        "VALUES (1)",
    ],
)
def test_a_query_runs_as_it_stands(kept, query):
    assert len(kept.panels.read(query).rows) == 1


def test_rows_come_in_the_order_that_the_query_asks_for(kept):
    frame = kept.panels.read("SELECT n FROM generate_series(1, 5) AS n ORDER BY n % 3, n DESC")
    assert [n for (n,) in frame.rows] == [3, 4, 1, 5, 2]


@pytest.mark.parametrize(("there", "more"), [(9, False), (10, False), (11, True)])
def test_it_says_whether_there_is_more(kept, there, more):
    frame = kept.panels.read(f"SELECT generate_series(1, {there}) AS n", rows=10)
    assert frame.rows == [(n,) for n in range(1, min(there, 10) + 1)]
    assert frame.more == more


def test_numbers_of_any_precision_come_as_floats_and_times_in_utc(kept):
    [row] = kept.panels.read("SELECT 1.5::numeric, 2::int, timestamptz '2026-01-01 02:00+02'").rows
    assert row == (1.5, 2, datetime(2026, 1, 1, tzinfo=UTC))
    assert [type(value) for value in row[:2]] == [float, int]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO alert_states (rule, state) VALUES ('x', 'ok')",
        "DELETE FROM predictions",
        "TRUNCATE predictions",
        "WITH gone AS (DELETE FROM predictions RETURNING 1) SELECT * FROM gone",
        "SELECT * FROM predictions FOR UPDATE",
        "SELECT nextval('alerts_id_seq')",
        "SELECT setval('alerts_id_seq', 7)",
        "SELECT * INTO copied FROM predictions",
        "SELECT pg_read_file('/etc/hostname')",
        "COPY predictions TO STDOUT",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SET ROLE NONE",
        "RESET ROLE",
        "COMMIT",
        "DO $$ BEGIN DELETE FROM predictions; END $$",
        "SELECT 1; DELETE FROM predictions",
        "SELECT 1) AS asked; DELETE FROM predictions; SELECT * FROM (SELECT 1",
        "SELECT 1) AS asked; COMMIT; DELETE FROM predictions --",
        "",
        "SELEKT 1",
        "SELECT 1 / 0",
        "SELECT 'x'::int",
    ],
)
def test_what_is_no_query_or_changes_anything_is_refused(kept, statement):
    with pytest.raises(QueryRefused) as caught:
        kept.panels.read(statement)
    assert caught.value.cure
    assert kept.predictions.count() == 2


def test_a_large_object_is_not_left_behind(kept):
    with contextlib.suppress(QueryRefused):  # from PostgreSQL 16 on
        kept.panels.read("SELECT lo_create(0)")
    assert kept.panels.read("SELECT count(*) FROM pg_largeobject_metadata").rows == [(0,)]


def test_a_refusal_says_why_in_the_server_s_words(kept):
    with pytest.raises(QueryRefused, match="division by zero"):
        kept.panels.read("SELECT 1 / 0")


def test_a_query_that_takes_too_long_is_ended(kept):
    began = time.monotonic()
    with pytest.raises(DatabaseUnreachable, match="in time"):
        kept.panels.read("SELECT pg_sleep(30)", seconds=0.05)
    assert time.monotonic() - began < 20
    assert kept.panels.read("SELECT 1").rows == [(1,)]


def test_a_table_that_is_not_there_is_the_matter_of_the_migration(kept):
    with pytest.raises(DatabaseOutdated, match="not_there"):
        kept.panels.read("SELECT * FROM not_there")


def test_a_right_that_is_missing_is_cured_by_migrating(store, database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("REVOKE SELECT ON alerts FROM jobchurn_reader")
    with pytest.raises(ReaderMissing, match="permission denied for table alerts") as caught:
        store.panels.read("SELECT * FROM alerts")
    assert caught.value.cure == "Run jobchurn db migrate."
    store.migrate()
    assert store.panels.read("SELECT * FROM alerts").rows == []
