"""Predictions lie in one partition a month, made before the month comes."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from jobchurn.errors import DatabaseLocked
from jobchurn.store import partitions
from jobchurn.store.engine import engine_of
from jobchurn.store.partitions import make_partitions
from store_work import at_once


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
    assert store.partitions.make() == []


def test_a_year_s_end_is_crossed(store):
    assert store.partitions.make(datetime(2031, 11, 30, 23, tzinfo=UTC)) == [
        "predictions_2031_11",
        "predictions_2031_12",
        "predictions_2032_01",
    ]


def test_months_are_those_of_utc(store):
    ahead = timezone(timedelta(hours=14))
    made = store.partitions.make(datetime(2031, 12, 1, 13, tzinfo=ahead))
    assert made[0] == "predictions_2031_11"


def test_a_row_lies_in_its_month(store, connection):
    store.partitions.make(datetime(2031, 12, 5, tzinfo=UTC))
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


def names_of(connection):
    return [one.name for one in partitions.partitions_of(connection)]


def test_months_that_lack_are_named_and_no_others(store, connection):
    assert store.partitions.absent() == []
    then = datetime(2031, 12, 5, tzinfo=UTC)
    assert store.partitions.absent(then) == ["predictions_2031_12", "predictions_2032_01"]
    store.partitions.make(then - timedelta(days=31))
    assert store.partitions.absent(then) == []


def test_months_that_are_wholly_past_go_with_their_rows(store, connection):
    store.partitions.make(datetime(2031, 1, 5, tzinfo=UTC))
    stored_at(connection, *(datetime(2031, month, 9, tzinfo=UTC) for month in (1, 1, 2, 3)))
    connection.commit()
    before = names_of(connection)
    connection.commit()
    assert store.partitions.drop(datetime(2031, 3, 1, tzinfo=UTC)) == 3
    assert set(before) - set(names_of(connection)) >= {"predictions_2031_01", "predictions_2031_02"}
    assert partition_of_each(connection) == ["predictions_2031_03"]
    connection.commit()
    assert store.partitions.drop(datetime(2031, 3, 31, tzinfo=UTC)) == 0


def test_of_several_who_tidy_up_at_once_each_month_is_removed_by_one(store, connection):
    hours = [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(0, 8000, 40)]
    for month in (1, 4, 7, 10):
        make_partitions(connection, datetime(2020, month, 5, tzinfo=UTC))
    stored_at(connection, *hours)
    connection.commit()
    gone = at_once(4, lambda _: store.partitions.drop(datetime(2026, 1, 1, tzinfo=UTC)))
    assert sum(gone) == len(hours)
    assert not any("2020" in name for name in names_of(connection))


def test_whoever_reads_is_waited_for_and_nothing_is_dropped_from_under_them(
    store, connection, monkeypatch
):
    store.partitions.make(datetime(2031, 1, 5, tzinfo=UTC))
    stored_at(connection, datetime(2031, 1, 9, tzinfo=UTC))
    connection.commit()
    connection.scalar(sa.text("SELECT count(*) FROM predictions"))  # and reads on
    monkeypatch.setattr(partitions, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(partitions, "_TRIES", 2)
    monkeypatch.setattr(partitions, "MOMENT_SECONDS", 0.05)
    with pytest.raises(DatabaseLocked):
        store.partitions.drop(datetime(2031, 2, 1, tzinfo=UTC))
    with pytest.raises(DatabaseLocked):
        store.partitions.make(datetime(2033, 1, 5, tzinfo=UTC))
    assert partition_of_each(connection) == ["predictions_2031_01"]
    connection.commit()
    assert store.partitions.drop(datetime(2031, 2, 1, tzinfo=UTC)) == 1


def test_a_lock_is_asked_for_again_once_others_have_passed(store, connection, monkeypatch):
    store.partitions.make(datetime(2031, 1, 5, tzinfo=UTC))
    connection.scalar(sa.text("SELECT count(*) FROM predictions"))
    monkeypatch.setattr(partitions, "MOMENT_SECONDS", 0.05)
    monkeypatch.setattr(partitions.time, "sleep", lambda _: connection.commit())
    assert store.partitions.drop(datetime(2031, 2, 1, tzinfo=UTC)) == 0
    assert "predictions_2031_01" not in names_of(connection)
