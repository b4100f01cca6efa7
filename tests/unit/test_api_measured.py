"""What is measured of a request, however it ends."""

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from jobchurn.api.measured import Answered, Measured
from jobchurn.api.middleware import EveryRequest


class Watch:
    """Holds what it was told."""

    def __init__(self):
        self.came, self.over, self.under_way = [], [], []

    def note_over(self, request, under_way):
        self.over.append(request)
        self.under_way.append(under_way)


async def item(request):
    request.state.records = 5
    return PlainTextResponse("done", int(request.query_params.get("status", 200)))


async def slow(request):
    async def parts():
        for _ in range(3):
            await asyncio.sleep(0.02)
            yield b"x"

    return StreamingResponse(parts())


async def cut(request):
    async def parts():
        yield b"x"
        raise ZeroDivisionError

    return StreamingResponse(parts())


async def broken(request):
    raise ZeroDivisionError


async def left(request):
    raise ClientDisconnect


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture
def client(watch):
    routes = [
        Route("/items/{id}", item),
        Route("/slow", slow),
        Route("/cut", cut),
        Route("/broken", broken),
        Route("/left", left),
    ]
    app = Starlette(routes=routes)
    app.add_middleware(EveryRequest)
    app.add_middleware(Measured, came=watch.came.append, over=watch.note_over)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_a_request_is_told_by_its_route_and_not_by_its_path(client, watch):
    client.get("/items/7?status=202")
    [told] = watch.over
    assert isinstance(told, Answered)
    assert (told.route, told.method, told.status) == ("/items/{id}", "GET", 202)
    assert (told.records, told.waiting) == (5, 0)
    assert told.at > 1_700_000_000
    assert (watch.came, watch.under_way) == ([1], [0])


def test_a_head_is_told_as_such_with_its_route(client, watch):
    client.head("/items/7")
    assert [(told.method, told.route, told.status) for told in watch.over] == [
        ("HEAD", "/items/{id}", 200)
    ]


@pytest.mark.parametrize("path", ["/made-up", "/items", "/%00", "/items/7/8"])
def test_a_path_that_no_endpoint_takes_has_no_name(client, watch, path):
    client.get(path)
    assert [(told.route, told.status) for told in watch.over] == [("-", 404)]


def test_a_method_that_was_made_up_has_no_name(client, watch):
    client.request("BREW", "/items/7")
    assert [(told.route, told.method, told.status) for told in watch.over] == [
        ("/items/{id}", "_OTHER", 405)
    ]


def test_a_stream_counts_until_its_last_byte(client, watch):
    assert client.get("/slow").text == "xxx"
    assert watch.over[0].seconds >= 0.06


@pytest.mark.parametrize("path", ["/broken", "/cut"])
def test_what_breaks_counts_as_our_failure_even_in_mid_answer(client, watch, path):
    client.get(path)
    assert watch.over[0].status == 500


def test_a_client_that_left_is_told_as_one(client, watch):
    client.get("/left")
    assert watch.over[0].status == 499


def test_what_is_under_way_is_counted_when_another_comes(watch):
    async def scene():
        go = asyncio.Event()

        async def app(scope, receive, send):
            await go.wait()

        measured = Measured(app, came=watch.came.append, over=watch.note_over)
        scope = {"type": "http", "method": "GET", "path": "/"}
        asked = [asyncio.create_task(measured(dict(scope), None, None)) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(*asked)

    asyncio.run(scene())
    assert watch.came == [1, 2, 3]
    assert sorted(told.waiting for told in watch.over) == [0, 1, 2]
    assert watch.under_way == [2, 1, 0]
