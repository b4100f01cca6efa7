"""The straight way takes what is plain in every way, and leaves all else as it came."""

import asyncio
from types import SimpleNamespace

import pytest

from jobchurn.api import straight
from jobchurn.api.connections import WHOLE
from jobchurn.api.few import LARGEST
from jobchurn.api.straight import Straight, Told
from jobchurn.errors import Overloaded

BODY = b'{"records": []}'
PLAIN = ((b"content-type", b"application/json"), (b"content-length", b"15"))


class Scene:
    """A request, and who answers it."""

    def __init__(self, headers=PLAIN, *, method="POST", path="/few", query=b"", whole=True):
        state = {"number": "7"} | ({WHOLE: True} if whole else {})
        self.scope = {
            "type": "http",
            "method": method,
            "query_string": query,
            "headers": list(headers),
            "state": state,
            "route": SimpleNamespace(path=path),
        }
        self.coming = [{"type": "http.request", "body": BODY, "more_body": False}]
        self.straight, self.routed, self.sent = [], [], []
        self.told = Told(b"{}", replayed=False)

    async def receive(self):
        if not self.coming:
            await asyncio.Event().wait()
        return self.coming.pop(0)

    async def answer(self, _scope, body, key):
        self.straight.append((body, key))
        if isinstance(self.told, Exception):
            raise self.told
        return self.told

    async def app(self, _scope, receive, _send):
        self.routed.append((await receive())["body"] if self.coming or self.straight else None)

    async def send(self, message):
        self.sent.append(message)

    def play(self):
        way = Straight(self.app, {"/few": self.answer})
        asyncio.run(way(self.scope, self.receive, self.send))
        return self


def test_a_plain_request_is_answered_straight_away():
    scene = Scene([*PLAIN, (b"idempotency-key", b"k")]).play()
    assert (scene.straight, scene.routed) == ([(BODY, "k")], [])
    start, body = scene.sent
    assert (start["status"], body["body"]) == (200, b"{}")
    assert dict(start["headers"]) == {
        b"content-length": b"2",
        b"content-type": b"application/json",
    }


def test_a_repeated_answer_says_so():
    scene = Scene()
    scene.told = Told(b"{}", replayed=True)
    assert (b"idempotent-replayed", b"true") in scene.play().sent[0]["headers"]


@pytest.mark.parametrize(
    "unusual",
    [
        {"method": "GET"},
        {"path": "/other"},
        {"query": b"x=1"},
        {"headers": []},
        {"headers": PLAIN[:1]},
        {"headers": PLAIN[1:]},
        {"headers": [*PLAIN, PLAIN[0]]},
        {"headers": [(b"content-type", b"application/json; charset=utf-8"), PLAIN[1]]},
        {"headers": [PLAIN[0], (b"content-length", b"%d" % (LARGEST + 1))]},
        {"headers": [PLAIN[0], (b"content-length", b"9" * 30)]},
        {"headers": [PLAIN[0], (b"content-length", b"+5")]},
        {"headers": [*PLAIN, (b"content-encoding", b"gzip")]},
        {"headers": [*PLAIN, (b"transfer-encoding", b"chunked")]},
        {"headers": [*PLAIN, (b"idempotency-key", b"a b")]},
        {"headers": [*PLAIN, (b"idempotency-key", b"")]},
        {"headers": [*PLAIN, (b"idempotency-key", b"x" * 256)]},
        {"headers": [*PLAIN, (b"idempotency-key", b"a"), (b"idempotency-key", b"a")]},
    ],
)
def test_whatever_is_unusual_is_routed_with_its_body(unusual):
    scene = Scene(**unusual).play()
    assert (scene.straight, scene.routed) == ([], [BODY])


def test_what_takes_a_closer_look_is_routed_with_its_body():
    scene = Scene()
    scene.told = None
    assert scene.play().routed == [BODY]


def test_a_body_in_parts_is_routed_whole():
    scene = Scene(whole=False)
    scene.coming = [{"type": "http.request", "body": b"{", "more_body": True}]
    assert scene.play().straight == []


def test_a_body_that_comes_a_little_later_is_waited_for():
    scene = Scene(whole=False).play()
    assert scene.straight == [(BODY, None)]


def test_a_body_that_does_not_come_is_left_to_the_endpoint(monkeypatch):
    monkeypatch.setattr(straight, "BODY_SECONDS", 0.01)
    scene = Scene(whole=False)
    scene.coming = []
    assert scene.play().routed == [None]


def test_a_foreseen_failure_is_a_problem_document():
    scene = Scene()
    scene.told = Overloaded("Too much.", "Come back.")
    start, _ = scene.play().sent
    assert start["status"] == 503
    assert (b"retry-after", b"1") in start["headers"]


def test_what_breaks_is_for_those_outside_to_tell():
    scene = Scene()
    scene.told = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        scene.play()
