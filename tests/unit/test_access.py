"""Keys: how they are spelt, and how one is told from a forged one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobchurn.access import Key, KnownKey, Scope, is_genuine, is_loopback

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def known(key, **changes):
    return KnownKey(
        **{
            "id": key.id,
            "name": "nightly",
            "scopes": frozenset({Scope.READ}),
            "secret_sha256": key.digest,
            "requests_per_minute": None,
            "created_at": NOW,
            "expires_at": None,
            "revoked_at": None,
            "last_used_at": None,
        }
        | changes
    )


def test_a_key_is_read_as_it_was_made():
    key = Key.make()
    assert Key.parse(key.text) == key
    assert key.text.startswith(f"jc_{key.id}_")


def test_no_two_keys_are_alike():
    made = [Key.make() for _ in range(200)]
    assert len({key.id for key in made}) == len({key.secret for key in made}) == 200


def test_a_secret_has_256_bits():
    assert len(Key.make().secret) * 6 >= 256


def test_a_key_is_not_shown_by_accident():
    key = Key.make()
    for text in (repr(key), str(key), repr(known(key)), f"{[key]}"):
        assert key.secret not in text
        assert repr(key.digest) not in text


@given(st.text())
def test_a_text_that_is_no_key_is_none(text):
    assert Key.parse(text) is None


@given(st.data())
def test_a_key_with_one_character_changed_is_none_or_another_one(data):
    key = Key.make()
    place = data.draw(st.integers(0, len(key.text) - 1))
    letter = data.draw(st.characters().filter(lambda letter: letter != key.text[place]))
    forged = Key.parse(key.text[:place] + letter + key.text[place + 1 :])
    assert forged is None or forged != key
    assert forged is None or forged.id != key.id or not is_genuine(forged, known(key))


@pytest.mark.parametrize("change", [" {}", "{} ", "{}\n", "{}x", "Bearer {}", "{}\0"])
def test_nothing_stands_beside_a_key(change):
    assert Key.parse(change.format(Key.make().text)) is None


def test_a_key_is_genuine_where_its_secret_is_the_known_ones():
    key, other = Key.make(), Key.make()
    assert is_genuine(key, known(key))
    assert not is_genuine(Key(key.id, other.secret), known(key))
    assert not is_genuine(key, None)


def test_secrets_are_compared_in_constant_time_on_bytes_also_where_the_key_is_unknown(monkeypatch):
    compared = []

    def compare(one, other):
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("jobchurn.access.hmac.compare_digest", compare)
    key = Key.make()
    is_genuine(key, known(key))
    is_genuine(key, None)
    assert [(type(a), type(b), len(a), len(b)) for a, b in compared] == [(bytes, bytes, 32, 32)] * 2


@pytest.mark.parametrize(
    ("change", "alive"),
    [
        ({}, True),
        ({"expires_at": NOW + timedelta(seconds=1)}, True),
        ({"expires_at": NOW}, False),
        ({"revoked_at": NOW}, False),
        ({"revoked_at": NOW + timedelta(days=1)}, False),
    ],
)
def test_a_key_is_worth_something_until_it_is_revoked_or_expires(change, alive):
    assert known(Key.make(), **change).is_alive(NOW) is alive


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "::1"])
def test_loopback_is_reached_from_this_machine_alone(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",  # noqa: S104  (compared, not bound)
        "::",
        "10.0.0.1",
        "example.org",
        "localhost.example.org",
        "LOCALHOST.",
        "127.0.0.1x",
    ],
)
def test_everything_else_counts_as_reached_from_elsewhere(host):
    assert not is_loopback(host)
