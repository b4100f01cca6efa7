"""One worker at a time works on an arrival, and nobody's lost work does harm."""

import hashlib
import os
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from jobchurn.errors import LeaseLost, NotFound
from jobchurn.store.engine import LOCK_SECONDS, engine_of
from jobchurn.verdict import Verdict
from store_work import at_once, claimed


def alive(_holder):
    return False


def dead(_holder):
    return True


def finished(store, claim):
    store.runs.save_statistics(claim, Verdict(rows_total=0), "none")
    return store.runs.finish(claim, good=None, bad=None, reasons=None, report=None)


def test_a_claim_says_what_was_claimed(store):
    claim = claimed(store, "Größe.csv", b"content", trigger="dag")
    assert (claim.name, claim.size, claim.trigger) == ("Größe.csv", 7, "dag")
    assert (claim.token, claim.attempts, claim.duplicate_of) == (1, 1, None)
    assert claim.run_id.startswith(f"{claim.started_at:%Y%m%dT%H%M%S}-")


def test_when_a_file_came_is_kept_beside_its_run(store):
    came = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    claim = claimed(store, arrived_at=came)
    finished(store, claim)
    store.predictions.mark_predicted("f" * 64, "a.csv", 1.5, 2, claim.run_id)
    other = claimed(store, "b.csv", b"b")
    arrivals = store.panels.read("SELECT run_id, arrived_at FROM arrivals ORDER BY run_id").rows
    assert sorted(arrivals) == sorted([(claim.run_id, came), (other.run_id, None)])
    joined = "SELECT a.arrived_at FROM predicted_files AS p JOIN arrivals AS a USING (run_id)"
    assert store.panels.read(joined).rows == [(came,)]


@pytest.mark.parametrize("name", [b"caf\xe9.csv", b"\xff\xfe", b"new\nline.csv", b"a\\x41.csv"])
def test_a_name_of_any_bytes_is_kept(store, name):
    claim = claimed(store, os.fsdecode(name))
    assert os.fsencode(claim.name) == name
    assert os.fsencode(store.arrivals.take_up("other", 60, dead).name) == name


def test_content_in_progress_is_claimed_by_nobody_else(store):
    assert claimed(store, "a.csv", b"same") is not None
    assert claimed(store, "b.csv", b"same") is None
    assert claimed(store, "a.csv", b"same") is None
    assert claimed(store, "a.csv", b"other") is not None


def test_of_many_that_claim_one_content_at_once_one_gets_it(store):
    for round_number in range(5):
        content = str(round_number).encode()
        results = at_once(8, lambda n, content=content: claimed(store, f"{n}.csv", content))
        assert sum(result is not None for result in results) == 1


def test_known_content_is_a_duplicate_of_the_run_that_had_it_first(store):
    first = claimed(store, "a.csv", b"same")
    finished(store, first)
    second = claimed(store, "b.csv", b"same")
    assert second.duplicate_of == first.run_id
    finished(store, second)
    assert claimed(store, "a.csv", b"same").duplicate_of == first.run_id


def test_content_whose_run_was_withdrawn_is_no_duplicate(store):
    store.arrivals.withdraw(claimed(store, "a.csv", b"same"))
    assert claimed(store, "a.csv", b"same").duplicate_of is None


def test_a_claim_that_waits_for_a_run_s_end_knows_that_run(store, database):
    first = claimed(store, "a.csv", b"same")
    store.runs.save_statistics(first, Verdict(rows_total=0), "none")
    engine = engine_of(database)
    later = []
    waiter = threading.Thread(target=lambda: later.append(claimed(store, "b.csv", b"same")))
    with engine.begin() as connection:  # publishes, and has yet to commit
        for statement in (
            "UPDATE arrivals SET closed_at = now(), outcome = 'published' WHERE run_id = :run",
            "UPDATE ingestion_runs SET finished_at = now() WHERE run_id = :run",
        ):
            connection.execute(sa.text(statement), {"run": first.run_id})
        waiter.start()
        blocked = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        with engine.connect() as watcher:
            while not watcher.scalar(blocked):
                watcher.rollback()
    waiter.join()
    engine.dispose()
    assert later[0].duplicate_of == first.run_id


