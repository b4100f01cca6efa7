"""Keys that come and go: what was made or revoked counts everywhere, at no query a request."""

import os
import time
from contextlib import ExitStack
from datetime import timedelta

import httpx
import pytest

from api_house import open_house
from api_process import Served
from jobchurn.access import Key, Scope
from jobchurn.api.keyring import Keyring
from jobchurn.errors import DatabaseUnreachable, NotReady
from locked_house import clients, key_for, locked_house, sent


@pytest.fixture
def house(store, tmp_path):
    return locked_house(store, tmp_path)


def test_a_key_expires_though_the_list_of_keys_is_old(store, tmp_path):
    key = key_for(store, Scope.READ, lasts=timedelta(seconds=0.5))
    keyring = Keyring(store.api_keys)
    keyring.look()
    while store.api_keys.alive():
        time.sleep(0.05)
    time.sleep(0.1)
    assert keyring.find(key) is None


def test_a_key_is_looked_up_without_a_query_for_each_request(house, store, monkeypatch):
    asked = []
    alive = store.api_keys.alive
    monkeypatch.setattr(store.api_keys, "alive", lambda: asked.append(1) or alive())
    monkeypatch.setattr("jobchurn.api.keyring.POLL_SECONDS", 3600)
    key = key_for(store, Scope.READ)
    with clients(house) as client:
        for _ in range(30):
            client().get("/model", headers=sent(key))
            client().get("/model", headers=sent(Key.make()))
    assert len(asked) == 1


def test_keys_count_for_a_while_without_the_database_and_then_nobody_is_let_in(store, monkeypatch):
    key = key_for(store, Scope.READ)
    keyring = Keyring(store.api_keys)
    keyring.look()

    def away():
        raise DatabaseUnreachable("The database does not answer.", "Start it.")

    monkeypatch.setattr(store.api_keys, "alive", away)
    keyring.look()
    assert keyring.find(key).id == key.id
    later = time.monotonic() + 301
    monkeypatch.setattr("jobchurn.api.keyring.time.monotonic", lambda: later)
    with pytest.raises(NotReady, match="database"):
        keyring.find(key)


def test_before_the_keys_are_known_it_is_said_and_nobody_is_let_in(house, store, monkeypatch):
    key = key_for(store, Scope.READ)

    def away():
        raise DatabaseUnreachable("The database does not answer.", "Start it.")

    monkeypatch.setattr(store.api_keys, "alive", away)
    with clients(house) as client:
        assert client().get("/model", headers=sent(key)).status_code == 503
        assert client().get("/model").status_code == 401
        assert client().get("/health").status_code == 200


def test_the_use_of_a_key_is_noted_once_it_is_seen(house, store):
    key, idle = key_for(store, Scope.READ), key_for(store, Scope.PREDICT)
    keyring = Keyring(store.api_keys)
    keyring.look()
    assert keyring.find(key)
    assert keyring.find(Key(idle.id, key.secret)) is None
    keyring.look()
    used = {known.id: known.last_used_at for known in store.api_keys.list()}
    assert used[key.id] is not None
    assert used[idle.id] is None


@pytest.fixture
def workers(store, database, tmp_path, monkeypatch):
    """Two processes that serve one house and ask for keys."""
    open_house(store, tmp_path)
    monkeypatch.setitem(os.environ, "API_KEYS", "always")
    with ExitStack() as stack:
        served = []
        for _ in range(2):
            served.append(Served(database, tmp_path))
            stack.callback(served[-1].end)
        yield served


def awaited(what):
    """Wait until something holds; what holds within a second on a quiet machine is given a minute.

    That it holds at all is what is tested: no look-up, and it never would.
    """
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_is_made_or_revoked_counts_in_every_process_that_serves(workers, store):
    key = Key.make()

    def answers():
        return {
            httpx.get(f"{one.address}/model", headers=sent(key), timeout=30).status_code
            for one in workers
        }

    assert answers() == {401}
    store.api_keys.add(key, "nightly", {Scope.READ})
    awaited(lambda: answers() == {200})
    store.api_keys.revoke("nightly")
    awaited(lambda: answers() == {401})
    store.api_keys.add(Key.make(), "nightly", {Scope.READ})
    assert answers() == {401}
