"""The API's keys: kept without their secrets, each under one name, revoked for good."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from jobchurn.access import Key, Scope
from jobchurn.errors import InvalidRequest, NotFound
from jobchurn.store.engine import engine_of
from store_work import at_once

READ, PREDICT = {Scope.READ}, {Scope.PREDICT}


def added(store, name="nightly", scopes=READ, **how):
    key = Key.make()
    store.api_keys.add(key, name, scopes, **how)
    return key


def alive(store):
    return {known.id for known in store.api_keys.alive()}


def run(database, statement):
    engine = engine_of(database)
    with engine.begin() as connection:
        rows = connection.execute(sa.text(statement))
        found = rows.all() if rows.returns_rows else []
    engine.dispose()
    return found


def test_a_key_is_known_by_its_id_and_the_hash_of_its_secret(store):
    key = added(store, scopes={Scope.READ, Scope.PREDICT}, requests_per_minute=5)
    (known,) = store.api_keys.list()
    assert (known.id, known.name, known.secret_sha256) == (key.id, "nightly", key.digest)
    assert known.scopes == {Scope.READ, Scope.PREDICT}
    assert known.requests_per_minute == 5
    assert (known.expires_at, known.revoked_at, known.last_used_at) == (None, None, None)
    assert known.created_at.utcoffset() == timedelta(0)


def test_the_database_never_holds_a_secret(store, database):
    key = added(store)
    assert key.secret not in str(run(database, "SELECT k::text FROM api_keys k"))


def test_two_living_keys_never_share_a_name(store):
    added(store)
    with pytest.raises(InvalidRequest, match="nightly"):
        added(store)


def test_the_name_of_a_revoked_key_is_free_again(store):
    first = added(store)
    store.api_keys.revoke("nightly")
    second = added(store)
    assert alive(store) == {second.id}
    assert {known.id for known in store.api_keys.list()} == {first.id, second.id}


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_key_is_revoked_by_its_id_or_name(store, by):
    key, other = added(store), added(store, "other")
    revoked = store.api_keys.revoke(key.id if by == "id" else "nightly")
    assert revoked.id == key.id
    assert revoked.revoked_at is not None
    assert alive(store) == {other.id}


def test_revoking_a_key_again_changes_nothing(store):
    key = added(store)
    assert store.api_keys.revoke(key.id) == store.api_keys.revoke(key.id)


def test_the_name_of_a_revoked_key_revokes_nothing(store):
    added(store)
    store.api_keys.revoke("nightly")
    with pytest.raises(NotFound, match="nightly"):
        store.api_keys.revoke("nightly")


def test_a_name_that_is_anothers_id_does_not_save_that_one(store):
    key = added(store)
    other = added(store, key.id)
    assert store.api_keys.revoke(key.id).id == key.id
    assert alive(store) == {other.id}


def test_a_key_expires_by_the_databases_clock(store, database):
    key = added(store, lasts=timedelta(days=1))
    (known,) = store.api_keys.alive()
    lasts = known.expires_at - known.created_at
    assert lasts == pytest.approx(timedelta(days=1), abs=timedelta(minutes=1))
    run(database, "UPDATE api_keys SET expires_at = now()")
    assert alive(store) == set()
    assert [known.id for known in store.api_keys.list()] == [key.id]


def test_a_key_replaces_the_one_before_it_once(store):
    first, second = Key.make(), Key.make()
    assert store.api_keys.replace(first, "service:webapp", READ)
    assert store.api_keys.replace(second, "service:webapp", READ)
    assert store.api_keys.replace(second, "service:webapp", READ)
    assert alive(store) == {second.id}
    assert not store.api_keys.replace(first, "service:webapp", READ)
    assert alive(store) == {second.id}


def test_a_key_that_was_revoked_does_not_come_back(store):
    key = Key.make()
    store.api_keys.replace(key, "service:webapp", READ)
    store.api_keys.revoke(key.id)
    assert not store.api_keys.replace(key, "service:webapp", READ)
    assert alive(store) == set()


def test_of_keys_that_replace_each_other_at_once_one_is_left(store):
    keys = [Key.make() for _ in range(6)]
    at_once(6, lambda n: store.api_keys.replace(keys[n], "service:webapp", READ))
    assert len(alive(store)) == 1


def test_use_is_noted_to_the_hour_and_written_once_in_it(store, database):
    key, other = added(store), added(store, "other", PREDICT)
    store.api_keys.note_use([key.id])
    before = run(database, f"SELECT xmin, last_used_at FROM api_keys WHERE id = '{key.id}'")
    store.api_keys.note_use([key.id, "nobody00"])
    assert before == run(database, f"SELECT xmin, last_used_at FROM api_keys WHERE id = '{key.id}'")
    known = {one.id: one.last_used_at for one in store.api_keys.list()}
    assert known[other.id] is None
    assert known[key.id].minute == known[key.id].second == 0
    assert known[key.id] <= datetime.now(UTC)