@contextmanager
def asleep(database, *statements, **values):
    """A worker that sleeps just before it commits."""
    engine = engine_of(database)
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(sa.text(statement), values)
        yield
    engine.dispose()


@contextmanager
def taking_at_most(seconds):
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


def test_content_that_a_sleeper_is_about_to_claim_is_passed_over_and_claimed_once_it_is_dead(
    store, database
):
    copied = """
        INSERT INTO arrivals (run_id, name, sha256, size, inode, trigger, holder, token, attempts,
            lease_until, started_at)
        SELECT 'sleeper', name, :sha256, size, inode, trigger, holder, token, attempts,
            lease_until, started_at FROM arrivals"""
    claimed(store, "a.csv", b"a")
    wanted = hashlib.sha256(b"b").hexdigest()
    with asleep(database, copied, sha256=wanted), taking_at_most(LOCK_SECONDS / 2):
        assert claimed(store, "b.csv", b"b") is None
        assert claimed(store, "c.csv", b"c") is not None
    assert claimed(store, "b.csv", b"b") is not None


def test_content_whose_end_a_sleeper_is_about_to_publish_is_passed_over(store, database):
    first = claimed(store, "a.csv", b"same")
    closed = "UPDATE arrivals SET closed_at = now(), outcome = 'published'"
    with asleep(database, closed), taking_at_most(LOCK_SECONDS / 2):
        assert claimed(store, "b.csv", b"same") is None
    finished(store, first)
    assert claimed(store, "b.csv", b"same").duplicate_of == first.run_id


def test_what_a_sleeper_has_locked_is_passed_over_for_the_next(store, database):
    one, other = claimed(store, "a.csv", b"a", lease=0), claimed(store, "b.csv", b"b", lease=0)
    locked = "SELECT 1 FROM arrivals WHERE run_id = :run FOR NO KEY UPDATE"
    with asleep(database, locked, run=one.run_id), taking_at_most(LOCK_SECONDS / 2):
        assert store.arrivals.take_up("other", 60, alive).run_id == other.run_id
        assert store.arrivals.take_up("other", 60, alive) is None
    assert store.arrivals.take_up("other", 60, alive).run_id == one.run_id


def test_a_name_that_a_sleeper_is_about_to_reserve_is_left_to_it(store, database):
    one, other = claimed(store, "a.csv", b"a"), claimed(store, "a.csv", b"b")
    reserved = "UPDATE arrivals SET routed_name = 'a.csv' WHERE run_id = :run"
    with asleep(database, reserved, run=one.run_id), taking_at_most(LOCK_SECONDS / 2):
        assert store.runs.reserve_name(other, "a.csv") == f"a-{other.run_id}.csv"
    assert store.runs.reserve_name(one, "a.csv") == "a.csv"


def test_what_a_living_worker_holds_is_not_taken_up(store):
    claimed(store)
    assert store.arrivals.take_up("other", 60, alive) is None


def test_what_a_dead_worker_held_is_taken_up_with_a_higher_token(store):
    claim = claimed(store, holder="dead worker")
    asked = []
    taken = store.arrivals.take_up("other", 60, lambda holder: asked.append(holder) or True)
    assert asked == ["dead worker"]
    assert (taken.run_id, taken.token, taken.attempts) == (claim.run_id, 2, 2)


def test_what_a_silent_worker_held_is_taken_up(store):
    claim = claimed(store, lease=0)
    assert store.arrivals.take_up("other", 60, alive).run_id == claim.run_id
    assert store.arrivals.take_up("third", 60, alive) is None


def test_what_was_leased_before_the_clock_was_set_back_is_taken_up(store):
    claim = claimed(store, lease=86_400)  # as it looks once the clock is a day behind
    assert store.arrivals.take_up("other", 60, alive).run_id == claim.run_id
    assert store.arrivals.take_up("third", 60, alive) is None


def test_what_was_released_is_taken_up(store):
    claim = claimed(store)
    store.arrivals.release(claim)
    assert store.arrivals.take_up("other", 60, alive).run_id == claim.run_id


def test_only_what_a_trigger_started_is_taken_up_where_it_is_named(store):
    claimed(store, "a.csv", b"a", trigger="cli", lease=0)
    by_dag = claimed(store, "b.csv", b"b", trigger="dag", lease=0)
    assert store.arrivals.take_up("other", 60, alive, trigger="dag").run_id == by_dag.run_id
    assert store.arrivals.take_up("other", 60, alive, trigger="dag") is None


