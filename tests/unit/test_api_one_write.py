"""Answers in one write: the same bytes as the server's own, and the server's way for all others."""

import asyncio
import logging

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from jobchurn.api.one_write import SHORT, OneWrite

BODY = b'{"n":1}'
HEADERS = [
    (b"Content-Type", b"application/json"),
    (b"content-length", b"7"),
    (b"x-request-id", b"0123456789abcdef"),
]


class Transport:
    """Takes down what is written, piece by piece."""

    def __init__(self):
        self.written = []
        self.closed = False

    def write(self, data):
        self.written.append(data)

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed


class Asked:
    """A request whose answer is looked at."""

    def __init__(self, *, method="GET", keep_alive=True):
        self.transport, self.over = Transport(), 0
        self.cycle = RequestResponseCycle(
            scope={"method": method},
            transport=self.transport,
            flow=FlowControl(self.transport),
            logger=logging.getLogger("uvicorn.error"),
            access_logger=logging.getLogger("uvicorn.access"),
            access_log=False,
            default_headers=[(b"date", b"Sat, 28 Nov 2026 18:00:00 GMT")],
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=keep_alive,
            on_response=self.note,
        )

    def note(self):
        self.over += 1

    async def answer(self, app, *, in_one):
        await self.cycle.run_asgi(OneWrite(app, self.cycle) if in_one else app)
        return b"".join(self.transport.written)


def answering(*bodies, headers=HEADERS, status=200, breaks=False):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if breaks:
            raise ZeroDivisionError
        for number, body in enumerate(bodies, start=1):
            more = number < len(bodies)
            await send({"type": "http.response.body", "body": body, "more_body": more})

    return app


def compared(app, **asked):
    """The answer in one write and the server's own: the requests, and that the bytes agree."""

    async def both():
        ours, theirs = Asked(**asked), Asked(**asked)
        mine = await ours.answer(app, in_one=True)
        assert mine == await theirs.answer(app, in_one=False)
        assert ours.over == theirs.over
        assert ours.transport.closed == theirs.transport.closed
        assert ours.cycle.response_complete == theirs.cycle.response_complete
        return len(ours.transport.written), len(theirs.transport.written)

    return asyncio.run(both())


def test_a_short_answer_goes_out_at_once():
    assert compared(answering(BODY)) == (1, 2)


@pytest.mark.parametrize("status", [200, 404, 503])
def test_whatever_its_status_it_is_the_servers_to_the_byte(status):
    assert compared(answering(BODY, status=status)) == (1, 2)


def test_a_long_answer_is_not_copied():
    body = bytes(SHORT + 1)
    ours, theirs = compared(answering(body, headers=[(b"content-length", b"%d" % len(body))]))
    assert ours == theirs == 2


def test_an_answer_in_parts_is_sent_in_parts():
    ours, theirs = compared(answering(b'{"n"', b":1}"))
    assert ours == theirs == 3


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-type", b"text/plain")],
        [(b"content-length", b"8")],
        [(b"content-length", b"6")],
        [*HEADERS, (b"connection", b"close")],
        [*HEADERS, (b"x-text", "ä".encode())],
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_the_server(headers):
    ours, theirs = compared(answering(BODY, headers=headers))
    assert ours == theirs


@pytest.mark.parametrize("asked", [{"method": "HEAD"}, {"keep_alive": False}])
def test_a_request_that_is_out_of_the_ordinary_is_left_to_the_server(asked):
    ours, theirs = compared(answering(BODY), **asked)
    assert ours == theirs


def test_a_header_that_would_begin_another_one_is_never_sent():
    headers = [*HEADERS, (b"x-text", b"a\r\nset-cookie: b")]
    compared(answering(BODY, headers=headers))


@pytest.mark.parametrize("bodies", [(), (BODY,)])
def test_an_answer_that_breaks_after_its_head_is_broken_off(bodies):
    compared(answering(*bodies, breaks=True))
