"""Predictions: read back as they were stored, in pages that neither repeat nor skip."""

import os
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import InvalidRequest
from jobchurn.store import Store
from jobchurn.store.engine import engine_of
from jobchurn.store.predictions import cursor_of
from jobchurn.verdict import Verdict
from store_work import batch_of, claimed, record_of
from toy import TOY


@pytest.fixture
def connection(database):
    engine = engine_of(database)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def moved(connection, ids, moment):
    """Let stored predictions have been stored at another time."""
    connection.execute(
        sa.text("UPDATE predictions SET created_at = :moment WHERE id = ANY(:ids)"),
        {"moment": moment, "ids": ids},
    )
    connection.commit()


def all_pages(store, **wanted):
    rows, following = store.predictions.page(**wanted)
    found = list(rows)
    while following is not None:
        rows, following = store.predictions.page(**wanted, cursor=following)
        assert rows
        found += rows
    return found


def test_a_prediction_comes_back_as_it_was_stored(store, contract):
    claim = claimed(store)
    name = os.fsdecode(b"caf\xe9.csv")
    record = record_of(city="città 😀", gender=None, company_size="10-49", target=1)
    stored = store.predictions.write(
        batch_of([record], run_id=claim.run_id, file_name=name, row_numbers=[7], source="scheduled")
    )
    [row], following = store.predictions.page()
    assert following is None
    assert [row.id] == stored.ids
    assert row.created_at == stored.created_at
    assert row.created_at.tzinfo is not None
    assert (row.source, row.model_version) == ("scheduled", "lgbm-0123456789ab")
    assert (row.policy_version, row.probability, row.prediction) == ("miss-cost-2", 0.0, 0)
    assert (row.run_id, row.file_name, row.row_number) == (claim.run_id, name, 7)
    assert row.record == {column.name: None for column in contract.columns} | record


def test_probabilities_come_back_bit_for_bit(store):
    exact = [0.1 + 0.2, 5e-324, 1.0, 0.0, 1 - 2**-53]
    store.predictions.write(
        batch_of([record_of()] * 5, probabilities=exact, decisions=[0, 0, 1, 0, 1])
    )
    assert [row.probability for row in reversed(store.predictions.page()[0])] == exact


def test_all_rows_of_a_request_bear_one_time_and_rising_numbers(store):
    stored = store.predictions.write(batch_of([record_of()] * 50))
    rows, _ = store.predictions.page()
    assert {row.created_at for row in rows} == {stored.created_at}
    assert [row.id for row in rows] == sorted(stored.ids, reverse=True)


def test_the_time_is_the_database_s(store, connection):
    before = connection.scalar(sa.text("SELECT clock_timestamp()"))
    stored = store.predictions.write(batch_of())
    assert before < stored.created_at < connection.scalar(sa.text("SELECT clock_timestamp()"))


@pytest.mark.parametrize("limit", [1, 3, 7, 10, 11])
def test_pages_hold_every_row_once_the_newest_first(store, limit):
    ids = []
    for count in (1, 4, 2, 3):
        ids += store.predictions.write(batch_of([record_of()] * count)).ids
    assert [row.id for row in all_pages(store, limit=limit)] == ids[::-1]


def test_rows_that_arrive_between_pages_disturb_nothing(store):
    ids = []
    for _ in range(6):
        ids += store.predictions.write(batch_of([record_of()] * 3)).ids
    found, following = store.predictions.page(limit=2)
    while following is not None:
        store.predictions.write(batch_of([record_of()] * 2))
        rows, following = store.predictions.page(limit=2, cursor=following)
        found += rows
    assert [row.id for row in found] == ids[::-1]


def test_a_page_of_all_that_is_left_has_no_next(store):
    store.predictions.write(batch_of([record_of()] * 4))
    _, following = store.predictions.page(limit=2)
    assert store.predictions.page(limit=2, cursor=following)[1] is None
    assert store.predictions.page(limit=4)[1] is None


def test_a_cursor_that_is_none_of_ours_is_refused(store):
    with pytest.raises(InvalidRequest, match="cursor"):
        store.predictions.page(cursor="yesterday")


