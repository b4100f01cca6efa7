"""From whatever a database holds to the tables of this version."""

import re
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import DatabaseOutdated
from jobchurn.store import Store
from jobchurn.store.adoption import adopt
from jobchurn.store.engine import engine_of
from jobchurn.store.partitions import make_partitions
from jobchurn.store.schema import _config, head
from jobchurn.store.tables import tables_of
from toy import TOY

# What PostgreSQL itself says of every table: its columns, constraints and indexes, normalised.
CATALOGUE = """
SELECT c.relname AS table, 'column ' || a.attname AS what,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
                 pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)) AS is
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
UNION ALL
SELECT conrelid::regclass::text, 'constraint ' || conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT tablename, 'index ' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT relname, 'partitioned', pg_get_partkeydef(oid) FROM pg_class WHERE relkind = 'p'
"""


@contextmanager
def engine_on(url):
    engine = engine_of(url)
    yield engine
    engine.dispose()


# A row of every table: runs, predictions of this month and of long ago, a model, an alert.
OF_THE_FIRST_VERSION = """
INSERT INTO arrivals (run_id, name, sha256, size, inode, trigger, holder, token, attempts,
  lease_until, started_at, closed_at, outcome, routed_name)
VALUES
  ('r1', 'a.csv', repeat('a', 64), 1, 1, 'cli', 'me', 1, 1, now(), now(), now(), 'published', 'a'),
  ('r2', 'b.csv', repeat('b', 64), 1, 2, 'dag', 'me', 1, 1, now(), now(), NULL, NULL, NULL);
INSERT INTO ingestion_runs (run_id, file, sha256, trigger, contract, rows_total, rows_valid,
  rows_invalid, invalid_ratio, criticality, started_at, finished_at, good, notes)
VALUES ('r1', 'a.csv', repeat('a', 64), 'cli', 'c', 3, 2, 1, 0.33, 'medium', now(), now(), '/a',
  '[]');
INSERT INTO ingestion_issues (run_id, rule, column_name, rows) VALUES ('r1', 'x', NULL, 1);
INSERT INTO requests (key, fingerprint, created_at, n, model_version, policy_version)
VALUES ('k', 'f', now(), 1, 'lgbm-0', 'p');
INSERT INTO predictions (created_at, source, position, model_version, policy_version, contract,
  probability, prediction, training_hours)
SELECT moment, 'webapp', 0, 'lgbm-0', 'p', 'c', 0.5, 0, 36
FROM unnest(ARRAY[now(), now(), '2001-01-01']) AS moment;
INSERT INTO predicted_files VALUES (repeat('c', 64), 'r1', 'a.csv', 1.5, 2, now());
INSERT INTO models (version, sha256, card_sha256, card, created_at, champion)
VALUES ('lgbm-0', 'x', 'y', '{}', now(), true);
INSERT INTO feature_baseline VALUES ('lgbm-0', 'score', 'score', '{}');
INSERT INTO alerts (run_id, kind, severity, title, body, channel, status, attempts, created_at)
VALUES ('r1', 'ingestion', 'high', 't', '{}', 'teams', 'pending', 0, now());
"""


def contents(engine):
    """Every row of every table that the first version has: table → rows, as JSON has them."""
    tables = re.findall(r"INSERT INTO (\w+)", OF_THE_FIRST_VERSION)
    with engine.connect() as connection:
        return {
            table: list(
                connection.scalars(
                    sa.text(f"SELECT to_jsonb(t) FROM {table} AS t ORDER BY t::text")
                )
            )
            for table in tables
        }


def catalogue(url):
    """What the database holds: (table, thing) → definition; no partitions, nor Alembic's table."""
    with engine_on(url) as engine, engine.connect() as connection:
        found = {(row[0], row[1]): row[2] for row in connection.execute(sa.text(CATALOGUE))}
    return {
        (table, thing): what
        for (table, thing), what in found.items()
        if not table.startswith("predictions_") and table != "alembic_version"
    }


