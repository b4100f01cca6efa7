"""The straight way: ordinary requests are answered without the framework's routing.

FastAPI spends more on finding an endpoint, its parameters and its answer than predicting a record
takes. A request that is plain in every way (JSON of a declared, small length that came whole) goes
to the endpoint's answer directly; any other takes the framework's way, which also finds the words
for whatever it refuses. It stands behind the gate and within what measures, traces and numbers
requests: none of that is passed by.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobchurn.api.connections import WHOLE
from jobchurn.api.few import LARGEST
from jobchurn.api.problems import answer_foreseen
from jobchurn.errors import JobchurnError

KEY = re.compile(rb"[!-~]{1,255}")
"""What an idempotency key may be."""


BODY_SECONDS = 1.0
"""How long a short body is waited for here; the endpoint waits longer, and says so in the end."""


class Told(NamedTuple):
    """An answer.

    Attributes:
        body: in JSON.
        replayed: whether it had been given before.
    """

    body: bytes
    replayed: bool


Answer = Callable[[Scope, bytes, str | None], Awaitable[Told | None]]
"""Given a request, its body and its idempotency key: the answer; ``None`` where it is none of the
ordinary ones. Nothing has been done then."""


class Straight:
    """Wraps the router, within the gate; pure ASGI.

    Args:
        app: what is wrapped; it gets whatever is out of the ordinary.
        answers: path → what answers ordinary requests that are posted to it.
    """

    def __init__(self, app: ASGIApp, answers: Mapping[str, Answer]) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        # The gate has found the route; what it has not let in does not get here.
        answer = self._answers.get(getattr(scope.get("route"), "path", ""))
        plain = answer and _plain(scope)
        if answer is None or plain is None:
            await self._app(scope, receive, send)
            return
        message = await (receive() if WHOLE in scope["state"] else _received(receive))
        if message is None:
            await self._app(scope, receive, send)
            return
        told = None
        if message["type"] == "http.request" and not message.get("more_body", False):
            try:
                told = await answer(scope, message["body"], plain.key)
            except JobchurnError as error:
                await answer_foreseen(Request(scope), error)(scope, receive, send)
                return
        if told is None:
            await self._app(scope, _after(message, receive), send)
            return
        headers = [
            (b"content-length", b"%d" % len(told.body)),
            (b"content-type", b"application/json"),
        ]
        if told.replayed:
            headers.append((b"idempotent-replayed", b"true"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": told.body})


async def _received(receive: Receive) -> Message | None:
    """What comes first of a body; nothing, and nothing is taken, where that takes long."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await receive()
    except TimeoutError:
        return None


class _Plain(NamedTuple):
    key: str | None


def _plain(scope: Scope) -> _Plain | None:
    """What matters of the head of a plain request; ``None`` where something is unusual."""
    if scope["method"] != "POST" or scope["query_string"]:
        return None
    kind = length = key = None
    for name, value in scope["headers"]:
        if name == b"content-type":
            if kind is not None or value != b"application/json":
                return None
            kind = value
        elif name == b"content-length":
            length = value
        elif name == b"idempotency-key":
            if key is not None or not KEY.fullmatch(value):
                return None
            key = value
        elif name in (b"content-encoding", b"transfer-encoding"):
            return None
    if kind is None or length is None or not length.isdigit() or len(length) > 9:
        return None
    return _Plain(key and key.decode()) if int(length) <= LARGEST else None


def _after(first: Message, receive: Receive) -> Receive:
    """Receives a message again that was received already, and then what follows."""
    waiting = [first]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again
