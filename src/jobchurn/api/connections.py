"""Connections: how much of one is taken, how many there may be, and how long one may say nothing.

The server parses what comes before any of our code sees it. It bounds neither the head of a request
nor the time that one takes to come, nor how long an answer may wait for a client that does not read
it; a few hundred such clients would hold it for ever. This is its protocol with those bounds.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import resource
import secrets
import termios
from array import array
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from jobchurn.api.one_write import OneWrite

log = logging.getLogger(__name__)


class Bounds(NamedTuple):
    """What one connection, and all together, may take.

    Attributes:
        head_bytes: of the request line and all header lines; and of what stands between two pieces
            of a body, and behind the last.
        fields: how many header lines a head may have: each takes many times its bytes here.
        head_seconds: how long a head may take to come, and a new connection to begin.
        idle_seconds: how long after an answer what is left of its request may take to come, or the
            next head to begin, whatever comes instead.
        unread_seconds: in which time a client must take a part of an answer that waits for it.
        unread_bytes: how much of it, or all.
        unsent_bytes: of the answers that wait for all clients together.
        unwanted_bytes: how much of a body is taken, and dropped, whose answer is given already.
        pipelined: how many requests one may send ahead of their answers.
        at_once: how many connections may be open.
    """

    head_bytes: int = 65_536
    fields: int = 100
    head_seconds: float = 10.0
    idle_seconds: float = 10.0
    unread_seconds: float = 30.0
    unread_bytes: int = 1024 * 1024
    unsent_bytes: int = 256 * 1024 * 1024
    unwanted_bytes: int = 4 * 1024 * 1024
    pipelined: int = 100
    at_once: int = 1_000


BOUNDS = Bounds()

OTHER_FILES = 256
"""How many files a process may have open beside its connections."""


WHOLE = "whole"
"""A request's state has this, and true, once its body has come to its end."""


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
        self._has_body = False
        self._has_come = False
        self._idle_since: float | None = None
        self._unwanted = 0
        self._unsent = 0
        self._taken = 0
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
        # Beside heads it bounds what announces the pieces of a body, and the fields behind it: the
        # parser takes both without end. A piece itself may be of any length.
        room = self.bounds.head_bytes - self._head_bytes
        first, rest = data[:room], data[room:]
        self._head_bytes += len(first)
        self._has_come = False
        super().data_received(first)
        if self.transport.is_closing():
            return
        if self._has_come:
            self._head_bytes = 0
        if self._head_bytes >= self.bounds.head_bytes:
            self._refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"The head of the request is longer than {self.bounds.head_bytes:,} bytes.",
                "Send less in them: records belong into the body.",
            )
        elif rest:
            self.data_received(rest)

    def timeout_keep_alive_handler(self) -> None:
        """Do nothing: :meth:`look` closes what is idle.

        The server would after 5 seconds, which is as long as many clients keep a connection: a
        request that is sent in the moment in which it is closed has no answer.
        """

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head = True
        self._has_body = False
        self._idle_since = None
        self._head_since = self.loop.time()
        self._unwanted = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of a head; what stands behind a body comes too late to be one (RFC 9110, 6.5)."""
        if not self._in_head:
            return
        super().on_header(name, value)
        if len(self.headers) > self.bounds.fields:
            self._refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"The request has more than {self.bounds.fields} headers.",
                "Send fewer: records belong into the body.",
            )
            raise _CutOff
        if name.lower() == b"transfer-encoding" or (
            name.lower() == b"content-length" and value.strip(b"0 ")
        ):
            self._has_body = True

    def on_headers_complete(self) -> None:
        """A head has ended."""
        if self.parser.should_upgrade() and self._has_body:
            # The parser takes no body here: it would be read as the next request.
            self._refuse(
                HTTPStatus.BAD_REQUEST,
                "A request to speak another protocol has a body.",
                "Send it without the header Upgrade.",
            )
            raise _CutOff
        super().on_headers_complete()
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False  # what follows may be of that protocol
        self._in_head = False
        self._has_come = True
        # The server keeps each in memory until its turn comes, and reads on after every answer.
        if len(self.pipeline) > self.bounds.pipelined:
            log.info("a client sent too many requests ahead; the connection is cut")
            self.transport.abort()
            raise _CutOff

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, OneWrite(app, cycle))

    def on_body(self, body: bytes) -> None:
        """A part of a body; one that nobody waits for any more is dropped, up to a bound."""
        super().on_body(body)
        self._has_come = True
        if self.cycle.response_complete:
            self._unwanted += len(body)
            if self._unwanted > self.bounds.unwanted_bytes:
                self.transport.close()

    def on_message_complete(self) -> None:
        """A request has come whole."""
        super().on_message_complete()
        self._has_come = True
        state: dict[str, object] = self.scope["state"]
        state[WHOLE] = True

    def pause_writing(self) -> None:
        """More of the answer waits for the client than is good."""
        super().pause_writing()
        self._note_taken()

    def resume_writing(self) -> None:
        """The client has taken a part of the answer."""
        super().resume_writing()
        self._note_taken()

    @property
    def unsent(self) -> int:
        """How many bytes of answers wait for the client."""
        return self.transport.get_write_buffer_size()

    @property
    def taken_at(self) -> float:
        """Since when the client has taken too little of what waits for it, by the loop's time."""
        return self._taken_at

    def look(self, now: float) -> None:
        """Close the connection where its client lets it wait for too long.

        Args:
            now: the loop's time.
        """
        self._note_taken()
        # Also where it is to be closed: that waits until the last byte is taken.
        if now - self._taken_at > self.bounds.unread_seconds:
            self.give_up("a client took too little of its answer")
        elif self.transport.is_closing():
            return
        elif self._in_head and now - self._head_since > self.bounds.head_seconds:
            self._refuse(
                HTTPStatus.REQUEST_TIMEOUT,
                f"The head of the request took longer than {self.bounds.head_seconds:g} seconds.",
                "Send it in one go.",
            )
        elif self._in_head or self.cycle is None or not self.cycle.response_complete:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        elif now - self._idle_since > self.bounds.idle_seconds:
            # Without a word: one that is answered waits for none.
            self.transport.close()

    def give_up(self, why: str) -> None:
        """Cut the connection, with whatever its client has not taken."""
        log.info("%s; the connection is cut", why)
        self.transport.abort()

    def _note_taken(self) -> None:
        """Take note of how much of what waits the client has taken since the last time."""
        unsent = self.unsent and self.unsent + _in_system(self.transport)
        self._taken += max(0, self._unsent - unsent)
        self._unsent = unsent
        if not unsent or self._taken >= self.bounds.unread_bytes:
            self._taken, self._taken_at = 0, self.loop.time()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: anybody can ask for another protocol, as often as they like."""

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


def _in_system(transport: asyncio.Transport) -> int:
    """How many bytes the system keeps for a client: megabytes, of which it asks for more at once.

    Nothing where it does not tell: then only its own asking shows that the client takes some.
    """
    left = array("i", [0])
    with suppress(OSError):
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, left)
    return left[0]


def look_at(connections: Iterable[object], now: float) -> None:
    """Close those connections whose clients let them wait for too long, or hold too much.

    Where all together hold more than they may, those are cut that have waited longest.
    """
    ours = [connection for connection in connections if isinstance(connection, Connection)]
    for connection in ours:
        connection.look(now)
    held = sum(connection.unsent for connection in ours)
    for connection in sorted(ours, key=lambda one: one.taken_at):
        if held <= connection.bounds.unsent_bytes:
            return
        if unsent := connection.unsent:
            held -= unsent
            connection.give_up("answers that nobody takes fill the memory")


def make_room(bounds: Bounds = BOUNDS) -> None:
    """Let this process open as many files as there may be connections, where the system does."""
    wanted = bounds.at_once + OTHER_FILES
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY:
        wanted = min(wanted, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
