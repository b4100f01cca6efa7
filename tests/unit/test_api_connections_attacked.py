"""Requests that mean harm: what is sent in place of a body, behind it, and after an answer."""

import contextlib
import time

import pytest

from bounded_server import (
    BIG_ANSWER,
    GET,
    SMALL,
    asked,
    bounded_server,
    connecting,
    heard,
    problem_of,
)
from jobchurn.api.connections import Connection, look_at


@pytest.fixture(scope="module")
def server():
    with bounded_server() as running:
        yield running


@pytest.fixture
def connect(server):
    with connecting(server) as connect:
        yield connect


POST = b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "rest",
    [
        b"0\r\n" + b"X-Many: x\r\n" * 1_000,
        b"0\r\nX-Long: " + b"x" * 20_000,
        b"5;" + b"x" * 20_000,
        b"1\r\nb\r\n" * 100 + b"5;" + b"x" * 20_000,
    ],
)
def test_what_stands_around_the_pieces_of_a_body_has_an_end(connect, rest):
    one = connect()
    one.sendall(POST + b"\r\n" + rest)
    assert b"HTTP/1.1 431" in heard(one)


def test_a_body_in_many_small_pieces_is_taken(connect):
    one = connect()
    one.sendall(POST + b"Connection: close\r\n\r\n" + b"1\r\nb\r\n" * 50_000 + b"0\r\n\r\n")
    assert b"50000" in heard(one)


def test_fields_behind_a_body_are_no_headers(connect):
    one = connect()
    one.sendall(
        POST + b"Connection: close\r\n\r\n1\r\nb\r\n0\r\nAuthorization: Bearer of-nobody\r\n\r\n"
    )
    assert heard(one).startswith(b"HTTP/1.1 200 OK")
    assert b"authorization" not in dict(asked[-1]["headers"])


@pytest.mark.parametrize("end", [b"\r\n", b""])
def test_a_head_of_very_many_fields_is_refused_before_it_has_come(connect, end):
    one = connect()
    one.sendall(b"GET / HTTP/1.1\r\n" + b"a:\r\n" * (SMALL.fields + 2) + end)
    problem = problem_of(heard(one))
    assert (problem["status"], str(SMALL.fields) in problem["detail"]) == (431, True)


def test_as_many_fields_as_a_head_may_have_are_taken(connect):
    one = connect()
    one.sendall(b"GET / HTTP/1.0\r\n" + b"a:\r\n" * SMALL.fields + b"\r\n")
    assert heard(one).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("length", [b"Content-Length: 33", b"Transfer-Encoding: chunked"])
def test_the_body_of_a_request_for_another_protocol_is_never_a_request(connect, length):
    one = connect()
    before = len(asked)
    upgrade = b"POST / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    one.sendall(upgrade + length + b"\r\n\r\n")
    assert problem_of(heard(one))["status"] == 400
    assert len(asked) == before


def test_what_follows_a_request_for_another_protocol_is_never_a_request(connect):
    one = connect()
    before = len(asked)
    one.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        one.sendall(GET)
    assert heard(one).count(b"HTTP/1.1") == 1
    assert len(asked) == before + 1


@pytest.mark.parametrize(
    ("begun", "drip"),
    [
        (b"POST /early HTTP/1.1\r\nHost: here\r\nContent-Length: 9000\r\n\r\n", b"b"),
        (b"POST /early HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nb\r\n"),
        (b"POST /early HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"x"),
        (b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", b"\r\n"),
    ],
)
def test_whoever_is_answered_and_drips_on_is_sent_away(connect, begun, drip):
    one = connect()
    one.sendall(begun)
    assert one.recv(65_536).startswith(b"HTTP/1.1 200 OK")
    with contextlib.suppress(ConnectionError):
        for _ in range(1_000):
            one.sendall(drip)
            time.sleep(0.02)
        pytest.fail("it may drip for ever")


def test_a_connection_that_is_used_all_the_time_stays(connect):
    one = connect()
    began = time.monotonic()
    while time.monotonic() - began < 3 * SMALL.idle_seconds:
        one.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        said = b""
        while not said.endswith(b"\r\n0\r\n\r\n"):
            part = one.recv(65_536)
            assert part
            said += part


@pytest.mark.parametrize("path", [b"/big", b"/stream"])
def test_a_client_that_is_to_be_sent_away_is_cut_off_too(connect, server, path):
    one = connect(receive_buffer=4_096)
    one.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    taken = len(one.recv(1_024))
    while server.server_state.connections:
        time.sleep(0.01)
    assert taken + len(heard(one)) < BIG_ANSWER


def test_a_client_that_takes_a_byte_now_and_then_is_cut_off(connect, server):
    one = connect(receive_buffer=4_096)
    one.sendall(b"GET /stream HTTP/1.1\r\nHost: here\r\n\r\n")
    taken = len(one.recv(1_024))
    while server.server_state.connections:
        taken += len(one.recv(1_024))
        time.sleep(0.01)
    assert taken + len(heard(one)) < BIG_ANSWER


class Holding(Connection):
    """Stands in for a connection whose client takes nothing."""

    bounds = SMALL
    taken_at = None

    def __init__(self, megabytes, taken_at):
        self.held, self.taken_at = megabytes * 1024 * 1024, taken_at

    @property
    def unsent(self):
        return self.held

    def look(self, now):
        pass

    def give_up(self, _):
        self.held = 0


def test_where_answers_fill_the_memory_those_are_cut_off_that_have_waited_longest():
    waiting = [Holding(20, taken_at=moment) for moment in (5, 1, 4, 2, 3)]
    look_at([*waiting, Holding(0, taken_at=0)], now=6)
    assert [bool(one.held) for one in waiting] == [True, False, True, False, False]
