"""The request log: written in bulk, forgotten in time."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from jobchurn.store import LogEntry
from jobchurn.store.engine import engine_of
from store_work import at_once

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def connection(database):
    engine = engine_of(database)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def entry(**values):
    defaults = {
        "at": NOON,
        "route": "/predict",
        "method": "POST",
        "status": 200,
        "seconds": 0.012,
        "records": 3,
        "waiting": 2,
        "weight": 1.0,
    }
    return LogEntry(**defaults | values)


def kept(connection):
    return connection.execute(sa.text("SELECT * FROM request_log ORDER BY id")).mappings().all()


def test_entries_are_kept_as_they_were_given(store, connection):
    entries = [
        entry(),
        entry(route="/\udce9\x00%s", method="G\x00T", status=599, weight=7.5),
        entry(at=NOON.astimezone(), records=2**40),
    ]
    store.request_log.write(entries)
    first, odd, third = kept(connection)
    assert {name: first[name] for name in LogEntry.__slots__} == {
        name: getattr(entries[0], name) for name in LogEntry.__slots__
    }
    assert (odd["route"], odd["method"]) == (r"/\xe9\x00%s", r"G\x00T")
    assert (odd["status"], odd["weight"]) == (599, 7.5)
    assert (third["at"], third["records"]) == (NOON, 2**40)


def test_no_entries_are_no_matter(store, connection):
    store.request_log.write([])
    assert kept(connection) == []


def test_all_are_written_or_none(store, connection):
    with pytest.raises(psycopg.errors.NotNullViolation):
        store.request_log.write([entry(), entry(records=None)])
    assert kept(connection) == []


def test_nobody_waits_for_the_log_s_way_to_the_disk(store):
    said = []
    event.listen(store._engine, "before_cursor_execute", lambda *what: said.append(what[2]))
    store.request_log.write([entry()])
    assert said == ["SET LOCAL synchronous_commit = off"]


def test_many_write_at_once(store, connection):
    at_once(8, lambda n: store.request_log.write([entry(status=200 + n)] * 50))
    assert len(kept(connection)) == 400


def test_what_is_older_is_forgotten(store, connection):
    store.request_log.write([entry(at=NOON - timedelta(seconds=n)) for n in range(5)])
    assert store.request_log.forget(NOON - timedelta(seconds=2)) == 2
    assert len(kept(connection)) == 3
    assert store.request_log.forget(NOON - timedelta(seconds=2)) == 0


def test_much_that_is_older_is_forgotten_piece_by_piece(store, connection, monkeypatch):
    monkeypatch.setattr("jobchurn.store.request_log._PIECE", 2)
    store.request_log.write([entry(at=NOON - timedelta(seconds=n)) for n in range(8)])
    assert store.request_log.forget(NOON - timedelta(seconds=2)) == 5
    assert [row["at"] for row in kept(connection)] == [
        NOON - timedelta(seconds=n) for n in range(3)
    ]
