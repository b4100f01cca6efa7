"""From whatever a database holds to the tables of this version."""

import threading
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import DatabaseOutdated
from jobchurn.store import Store
from jobchurn.store.engine import engine_of
from jobchurn.store.schema import head
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
