"""Connections: how much of one is taken, how many there may be, and how long one may say nothing.

The server parses what comes before any of our code sees it. It bounds neither the head of a request
nor the time that one takes to come, nor how long an answer may wait for a client that does not read
it; a few hundred such clients would hold it for ever. This is its protocol with those bounds.
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import secrets
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

log = logging.getLogger(__name__)


class Bounds(NamedTuple):
    """What one connection, and all together, may take.

    Attributes:
        head_bytes: of the request line and all header lines.
        head_seconds: how long a head may take to come, and a new connection to begin.
        unread_seconds: how long a client may take nothing of an answer that waits for it.
        unwanted_bytes: how much of a body is taken, and dropped, whose answer is given already.
        pipelined: how many requests one may send ahead of their answers.
        at_once: how many connections may be open.
    """

    head_bytes: int = 65_536
    head_seconds: float = 10.0
    unread_seconds: float = 30.0
    unwanted_bytes: int = 4 * 1024 * 1024
    pipelined: int = 100
    at_once: int = 1_000


BOUNDS = Bounds()

OTHER_FILES = 256
"""How many files a process may have open beside its connections."""


class _CutOff(Exception):
    """The connection is cut; the parser goes no further."""


class Connection(HttpToolsProtocol):
    """One connection, within :attr:`bounds`. Whoever serves calls :meth:`look` every second."""

    bounds = BOUNDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_since = self.loop.time()
        self._head_bytes = 0
        self._unwanted = 0
        self._unsent = 0
        self._taken_at = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection in, where there is room for one more."""
        super().connection_made(transport)
        if len(self.connections) > self.bounds.at_once:
            self._refuse(
                HTTPStatus.SERVICE_UNAVAILABLE, "All connections are taken.", "Come back later."
            )

    def data_received(self, data: bytes) -> None:
        """Parse what has come; of one head no more than it may have."""
        # What follows the end of a head is a body, or a further head with bounds of its own.
        room = self.bounds.head_bytes - self._head_bytes if self._in_head else len(data)
        first, rest = data[:room], data[room:]
        self._head_bytes += len(first)
        super().data_received(first)
        if self.transport.is_closing():
            return
        if not self._in_head:
            self._head_bytes = 0
        if self._head_bytes >= self.bounds.head_bytes:
            self._refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"The head of the request is longer than {self.bounds.head_bytes:,} bytes.",
                "Send less in them: records belong into the body.",
            )
        elif rest:
            self.data_received(rest)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head = True
        self._head_since = self.loop.time()
        self._unwanted = 0

    def on_headers_complete(self) -> None:
        """A head has ended."""
        super().on_headers_complete()
        self._in_head = False
        self._head_bytes = 0
        # The server keeps each in memory until its turn comes, and reads on after every answer.
        if len(self.pipeline) > self.bounds.pipelined:
            log.info("a client sent too many requests ahead; the connection is cut")
            self.transport.abort()
            raise _CutOff

    def on_body(self, body: bytes) -> None:
        """A part of a body; one that nobody waits for any more is dropped, up to a bound."""
        super().on_body(body)
        if self.cycle.response_complete:
            self._unwanted += len(body)
            if self._unwanted > self.bounds.unwanted_bytes:
                self.transport.close()

    def resume_writing(self) -> None:
        """The client has taken a part of the answer."""
        super().resume_writing()
        self._taken_at = self.loop.time()

    def look(self, now: float) -> None:
        """Close the connection where its client lets it wait for too long.

        Args:
            now: the loop's time.
        """
        if self.transport is None or self.transport.is_closing():
            return
        if self._in_head and now - self._head_since > self.bounds.head_seconds:
            self._refuse(
                HTTPStatus.REQUEST_TIMEOUT,
                f"The head of the request took longer than {self.bounds.head_seconds:g} seconds.",
                "Send it in one go.",
            )
            return
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent < self._unsent:
            self._taken_at = now
        self._unsent = unsent
        if now - self._taken_at > self.bounds.unread_seconds:
            log.info("a client took nothing of its answer for too long; the connection is cut")
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Answer what is no HTTP."""
        if self.transport.is_closing():
            return
        self._refuse(
            HTTPStatus.BAD_REQUEST, "This is no request in HTTP/1.1.", "Send one, without TLS."
        )

    def _refuse(self, status: HTTPStatus, detail: str, cure: str) -> None:
        """Answer in place of the application, and hang up."""
        body = json.dumps(
            {
                "type": f"urn:jobchurn:problem:{status.phrase.lower().replace(' ', '-')}",
                "title": status.phrase,
                "status": status.value,
                "detail": detail,
                "cure": cure,
                "request_id": secrets.token_hex(8),
            }
        ).encode()
        head = (
            b"content-type: application/problem+json",
            b"content-length: %d" % len(body),
            b"x-content-type-options: nosniff",
            b"connection: close",
        )
        self.transport.write(STATUS_LINE[status.value] + b"\r\n".join(head) + b"\r\n\r\n" + body)
        self.transport.close()


def look_at(connections: Iterable[object], now: float) -> None:
    """Close those connections whose clients let them wait for too long."""
    for connection in tuple(connections):
        if isinstance(connection, Connection):
            connection.look(now)


def make_room(bounds: Bounds = BOUNDS) -> None:
    """Let this process open as many files as there may be connections, where the system does."""
    wanted = bounds.at_once + OTHER_FILES
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY:
        wanted = min(wanted, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
