"""What one connection may take, by a server on the loopback whose bounds are small."""

import resource
import time

import pytest

from bounded_server import (
    BIG_ANSWER,
    GET,
    SMALL,
    bounded_server,
    connecting,
    heard,
    problem_of,
)
from jobchurn.api import connections
from jobchurn.api.connections import BOUNDS, make_room


@pytest.fixture(scope="module")
def server():
    with bounded_server() as running:
        yield running


@pytest.fixture
def connect(server):
    with connecting(server) as connect:
        yield connect


def flood(connection, part=bytes(65_536)):
    while True:
        connection.sendall(part)


def test_an_ordinary_request_is_answered(connect):
    one = connect()
    one.sendall(GET)
    assert heard(one).endswith(b"\r\n0\r\n\r\n")


def test_requests_one_after_the_other_each_have_bounds_of_their_own(connect):
    one = connect()
    filler = b"X-Filler: " + b"x" * 700 + b"\r\n"
    request = b"GET / HTTP/1.1\r\nHost: here\r\n" + filler
    one.sendall((request + b"\r\n") * 9 + request + b"Connection: close\r\n\r\n")
    assert heard(one).count(b"HTTP/1.1 200 OK") == 10


def test_requests_far_ahead_of_their_answers_are_cut_off(connect, server):
    one = connect()
    request = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
    one.sendall(request * 20)
    said = b""
    while said.count(b"HTTP/1.1 200 OK") < 20:
        said += one.recv(65_536)
    with pytest.raises(ConnectionError):
        flood(one, request * 1_000)
    assert len(heard(one)) < 1_000_000


def test_a_body_is_not_counted_as_a_head(connect):
    one = connect()
    one.sendall(
        b"POST / HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: 50000\r\n\r\n"
        + b"b" * 50_000
    )
    assert b"50000" in heard(one)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 2_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 2_000,
        b"GET / HTTP/1.1\r\n" + b"X-Many: x\r\n" * 200,
        b"GET / HTTP/1.1\r\n" + b"N" * 2_000,
        b"GET / HTTP/1.1\r\nHost: here\r\n\r\nGET / HTTP/1.1\r\nX-Long: " + b"x" * 2_000,
    ],
)
def test_a_head_that_is_too_long_is_refused(connect, head):
    one = connect()
    one.sendall(head)
    answer = heard(one)
    assert b"HTTP/1.1 431" in answer
    problem_of(answer[answer.index(b"HTTP/1.1 431") :])


def test_a_head_of_the_greatest_size_is_taken(connect):
    one = connect()
    filler = b"x" * (SMALL.head_bytes - len(GET) - len(b"X-Filler: \r\n") - 1)
    one.sendall(GET[:-2] + b"X-Filler: " + filler + b"\r\n\r\n")
    assert heard(one).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: he"])
def test_a_head_that_does_not_come_is_given_up(connect, begun):
    one = connect()
    one.sendall(begun)
    assert problem_of(heard(one))["status"] == 408


def test_a_head_that_drips_is_given_up_however_often_something_comes(connect):
    one = connect()
    one.settimeout(0.02)
    answer = b""
    for byte in b"GET / HTTP/1.1\r\nX-Drip: " + b"x" * 900:
        try:
            one.sendall(bytes([byte]))
            answer = one.recv(65_536)
        except TimeoutError:
            continue
        except ConnectionError:
            pass
        break
    assert problem_of(answer)["status"] == 408


@pytest.mark.parametrize("path", [b"/big", b"/stream"])
def test_a_client_that_takes_nothing_of_its_answer_is_cut_off(connect, server, path):
    one = connect(receive_buffer=4_096)
    one.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: here\r\n\r\n")
    # Some of it, so that it is certain that the answer is under way.
    taken = len(one.recv(1_024))
    while server.server_state.connections:
        time.sleep(0.01)
    assert taken + len(heard(one)) < BIG_ANSWER


@pytest.mark.parametrize("path", [b"/big", b"/stream"])
def test_a_client_that_takes_its_answer_slowly_gets_all_of_it(connect, path):
    one = connect(receive_buffer=65_536)
    one.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    began, taken = time.monotonic(), 0
    while part := one.recv(262_144):
        taken += len(part)
        if taken < BIG_ANSWER / 8:
            time.sleep(0.13)
    assert taken > BIG_ANSWER
    # Longer in all than a client may take nothing, which is the point.
    assert time.monotonic() - began > SMALL.unread_seconds


def test_a_body_that_nobody_wants_any_more_is_taken_up_to_a_bound(connect, server):
    one = connect()
    one.sendall(b"POST /early HTTP/1.1\r\nHost: here\r\nContent-Length: 900000000\r\n\r\n")
    assert one.recv(65_536).startswith(b"HTTP/1.1 200 OK")
    with pytest.raises(ConnectionError):
        flood(one)


def test_connections_beyond_the_bound_are_sent_away_and_the_others_served(connect, server):
    held = [connect() for _ in range(SMALL.at_once)]
    while len(server.server_state.connections) < SMALL.at_once:
        time.sleep(0.01)
    assert problem_of(heard(connect()))["status"] == 503
    held[0].sendall(GET)
    assert heard(held[0]).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    "nonsense", [b"\x16\x03\x01\x02\x00\x01", b"NONSENSE\r\n\r\n", b"GET / HTTP/9\r\n\r\n"]
)
def test_what_is_no_http_is_answered_with_a_problem(connect, nonsense):
    one = connect()
    one.sendall(nonsense)
    assert problem_of(heard(one))["status"] == 400


def test_a_request_to_speak_another_protocol_is_answered_in_http(connect):
    one = connect()
    one.sendall(
        b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n"
    )
    assert heard(one).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ((1_024, 500_000), (1_256, 500_000)),
        ((1_024, 1_100), (1_100, 1_100)),
        ((1_024, resource.RLIM_INFINITY), (1_256, resource.RLIM_INFINITY)),
        ((4_096, 4_096), None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
    ],
)
def test_a_process_makes_room_for_its_connections_where_it_may(monkeypatch, limits, wanted):
    made = []
    monkeypatch.setattr(connections.resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(connections.resource, "setrlimit", lambda _, new: made.append(new))
    make_room(BOUNDS)
    assert made == ([] if wanted is None else [wanted])
