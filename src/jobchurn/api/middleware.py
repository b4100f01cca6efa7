"""What holds for every request: a number, headers that keep browsers from guessing, an answer."""

from __future__ import annotations

import logging
import random
from contextlib import suppress
from functools import lru_cache

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobchurn.api.problems import answer_unforeseen

log = logging.getLogger(__name__)

# Whatever an answer holds, it stays with whoever asked, and a browser takes it for what it says it
# is: it runs and loads nothing, stands in no frame, and tells nobody its address, which may be a
# signed link. Cross-Origin-Opener-Policy is not among it: browsers refuse a sandboxed page with it.
_UNLESS_SAID = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)

_REMEMBERED = 64

_chance = random.Random()  # noqa: S311 (a number is no secret)
"""Begun by the system's chance in each process; asking the system each time takes a call of it."""


class _HeadSent(Exception):
    """The head of an answer is sent, and more was not asked for."""


def _head_of(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        await send(message)
        await send({"type": "http.response.body"})
        raise _HeadSent

    return send_head


@lru_cache(maxsize=_REMEMBERED)
def _unsaid(names: tuple[bytes, ...]) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that an answer with headers of these names lacks."""
    said = {name.lower() for name in names}
    return tuple(header for header in _UNLESS_SAID if header[0] not in said)


class EveryRequest:
    """Wraps the application; pure ASGI, so that answers stream through it.

    HEAD is answered as GET is, up to the body, which is not made.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            asked = {**scope, "method": "GET"}
            try:
                with suppress(_HeadSent):
                    await self(asked, receive, _head_of(send))
            finally:
                scope["route"] = asked.get("route")  # which endpoint it was is measured outside
            return
        number = f"{_chance.getrandbits(64):016x}"
        scope.setdefault("state", {})["number"] = number
        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                said = message.get("headers", ())
                message["headers"] = [
                    *said,
                    *_unsaid(tuple([name for name, _ in said])),
                    (b"x-request-id", number.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except _HeadSent:
            raise
        except ClientDisconnect:
            log.info("request %s: the client left before it was answered", number)
        except Exception:
            # The path is shown quoted: it may hold whatever a client can send.
            log.exception("request %s: %s %r", number, scope["method"], scope["path"])
            if begun:
                raise  # the server cuts the connection, and the client sees that it was cut
            response = answer_unforeseen(Request(scope))
            await response(scope, receive, send_with_headers)
