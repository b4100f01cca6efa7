"""Answers in one write: head and body of a short answer go out together.

The server writes them one after the other, which costs a system call more than there need be, and
looks at every header anew. Answers that come in several parts, or that are not quite ordinary, go
out as the server sends them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

SHORT = 64 * 1024
"""Bytes up to which a body is copied behind its head."""

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\x20-\x7e]*")

_OWN_VALUES = {b"content-length", b"x-request-id"}
"""Headers whose values differ from answer to answer: those are not remembered."""

_SEEN_TO = {b"connection", b"transfer-encoding"}
"""Headers that say how the answer is sent: the server sees to them."""


class OneWrite:
    """Runs an application for one request, and sends its answer.

    Args:
        app: the application, as the server calls it.
        cycle: the server's side of the request.
    """

    def __init__(self, app: Any, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle
        self._head: Any = None

    async def __call__(self, scope: Any, receive: Any, _: Any) -> None:
        """Answer the request; what breaks after the head of an answer breaks it off, as ever."""
        try:
            await self._app(scope, receive, self._send)
        finally:
            if self._head is not None:
                await self._pass_on()

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start" and self._head is None:
            self._head = message
            return
        if self._head is not None:
            if not message.get("more_body", False) and self._sent_whole(message.get("body", b"")):
                return
            await self._pass_on()
        await self._cycle.send(message)

    async def _pass_on(self) -> None:
        """Let the server send the head by itself."""
        head, self._head = self._head, None
        await self._cycle.send(head)

    def _sent_whole(self, body: bytes) -> bool:
        """Send head and body, where nothing about them is out of the ordinary."""
        cycle, head = self._cycle, self._head
        if head is None or cycle.response_started or cycle.disconnected or not cycle.keep_alive:
            return False
        if cycle.flow.write_paused or cycle.scope["method"] == "HEAD" or len(body) > SHORT:
            return False
        lines = [STATUS_LINE[head["status"]]]
        length = None
        for name, value in (*cycle.default_headers, *head["headers"]):
            if name == b"content-length":
                length = value
            if name in _OWN_VALUES and value.isalnum():
                line = name + b": " + value + b"\r\n"
            else:
                line = _line(name, value)
            if not line:
                return False
            lines.append(line)
        if length != b"%d" % len(body):
            return False
        lines += b"\r\n", body
        self._head = None
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.message_event.set()
        cycle.transport.write(b"".join(lines))
        cycle.on_response()
        return True


@lru_cache(maxsize=256)
def _line(name: bytes, value: bytes) -> bytes:
    """A header as it is sent; nothing where it needs a closer look."""
    ordinary = _NAME.fullmatch(name) and _VALUE.fullmatch(value) and name not in _SEEN_TO
    return name.lower() + b": " + value + b"\r\n" if ordinary else b""