def migrated(url, *contracts):
    for contract in contracts:
        store = Store.connect(url, contract)
        store.migrate()
        assert store.missing() == []
        store.close()


@pytest.fixture
def from_metadata(empty_database):
    """What a database holds whose tables were made from the metadata."""
    with engine_on(empty_database) as engine:
        tables_of(JOB_CHANGE).metadata.create_all(engine)
    return catalogue(empty_database)


def test_migrations_and_adoption_make_what_the_metadata_says(database, from_metadata):
    assert catalogue(database) == from_metadata
    assert ("predictions", "partitioned") in from_metadata


def test_alembic_finds_no_difference_between_database_and_metadata(database):
    def is_ours(name, kind, _parents):
        return kind != "table" or not name.startswith("predictions_")

    options = {
        "compare_server_default": True,
        "include_name": is_ours,
        "autogenerate_plugins": ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
    }
    with engine_on(database) as engine, engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, tables_of(JOB_CHANGE).metadata) == []


def test_an_empty_database_is_migrated_from_nothing(empty_database):
    store = Store.connect(empty_database, JOB_CHANGE)
    assert store.missing() == [f"the tables are at step none, not {head()}: migrate"]
    with pytest.raises(DatabaseOutdated, match="lacks a table"):
        store.models.list()
    store.migrate()
    assert store.missing() == []
    assert store.models.list() == []
    store.close()


def test_a_database_of_the_first_version_is_brought_up_with_all_that_it_holds(
    empty_database, database
):
    with engine_on(empty_database) as engine:
        with engine.begin() as connection:
            command.upgrade(_config(connection), "0001")
            adopt(connection, JOB_CHANGE)
            make_partitions(connection, datetime.now(UTC))
        with engine.begin() as connection:
            connection.exec_driver_sql(OF_THE_FIRST_VERSION)
        before = contents(engine)
        store = Store.connect(empty_database, JOB_CHANGE)
        assert store.missing() == [f"the tables are at step 0001, not {head()}: migrate"]
        store.migrate()
        assert store.missing() == []
        after = contents(engine)
    for table, rows in before.items():
        assert rows
        # A column that has come since is not known of what was there.
        new = {name for row in after[table] for name in row} - set(rows[0])
        assert after[table] == [row | dict.fromkeys(new) for row in rows]
    assert catalogue(empty_database) == catalogue(database)
    assert [row.version for row in store.models.list()] == ["lgbm-0"]
    assert store.drift.sources() == [("webapp", "lgbm-0")]
    assert store.panels.read("SELECT count(*) FROM predictions").rows == [(3,)]
    store.close()


def test_a_second_migration_changes_nothing(database):
    before = catalogue(database)
    migrated(database, JOB_CHANGE)
    assert catalogue(database) == before


def test_two_that_migrate_at_once_both_succeed(empty_database):
    failures = []

    def migrate():
        try:
            migrated(empty_database, JOB_CHANGE)
        except Exception as error:  # noqa: BLE001 (whatever it is, the test shows it)
            failures.append(error)

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_second_contract_is_adopted_beside_the_first(database):
    before = catalogue(database)
    migrated(database, TOY)
    after = catalogue(database)
    assert {key: after[key] for key in before} == before
    added = {thing.removeprefix("column ") for _, thing in after.keys() - before.keys()}
    assert {column.name for column in TOY.columns} <= added
    migrated(database, JOB_CHANGE)
    assert catalogue(database) == after


def test_the_tables_of_a_newer_version_are_left_alone(database):
    with engine_on(database) as engine, engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    before = catalogue(database)
    store = Store.connect(database, JOB_CHANGE)
    assert "9999" in store.missing()[0]
    with pytest.raises(DatabaseOutdated, match="9999"):
        store.migrate()
    store.close()
    assert catalogue(database) == before


def test_the_migrations_know_nothing_of_the_domain(empty_database):
    migrated(empty_database, TOY)
    columns = {thing for table, thing in catalogue(empty_database) if table == "predictions"}
    assert not {f"column {column.name}" for column in JOB_CHANGE.columns} & columns
