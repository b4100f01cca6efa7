"""Requests of few records are read on the event loop as the endpoint reads them in a thread."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobchurn.access import KnownKey, Scope
from jobchurn.api.callers import CALLER, kept_key, may_say, speaks_for_schedule
from jobchurn.api.envelope import read_request
from jobchurn.api.few import LARGEST, read_few
from jobchurn.api.records import Reader
from jobchurn.api.schema import asked, example_of
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import InvalidRequest
from jobchurn.flow.gather import FEW
from jobchurn.settings import Settings

RECORD = example_of(JOB_CHANGE)


def door(**settings):
    return SimpleNamespace(
        reader=Reader(JOB_CHANGE), services=SimpleNamespace(settings=Settings(**settings))
    )


DOOR = door()
VALUES = st.none() | st.booleans() | st.integers(-1, 40) | st.floats(0, 1) | st.text(max_size=3)


def few(body, key=None, caller=None, door=DOOR):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_few(door, {"state": {CALLER: caller} if caller else {}}, content, key)


def caller(*scopes):
    return KnownKey(
        id="k",
        name="somebody",
        scopes=frozenset(scopes),
        secret_sha256=bytes(32),
        requests_per_minute=None,
        created_at=datetime.now(UTC),
        expires_at=None,
        revoked_at=None,
        last_used_at=None,
    )


def test_an_ordinary_request_is_read():
    found = few({"records": [RECORD]}, key="k")
    assert (found.source, found.key, len(found.records)) == ("webapp", "k", 1)
    assert list(found.records[0]) == [column.name for column in JOB_CHANGE.columns]


def test_more_than_the_settings_admit_is_left_to_the_endpoint():
    two = {"records": [RECORD] * 2}
    assert few(two, door=door(max_records=2)) is not None
    assert few(two, door=door(max_records=1)) is None
    assert few(two, door=door(max_body_bytes=100)) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"records": [NaN]}',
        {},
        {"records": {}},
        {"records": []},
        {"records": [[]]},
        {"records": [{}]},
        {"records": [RECORD, {}]},
        {"records": [RECORD] * (FEW + 1)},
        {"records": [RECORD | {"strange": 1}]},
        {"records": [RECORD | {"city": []}]},
        {"records": [RECORD | {"city": "a:b"}]},
        {"records": [RECORD], "strange": 1},
        {"records": [RECORD], "source": "nobody"},
        {"records": [RECORD], "source": ["webapp"]},
        {"records": [RECORD], "partial": 1},
        {"records": [RECORD], "lineage": None},
        json.dumps({"records": [RECORD]}).encode()[:-1] + b', "records": []}',
        json.dumps({"records": [RECORD]}).encode() + b" " * LARGEST,
    ],
)
def test_whatever_is_unusual_takes_a_closer_look(body):
    assert few(body) is None


@pytest.mark.parametrize(
    ("scopes", "source", "key"),
    [
        ([Scope.PREDICT], "webapp", "somebody k"),
        ([Scope.SCHEDULED], "scheduled", "k"),
        ([Scope.SCHEDULED], "webapp", None),
        ([Scope.PREDICT], "scheduled", None),
        ([Scope.READ], "webapp", None),
    ],
)
def test_who_may_not_say_so_is_left_to_the_endpoint(scopes, source, key):
    found = few({"records": [RECORD], "source": source}, "k", caller(*scopes))
    assert (found and found.key) == key


@given(
    changed=st.dictionaries(
        st.sampled_from([*(column.name for column in asked(JOB_CHANGE)), "strange"]),
        VALUES | st.lists(VALUES, max_size=1),
        max_size=3,
    ),
    more=st.dictionaries(
        st.sampled_from(["source", "partial", "lineage", "strange"]),
        st.sampled_from(["webapp", "scheduled", "x", True, False, None, 1]),
        max_size=2,
    ),
    count=st.integers(0, 3),
)
def test_what_is_read_is_what_the_endpoint_reads(changed, more, count):
    body = json.dumps({"records": [RECORD | changed] * count} | more).encode()
    found = few(body)
    try:
        request = read_request(body, most_records=100)
    except InvalidRequest:
        assert found is None
        return
    reading = DOOR.reader.read(request.records)
    if found is None:
        unusual = reading.refused or not count or "lineage" in more
        assert unusual or b":" in json.dumps(list(changed.values())).encode()
        return
    assert (found.records, found.source) == (reading.accepted, request.source)
    for one, other in zip(found.records, reading.accepted, strict=True):
        assert list(map(repr, one.items())) == list(map(repr, other.items()))


@given(st.sampled_from([None, *map(caller, Scope)]), st.sampled_from(["webapp", "scheduled"]))
def test_callers_are_held_to_what_the_endpoint_holds_them_to(who, source):
    found = few({"records": [RECORD], "source": source}, "k", who)
    scheduled = speaks_for_schedule(SimpleNamespace(source=source, lineage=None))
    assert (found is not None) == may_say(who, scheduled=scheduled)
    if found is not None:
        assert found.key == kept_key(who, "k", scheduled=scheduled)
