"""Runs of jobs: one entry for each, however often it is told."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from jobchurn.store.engine import engine_of
from store_work import at_once

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def connection(database):
    engine = engine_of(database)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def saved(store, run="1", outcome="success", job="ingestion", finished_at=NOON):
    store.job_runs.save(
        job,
        run,
        outcome,
        due_at=finished_at - timedelta(minutes=2),
        started_at=finished_at - timedelta(minutes=1),
        finished_at=finished_at,
    )


def kept(connection):
    wanted = "SELECT job, run, outcome, finished_at - due_at FROM job_runs ORDER BY job, run"
    return connection.execute(sa.text(wanted)).all()


def test_a_run_is_kept_as_it_was_told(store, connection):
    saved(store, run="scheduled__\udce9", outcome="quiet")
    assert kept(connection) == [("ingestion", r"scheduled__\xe9", "quiet", timedelta(minutes=2))]


def test_a_run_that_is_told_again_is_replaced(store, connection):
    saved(store, outcome="failed")
    saved(store, outcome="success")
    saved(store, job="prediction", outcome="failed")
    assert [row[:3] for row in kept(connection)] == [
        ("ingestion", "1", "success"),
        ("prediction", "1", "failed"),
    ]


def test_a_run_that_many_tell_at_once_is_one(store, connection):
    assert at_once(8, lambda _: saved(store)) == [None] * 8
    assert len(kept(connection)) == 1


def test_an_outcome_of_another_name_is_refused(store, connection):
    with pytest.raises(sa.exc.IntegrityError, match="job_runs_outcome"):
        saved(store, outcome="skipped")


def test_what_ended_earlier_is_forgotten(store, connection):
    for n in range(5):
        saved(store, run=str(n), finished_at=NOON - timedelta(days=n))
    assert store.job_runs.forget(NOON - timedelta(days=2)) == 2
    assert [row[1] for row in kept(connection)] == ["0", "1", "2"]
