"""Requests that are stored together: one statement on the event loop, over a real PostgreSQL."""

import asyncio
import threading
from dataclasses import replace

import psycopg
import pytest

from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import DatabaseLocked, DatabaseUnreachable
from jobchurn.store import Store
from small_model import random_records
from store_work import batch_of, record_of


def gathered(store, play):
    """Play a scene with what stores requests together; the connection is closed after it."""

    async def played():
        writer = store.predictions.gathered()
        try:
            return await asyncio.wait_for(play(writer), 60)
        finally:
            writer.close()

    return asyncio.run(played())


def write(store, *batches):
    return gathered(store, lambda writer: writer.write(batches))


def keyed(key, count=1, fingerprint="f", **more):
    return batch_of([record_of()] * count, key=key, fingerprint=fingerprint, **more)


def test_what_is_stored_together_is_stored_as_what_is_stored_alone(store):
    records = random_records(JOB_CHANGE, 60, seed=5)
    lineage = {"run_id": "20261124T073000-3f9a2c", "file_name": "r\udce9w\n1.csv"}
    batches = [
        batch_of(records[:20], source="scheduled", **lineage, row_numbers=range(11, 31)),
        batch_of(records[20:21]),
        batch_of(records[21:], positions=range(1, 40)),
    ]
    together = write(store, *batches)
    alone = [store.predictions.write(batch) for batch in batches]
    rows, _ = store.predictions.page(limit=200)
    by_id = {row.id: row for row in rows}
    for one, other in zip(together, alone, strict=True):
        assert (one.positions, one.records) == (other.positions, other.records)
        assert (one.probabilities, one.decisions) == (other.probabilities, other.decisions)
        for first, second in zip(one.ids, other.ids, strict=True):
            row, same = by_id[first], by_id[second]
            assert replace(row, id=0, created_at=same.created_at) == replace(same, id=0)
            assert row.created_at == one.created_at


def test_a_key_is_registered_with_its_rows_and_its_request_replayed(store):
    refused = [{"record": 2, "errors": [{"field": "a\x00"}]}]
    first, other = write(store, keyed("b", 3, refused=refused, positions=[0, 2, 3]), keyed("a"))
    assert (first.replayed, other.replayed) == (False, False)
    again = store.predictions.write(keyed("b", 3))
    assert again.replayed
    assert (again.ids, again.positions, again.refused) == (first.ids, [0, 2, 3], refused)
    assert again.created_at == first.created_at


def test_a_key_that_is_known_is_left_out_and_the_others_are_stored(store):
    store.predictions.write(keyed("k"))
    known, new, bare = write(store, keyed("k"), keyed("new", 2), batch_of())
    assert known is None
    assert len(new.ids) == 2
    assert len(bare.ids) == 1
    assert store.predictions.count() == 4


def test_ids_are_in_the_order_of_records(store):
    stored = write(store, *(keyed(str(n), 5) if n % 2 else batch_of() for n in range(20)))
    ids = [number for one in stored for number in one.ids]
    assert ids == sorted(ids)
    assert len(set(ids)) == store.predictions.count() == len(ids)


def test_a_value_that_a_check_refuses_stores_nothing_of_all_and_leaves_the_connection(store):
    async def play(writer):
        with pytest.raises(psycopg.errors.CheckViolation):
            await writer.write([keyed("k"), batch_of([record_of(city_development_index=7.0)])])
        assert store.predictions.count() == 0
        return await writer.write([keyed("k")])

    [stored] = gathered(store, play)
    assert stored is not None


def test_what_fails_when_it_is_committed_is_not_told_of_as_stored(store, database):
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'not today'; END $$"
        )
        # The statement has given its rows by the time that this is asked.
        owner.execute(
            "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON requests"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"
        )

    async def play(writer):
        with pytest.raises(psycopg.errors.RaiseException, match="not today"):
            await writer.write([keyed("k", 2)])
        return await writer.write([batch_of([record_of()])])

    [kept] = gathered(store, play)
    rows, _ = store.predictions.page()
    assert [row.id for row in rows] == kept.ids


def test_two_that_register_the_same_keys_in_another_order_do_not_stop_each_other(store):
    keys = [f"k{n}" for n in range(40)]

    async def play(writer):
        other = store.predictions.gathered()
        try:
            for turn in range(5):
                of = [keyed(f"{turn}-{key}") for key in keys]
                first, second = await asyncio.gather(writer.write(of), other.write(of[::-1]))
                assert sum(s is not None for s in (*first, *second)) == len(keys)
        finally:
            other.close()

    gathered(store, play)
    assert store.predictions.count() == 5 * len(keys)


def test_a_key_that_another_transaction_holds_is_waited_for_a_moment_only(store, database):
    with psycopg.connect(database) as holder:
        holder.execute(
            "INSERT INTO requests (key, fingerprint, created_at, n, model_version, policy_version)"
            " VALUES ('held', 'f', now(), 1, 'm', 'p')"
        )
        with pytest.raises(DatabaseLocked):
            write(store, keyed("held"))
        holder.rollback()
    assert write(store, keyed("held"))[0] is not None


@pytest.mark.parametrize("rest", [0.0, 0.2])
def test_a_session_that_the_server_ended_is_replaced_unnoticed(store, database, rest):
    async def play(writer):
        await writer.write([batch_of()])
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await asyncio.sleep(rest)  # the end is met before the next question, or by it
        return await writer.write([batch_of()])

    assert gathered(store, play)[0] is not None
    assert store.predictions.count() == 2


def test_a_database_that_takes_nobody_in_is_unreachable_and_then_reached_again(store, database):
    server, _, name = database.rpartition("/")

    async def play(writer):
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            try:
                for _ in range(2):
                    with pytest.raises(DatabaseUnreachable):
                        await writer.write([batch_of()])
            finally:
                connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        return await writer.write([batch_of()])

    assert gathered(store, play)[0] is not None


def test_an_answer_is_not_waited_for_without_end(database):
    hasty = Store.connect(database, JOB_CHANGE, seconds=0.3)
    try:
        with psycopg.connect(database) as holder:
            holder.execute("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(DatabaseUnreachable):
                write(hasty, batch_of())
            holder.rollback()
        assert write(hasty, batch_of())[0] is not None
    finally:
        hasty.close()


def test_whoever_leaves_in_the_midst_leaves_no_answer_to_the_next_question(store):
    async def play(writer):
        leaving = asyncio.ensure_future(writer.write([batch_of()] * 3))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        return await writer.write([batch_of([record_of(city="next")])])

    [stored] = gathered(store, play)
    rows, _ = store.predictions.page()
    assert {row.record["city"] for row in rows if row.id in stored.ids} == {"next"}


def test_a_batch_of_many_megabytes_goes_through(store):
    long = {"city": "x" * 60}
    batch = batch_of([record_of(**long)] * 30_000)
    [stored] = write(store, batch)
    assert len(stored.ids) == store.predictions.count() == 30_000


def test_threads_that_write_alone_and_a_loop_that_gathers_store_all(store):
    done = []
    alone = threading.Thread(
        target=lambda: done.extend(store.predictions.write(keyed(f"a{n}")) for n in range(30))
    )
    alone.start()

    async def play(writer):
        return [await writer.write([keyed(f"b{n}"), batch_of()]) for n in range(30)]

    gathered(store, play)
    alone.join()
    assert len(done) == 30
    assert store.predictions.count() == 90
