import asyncio
import json
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect, Request

from jobchurn.api import body as body_module
from jobchurn.api import repeats
from jobchurn.api.body import DEEPEST, VALUES_PER_CONTAINER, Bodies, parse
from jobchurn.errors import InvalidRequest, Overloaded, TooLarge, TooSlow

plain_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: st.lists(children) | st.dictionaries(st.text(":ab"), children),
    max_leaves=8,
)


@given(plain_json)
def test_json_is_read_as_the_standard_library_reads_it(value):
    assert parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{}x", "not JSON"),
        (b"NaN", "not JSON"),
        (b"[Infinity]", "not JSON"),
        (b"1e400", "not JSON"),
        (b"1" * 5000, "not JSON"),
        (b'"\\ud800"', "not JSON"),
        (b'"\xed\xa0\x80"', "not JSON"),
        (b'"\xff"', "not JSON"),
        (b'"\x00"', "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        ("{}".encode("utf-16"), "not JSON"),
        (b'{"a": 1, "a": 1}', "'a' stands twice"),
        (b'{"a": 1, "\\u0061": 2}', "'a' stands twice"),
        (b'[{"b": ":", "c": [{"a:": 1, "a:": 1}]}]', "'a:' stands twice"),
        (b'{"a": ' + b"9" * 200 + b', "a": 1}', "'a' stands twice"),
        (b'{"\\u0000": 1, "\\u0000": 1}', "'\\x00' stands twice"),
        (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), "nested"),
        (b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1), "nested"),
        (b"[" * 1000 + b"]" * 1000, "nested"),
        (b"[" * 100_000 + b"]" * 100_000, "not JSON"),
    ],
)
def test_what_is_not_plain_json_is_refused_with_the_reason(body, said):
    with pytest.raises(InvalidRequest) as caught:
        parse(body)
    assert said in caught.value.message
    assert caught.value.cure


@pytest.mark.parametrize("body", [b'{"a": NaN}', b'["\xc3\xa9", Infinity]', b"NaN"])
def test_a_number_that_only_python_writes_has_its_own_cure(body):
    with pytest.raises(InvalidRequest) as caught:
        parse(body)
    assert "send null" in caught.value.cure


def test_nesting_up_to_the_limit_is_taken():
    assert parse(b"[" * DEEPEST + b"]" * DEEPEST)


def test_a_name_may_stand_once_in_each_of_many_objects():
    assert parse(b'[{"a": "x:y"}, {"a": "::"}]') == [{"a": "x:y"}, {"a": "::"}]


def request(parts, headers=()):
    """A request whose body arrives in parts, without an end unless a part is the last."""
    messages = iter(parts)

    async def receive():
        part = next(messages, None)
        if part is None:
            await asyncio.sleep(60)
        if part == "left":
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": part != b""}

    headers = [(b"content-type", b"application/json"), *headers]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def taken(bodies, parts):
    async def read():
        async with bodies.read(request(parts)) as found:
            return found

    return asyncio.run(read())


def test_a_body_is_put_together_from_its_parts():
    assert taken(Bodies(10), [b"{", b"}", b""]) == b"{}"


def test_a_body_that_never_ends_is_refused_once_it_is_too_large():
    endless = iter(lambda: b"xxx", None)
    with pytest.raises(TooLarge) as caught:
        taken(Bodies(10), endless)
    assert caught.value.details == {"limit": 10}


def test_a_body_that_stops_arriving_is_given_up(monkeypatch):
    monkeypatch.setattr(body_module, "LONGEST_SILENCE", 0.01)
    with pytest.raises(TooSlow):
        taken(Bodies(10), [b"{"])


def test_bodies_are_bounded_together_and_make_room_however_they_end():
    bodies = Bodies(10)

    async def scene():
        async with (
            bodies.read(request([b"x" * 10, b""])),
            bodies.read(request([b"x" * 10, b""])),
            bodies.read(request([b"x" * 10, b""])),
            bodies.read(request([b"x" * 10, b""])),
        ):
            with pytest.raises(Overloaded):
                async with bodies.read(request([b"x", b""])):
                    pass
        with pytest.raises(ClientDisconnect):
            async with bodies.read(request([b"x" * 10, "left"])):
                pass
        with pytest.raises(ZeroDivisionError):
            async with bodies.read(request([b"x" * 10, b""])):
                raise ZeroDivisionError

    asyncio.run(scene())
    assert bodies._free == 40


@pytest.mark.parametrize("value", [b"{}", b"[]", b"1", b'""', b'{"a":1}'])
def test_a_body_of_very_many_values_is_refused_before_they_are_made(value):
    body = b"[" + b",".join([value] * 1_000) + b"]"
    with pytest.raises(TooLarge):
        parse(body, most_values=1_000)
    assert len(parse(body, most_values=10_000)) == 1_000