def test_what_is_closed_is_not_taken_up(store):
    finished(store, claimed(store, "a.csv", b"a"))
    store.arrivals.withdraw(claimed(store, "b.csv", b"b"))
    assert store.arrivals.take_up("other", 60, dead) is None


def test_of_many_that_take_up_at_once_each_gets_another_arrival(store):
    wanted = {claimed(store, f"{n}.csv", str(n).encode(), lease=0).run_id for n in range(4)}
    taken = at_once(8, lambda n: store.arrivals.take_up(f"worker {n}", 60, alive))
    assert not [result for result in taken if isinstance(result, Exception)]
    assert sorted(claim.run_id for claim in taken if claim is not None) == sorted(wanted)


def test_a_worker_whose_arrival_was_taken_over_is_refused_everywhere(store):
    stale = claimed(store, lease=0)
    fresh = store.arrivals.take_up("other", 60, alive)
    for refused in (
        lambda: store.arrivals.check(stale),
        lambda: store.arrivals.renew(stale, 60),
        lambda: store.arrivals.release(stale),
        lambda: store.arrivals.withdraw(stale),
        lambda: store.runs.save_statistics(stale, Verdict(rows_total=0), "none"),
        lambda: store.runs.reserve_name(stale, "a.csv"),
        lambda: finished(store, stale),
    ):
        with pytest.raises(LeaseLost, match=stale.run_id):
            refused()
    store.arrivals.check(fresh)
    assert finished(store, fresh).run_id == fresh.run_id


def test_a_renewed_lease_holds(store):
    claim = claimed(store, lease=0)
    store.arrivals.renew(claim, 60)
    assert store.arrivals.take_up("other", 60, alive) is None
    store.arrivals.check(claim)


def test_the_tasks_of_one_workflow_resume_a_run_under_one_token(store):
    claim = claimed(store, holder="workflow 1", lease=0)
    assert store.arrivals.find(claim.run_id, "workflow 1", 60) == claim
    assert store.arrivals.take_up("other", 60, alive) is None  # the lease was renewed


def test_a_run_that_another_living_holder_has_is_not_resumed(store):
    claim = claimed(store, holder="workflow 1")
    with pytest.raises(LeaseLost):
        store.arrivals.find(claim.run_id, "workflow 2", 60)


@pytest.mark.parametrize(("lease", "is_dead"), [(0, alive), (60, dead)])
def test_a_run_that_its_holder_left_is_resumed_with_a_higher_token(store, lease, is_dead):
    claim = claimed(store, lease=lease)
    assert store.arrivals.find(claim.run_id, "other", 60, is_dead).token == 2
    with pytest.raises(LeaseLost):
        store.arrivals.check(claim)


def test_a_run_that_is_closed_or_unknown_is_not_resumed(store):
    claim = claimed(store)
    finished(store, claim)
    for run_id in (claim.run_id, "20260101T000000-000000"):
        with pytest.raises(NotFound, match=run_id):
            store.arrivals.find(run_id, "other", 60)


def test_a_holder_finds_what_it_has_published_and_not_what_it_has_withdrawn(store):
    published, withdrawn = claimed(store, "a.csv", b"a"), claimed(store, "b.csv", b"b")
    finished(store, published)
    store.arrivals.withdraw(withdrawn)
    assert store.arrivals.find(published.run_id, "me", 60) == published
    with pytest.raises(NotFound):
        store.arrivals.find(withdrawn.run_id, "me", 60)


def test_an_arrival_is_open_until_it_is_published_or_withdrawn(store):
    published, withdrawn = claimed(store, "a.csv", b"a"), claimed(store, "b\udcff.csv", b"b")
    assert store.arrivals.get(published.run_id).is_open
    finished(store, published)
    store.arrivals.withdraw(withdrawn)
    there, gone = (store.arrivals.get(claim.run_id) for claim in (published, withdrawn))
    assert (there.is_open, there.is_published) == (False, True)
    assert (gone.is_open, gone.is_published) == (False, False)
    assert (gone.name, gone.sha256) == ("b\udcff.csv", withdrawn.sha256)
    assert store.arrivals.get("no run") is None
