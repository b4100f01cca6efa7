"""How much a key may ask, and how often a client may come with a wrong one."""

import pytest

from jobchurn.access import Key, Scope
from jobchurn.api.rates import CLIENTS, FAILURES_PER_MINUTE, Rates
from locked_house import clients, key_for, locked_house, sent


@pytest.fixture
def house(store, tmp_path):
    return locked_house(store, tmp_path)


def test_a_key_that_used_up_its_requests_is_told_when_to_come_back(house, store):
    key, other = key_for(store, Scope.READ, requests_per_minute=3), key_for(store, Scope.READ)
    with clients(house) as client:
        first = [client().get("/model", headers=sent(key)).status_code for _ in range(3)]
        assert first == [200] * 3
        answer = client().get("/model", headers=sent(key))
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert client().get("/nowhere", headers=sent(key)).status_code == 429
        assert client().get("/health", headers=sent(key)).status_code == 200
        assert client().get("/model", headers=sent(other)).status_code == 200


def test_a_key_without_a_number_of_its_own_has_that_of_the_settings(store, tmp_path):
    key = key_for(store, Scope.READ)
    with clients(locked_house(store, tmp_path, api_rate=2)) as client:
        found = [client().get("/model", headers=sent(key)).status_code for _ in range(3)]
    assert found == [200, 200, 429]


def test_a_client_with_wrong_keys_is_told_to_wait_and_the_right_one_still_opens(house, store):
    key = key_for(store, Scope.READ)
    with clients(house) as client:
        wrong = sent(Key.make())
        found = [client().get("/model", headers=wrong).status_code for _ in range(70)]
        assert found == [401] * FAILURES_PER_MINUTE + [429] * (70 - FAILURES_PER_MINUTE)
        assert client().get("/model").headers["retry-after"]
        assert client().get("/model", headers=sent(key)).status_code == 200


def test_the_window_moves(store, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("jobchurn.api.rates.time.monotonic", lambda: now[0])
    key_for(store, Scope.READ, requests_per_minute=2)
    (known,) = store.api_keys.alive()
    rates = Rates(100)
    found = []
    for moment in (0, 30, 59.9, 60, 60, 89, 90):
        now[0] = 1000 + moment
        found.append(rates.spend(known))
    assert found == [None, None, 1, None, 30, 1, None]


def test_the_counting_does_not_follow_a_clock_that_is_set(store, monkeypatch):
    key_for(store, Scope.READ, requests_per_minute=1)
    (known,) = store.api_keys.alive()
    rates = Rates(100)
    assert rates.spend(known) is None
    for change in (86_400, -86_400):
        monkeypatch.setattr("time.time", lambda change=change: 1_800_000_000.0 + change)
        assert 1 <= rates.spend(known) <= 60


def test_however_many_clients_fail_little_is_remembered():
    rates = Rates(100)
    for number in range(40_000):
        rates.note_failure(f"2001:db8:{number:x}::1")
        rates.note_failure(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    windows = rates._limiter.storage._hits
    assert len(windows) <= CLIENTS
    assert max(len(hits) for hits in windows.values()) <= FAILURES_PER_MINUTE


def test_a_client_of_ipv6_is_one_however_many_addresses_of_its_network_it_uses():
    rates = Rates(100)
    found = [rates.note_failure(f"2001:db8::{number:x}") for number in range(70)]
    assert found[:60] == [None] * 60
    assert None not in found[60:]