@given(plain_json)
def test_values_are_counted_before_they_are_made_and_none_is_missed(value):
    body = json.dumps(value).encode()
    values, containers = counted(value)
    with pytest.raises(TooLarge):
        parse(body, most_values=values - 1)
    counted_too = containers + signs_in_texts(value)
    most = max(values + counted_too, VALUES_PER_CONTAINER * counted_too)
    assert parse(body, most_values=most) == value


def test_a_body_may_hold_fewer_lists_and_objects_than_values():
    flat, nested = b"[" + b"1," * 99 + b"1]", b"[" + b"[1]," * 19 + b"[1]]"
    assert len(parse(flat, most_values=101)) == 100
    with pytest.raises(TooLarge, match="lists and objects"):
        parse(nested, most_values=101)


class Sought(Exception):
    """A name that stands twice is looked for."""


def sought(*_, **__):
    raise Sought


def names_of(value):
    if not isinstance(value, dict | list):
        return 0
    below = value.values() if isinstance(value, dict) else value
    return isinstance(value, dict) * len(value) + sum(map(names_of, below))


@given(plain_json, st.integers(1, 9), st.booleans())
def test_names_are_told_from_texts_however_these_are_quoted(value, stretch, plain):
    body = json.dumps(value, ensure_ascii=plain).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeats, "_STRETCH", stretch)
        patch.setattr(repeats.json, "loads", sought)
        repeats.refuse_repeated_names(body, names_of(value))
        with pytest.raises(Sought):
            repeats.refuse_repeated_names(body, names_of(value) - 1)


def test_a_large_body_is_refused_for_a_name_that_stands_twice_without_looking_for_it(monkeypatch):
    monkeypatch.setattr(repeats.json, "loads", sought)
    padding = b'"' + b"x" * repeats.NAMED_UP_TO + b'"'
    with pytest.raises(InvalidRequest, match="stands twice"):
        parse(b'{"a:": ' + padding + b', "b": "\\":", "a:": 1}')
    assert parse(b'{"a:": ' + padding + b', "b": "\\":", "c:": 1}')["c:"] == 1


def counted(value):
    """How many values there are, the outermost among them, and how many contain others."""
    if not isinstance(value, dict | list):
        return 1, 0
    below = map(counted, value.values() if isinstance(value, dict) else value)
    values, containers = map(sum, zip((1, 1), *below, strict=True))
    return values, containers


def signs_in_texts(value):
    if isinstance(value, str):
        return sum(map(value.count, ",{["))
    if isinstance(value, list):
        return sum(map(signs_in_texts, value))
    if isinstance(value, dict):
        return sum(signs_in_texts(part) for pair in value.items() for part in pair)
    return 0


@given(st.binary(max_size=40), st.integers(1, 9))
def test_signs_of_a_large_body_are_counted_as_those_of_a_small_one(body, stretch):
    signs = (b",", b"{", b"\x00", b"\xff")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(body_module, "LARGE", 0)
        patch.setattr(body_module, "_STRETCH", stretch)
        assert body_module.count(body, signs) == sum(body.count(sign) for sign in signs)


def test_large_bodies_are_worked_on_two_at_a_time_and_small_ones_pass_by(monkeypatch):
    monkeypatch.setattr(body_module, "LARGE", 10)
    monkeypatch.setattr(body_module, "TURN_SECONDS", 0.05)

    async def all_at_once():
        bodies = Bodies(100)
        async with AsyncExitStack() as held:

            async def hold(size):
                return await held.enter_async_context(bodies.read(request([b"x" * size, b""])))

            assert len(await hold(10)) == 10
            assert len(await hold(10)) == 10
            assert len(await hold(9)) == 9
            with pytest.raises(Overloaded):
                await hold(10)
        async with bodies.read(request([b"x" * 10, b""])) as found:
            assert len(found) == 10

    asyncio.run(all_at_once())


def test_slow_bodies_are_worked_on_one_at_a_time_and_keep_no_others_waiting(monkeypatch):
    monkeypatch.setattr(body_module, "LARGE", 20)
    monkeypatch.setattr(body_module, "LARGE_IF_SLOW", 10)
    monkeypatch.setattr(body_module, "TURN_SECONDS", 0.05)

    async def all_at_once():
        bodies = Bodies(100)
        async with AsyncExitStack() as held:

            async def hold(size, **how):
                reading = bodies.read(request([b"x" * size, b""]), **how)
                return await held.enter_async_context(reading)

            assert len(await hold(10, slow=True)) == 10
            assert len(await hold(9, slow=True)) == 9
            with pytest.raises(Overloaded):
                await hold(10, slow=True)
            assert len(await hold(20)) == 20
            assert len(await hold(20)) == 20

    asyncio.run(all_at_once())
