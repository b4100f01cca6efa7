"""A server on the loopback with narrow bounds, and what its clients say and hear."""

import asyncio
import json
import socket
import threading
import time
from contextlib import contextmanager

import uvicorn

from jobchurn.api.connections import Bounds, Connection, look_at

SMALL = Bounds(
    head_bytes=1_000,
    head_seconds=1.5,
    idle_seconds=1.0,
    unread_seconds=2.0,
    unread_bytes=256 * 1024,
    unsent_bytes=48 * 1024 * 1024,
    unwanted_bytes=10_000,
    pipelined=20,
    at_once=8,
)
asked = []
BIG_ANSWER = 32 * 1024 * 1024


async def application(scope, receive, send):
    """Says how long the body was; of /big an answer that no socket's buffers hold, in two ways."""
    if scope["type"] != "http":
        return
    asked.append(scope)
    size, more = 0, scope["path"] != "/early"
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/big":
        await send({"type": "http.response.body", "body": bytes(BIG_ANSWER)})
    elif scope["path"] == "/stream":
        for _ in range(BIG_ANSWER // 65_536):
            await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
        await send({"type": "http.response.body"})
    else:
        await send({"type": "http.response.body", "body": b"%d" % size})


class LookingServer(uvicorn.Server):
    async def on_tick(self, counter):
        look_at(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)


class Bounded(Connection):
    bounds = SMALL


@contextmanager
def bounded_server():
    """The server, while it runs."""
    config = uvicorn.Config(
        application,
        port=0,
        http=Bounded,
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_keep_alive=0,
    )
    running = LookingServer(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield running
    running.should_exit = True
    thread.join()


@contextmanager
def connecting(server):
    """Opens connections to the server; all are closed again, and seen to be by it."""
    port = server.servers[0].sockets[0].getsockname()[1]
    opened = []

    def connect(receive_buffer=None):
        one = socket.socket()
        if receive_buffer:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        one.settimeout(30)
        one.connect(("127.0.0.1", port))
        opened.append(one)
        return one

    yield connect
    for one in opened:
        one.close()
    while server.server_state.connections:
        time.sleep(0.01)


def heard(connection):
    """Everything that is said until the server hangs up."""
    said = b""
    while True:
        try:
            part = connection.recv(65_536)
        except ConnectionResetError:
            return said
        if not part:
            return said
        said += part


def problem_of(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    told = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % told["status"])
    assert told["cure"]
    return told


GET = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