def test_both_days_are_inclusive_and_utc(store, connection):
    first, second, third = (store.predictions.write(batch_of()).ids for _ in range(3))
    midnight = datetime(2026, 3, 29, tzinfo=UTC)
    moved(connection, first, midnight - timedelta(microseconds=1))
    moved(connection, second, midnight)
    moved(connection, third, midnight + timedelta(days=1))

    def on(start, end):
        return [row.id for row in store.predictions.page(start=start, end=end)[0]]

    day = date(2026, 3, 29)
    assert on(day, day) == second
    assert on(day - timedelta(days=1), day) == second + first
    assert on(day, None) == third + second
    assert on(None, day) == second + first
    assert on(day, day - timedelta(days=1)) == []
    assert on(date.min, date.max) == third + second + first
    assert store.predictions.count(start=day, end=day) == 1


def test_a_page_of_one_source_holds_that_source_alone(store):
    web = store.predictions.write(batch_of([record_of()] * 3)).ids
    scheduled = store.predictions.write(batch_of([record_of()] * 2, source="scheduled")).ids
    assert [row.id for row in all_pages(store, source="webapp", limit=2)] == web[::-1]
    assert [row.id for row in all_pages(store, source="scheduled", limit=2)] == scheduled[::-1]
    assert store.predictions.count() == 5
    assert store.predictions.count(source="webapp") == 3


def test_a_page_spares_the_partitions_that_it_need_not_read(store, connection, database):
    store.partitions.make(datetime(2031, 1, 1, tzinfo=UTC))
    asked = []

    def remember(_connection, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters))

    watched = engine_of(database)
    sa.event.listen(watched, "before_cursor_execute", remember)
    then = cursor_of(datetime(2031, 1, 5, tzinfo=UTC), 1)
    Store(watched, JOB_CHANGE).predictions.page(start=date(2031, 1, 1), cursor=then)
    watched.dispose()
    statement, parameters = asked[-1]
    plan = str(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).all())
    assert "predictions_2031_01" in plan
    assert "predictions_2031_02" not in plan
    assert "predictions_2026" not in plan


def test_a_second_contract_s_predictions_are_stored_beside_the_first(store, database):
    store.predictions.write(batch_of())
    other = Store.connect(database, TOY)
    other.migrate()
    machine = {"temperature": -0.0, "maker": "O'Neill & Söhne", "site": None, "failed": None}
    other.predictions.write(batch_of([machine]))
    assert other.predictions.page(limit=1)[0][0].record == machine
    assert store.predictions.count() == 2
    other.close()


def published(store, name, content, good):
    claim = claimed(store, name, content)
    store.runs.save_statistics(claim, Verdict(rows_total=2), "none")
    return store.runs.finish(claim, good=good, bad=None, reasons=None, report=None)


def test_published_good_files_wait_for_prediction_the_oldest_first(store):
    unfinished = claimed(store, "0.csv", b"0")
    store.runs.save_statistics(unfinished, Verdict(rows_total=2), "none")
    published(store, "1.csv", b"1", None)
    second = published(store, "2.csv", b"2", "/good/2.csv")
    third = published(store, os.fsdecode(b"\xff.csv"), b"3", os.fsdecode(b"/good/\xff.csv"))
    waiting = store.predictions.unpredicted()
    assert [file.run_id for file in waiting] == [second.run_id, third.run_id]
    assert os.fsencode(waiting[1].path) == b"/good/\xff.csv"
    assert (waiting[0].name, waiting[0].rows) == ("2.csv", 2)


def test_a_file_that_was_predicted_waits_no_more(store):
    run = published(store, "1.csv", b"1", "/good/1.csv")
    assert store.predictions.last_predicted() is None
    marked = store.predictions.mark_predicted("f" * 64, "1.csv", 1e9, 2, run.run_id)
    assert store.predictions.unpredicted() == []
    assert (marked.name, marked.mtime, marked.rows) == ("1.csv", 1e9, 2)
    assert store.predictions.last_predicted() == marked
    assert store.predictions.is_predicted("f" * 64)
    assert not store.predictions.is_predicted("0" * 64)


def test_marking_a_file_again_changes_nothing(store):
    run = published(store, "1.csv", b"1", "/good/1.csv")
    marked = store.predictions.mark_predicted("f" * 64, "1.csv", 1e9, 2, run.run_id)
    assert store.predictions.mark_predicted("f" * 64, "x.csv", 2e9, 3, run.run_id) == marked


def test_of_two_files_with_the_same_good_rows_each_is_marked(store):
    for name in ("1.csv", "2.csv"):
        run = published(store, name, name.encode(), f"/good/{name}")
        store.predictions.mark_predicted("f" * 64, name, 1e9, 2, run.run_id)
    assert store.predictions.unpredicted() == []
