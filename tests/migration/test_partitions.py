"""Predictions lie in one partition a month, made before the month comes."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from jobchurn.store.engine import engine_of
from jobchurn.store.partitions import make_partitions


@pytest.fixture
def connection(database):
    engine = engine_of(database)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def stored_at(connection, *moments):
    for moment in moments:
        connection.execute(
            sa.text(
                "INSERT INTO predictions (created_at, source, position, model_version, "
                "policy_version, contract, probability, prediction) "
                "VALUES (:moment, 'webapp', 0, 'm', 'p', 'c', 0.5, 1)"
            ),
            {"moment": moment},
        )


def partition_of_each(connection):
    """The partition of every row, in order of time."""
    rows = "SELECT tableoid::regclass::text FROM predictions ORDER BY created_at"
    return list(connection.scalars(sa.text(rows)))


def test_migration_makes_this_month_and_two_more(store, connection):
    months = connection.scalars(
        sa.text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'predictions'::regclass")
    ).one()
    assert months == 4  # three months, and what falls into none
    assert store.make_partitions() == []


def test_a_year_s_end_is_crossed(store):
    assert store.make_partitions(datetime(2031, 11, 30, 23, tzinfo=UTC)) == [
        "predictions_2031_11",
        "predictions_2031_12",
        "predictions_2032_01",
    ]


def test_months_are_those_of_utc(store):
    ahead = timezone(timedelta(hours=14))
    made = store.make_partitions(datetime(2031, 12, 1, 13, tzinfo=ahead))
    assert made[0] == "predictions_2031_11"


def test_a_row_lies_in_its_month(store, connection):
    store.make_partitions(datetime(2031, 12, 5, tzinfo=UTC))
    stored_at(
        connection,
        datetime(2031, 11, 30, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2031, 12, 1, tzinfo=UTC),
        datetime(2031, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2032, 1, 1, tzinfo=UTC),
    )
    assert partition_of_each(connection) == [
        "predictions_default",
        "predictions_2031_12",
        "predictions_2031_12",
        "predictions_2032_01",
    ]


def test_rows_that_came_before_their_partition_are_moved_into_it(connection):
    inside = datetime(2031, 12, 5, tzinfo=UTC)
    before = datetime(2031, 10, 5, tzinfo=UTC)
    stored_at(connection, before, inside)
    assert partition_of_each(connection) == ["predictions_default"] * 2
    rows = sa.text("SELECT * FROM predictions ORDER BY created_at")
    as_stored = connection.execute(rows).all()
    make_partitions(connection, inside)
    assert partition_of_each(connection) == ["predictions_default", "predictions_2031_12"]
    assert connection.execute(rows).all() == as_stored
    stored_at(connection, inside)  # numbers go on rising
    assert connection.scalar(sa.text("SELECT count(DISTINCT id) FROM predictions")) == 3
