"""What the request log and the metrics cost: the same application with and without them, by turns.

Usage: ``python -m benchmarks.request_log [--rounds 40] [--requests 1000]``

The applications are called in this process, without HTTP between, so that nothing hides the cost:
first the cheapest endpoint there is, one request after the other, then predictions of one record
each, 32 at once, stored in an embedded PostgreSQL. Each round asks both, in alternating order.
What is counted is the time that this process computes, so that others on the machine count for
little.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import orjson
from fastapi import FastAPI
from starlette.types import Message

from benchmarks.processes import free_port
from jobchurn import wiring
from jobchurn.api import create_app
from jobchurn.api.measured import Measured
from jobchurn.api.schema import example_of
from jobchurn.flow.services import Services
from jobchurn.flow.start import prepare
from jobchurn.settings import Settings

AT_ONCE = 32


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure what the request log costs.")
    parser.add_argument("--rounds", type=int, default=40, help="how many pairs of measurements")
    parser.add_argument("--requests", type=int, default=1_000, help="how many in each")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="jobchurn-") as home:
        settings = Settings(jobchurn_home=Path(home), database_url=None, postgres_port=free_port())
        with wiring.services(settings) as services:
            prepare(services, lambda _: None)
            asyncio.run(_measure(services, options.rounds, options.requests))


async def _measure(services: Services, rounds: int, requests: int) -> None:
    watched, bare = create_app(services), create_app(services)
    measured: object = Measured
    bare.user_middleware = [found for found in bare.user_middleware if found.cls is not measured]
    record = orjson.dumps({"records": [example_of(services.contract)]})
    gc.freeze()
    async with AsyncExitStack() as stack:
        for app in (watched, bare):
            await stack.enter_async_context(app.router.lifespan_context(app))

        async def cheap(app: FastAPI) -> None:
            for _ in range(requests):
                await _ask(app, "GET", "/panels")

        async def predictions(app: FastAPI) -> None:
            async def one_after_the_other() -> None:
                for _ in range(requests // AT_ONCE // 4):
                    await _ask(app, "POST", "/predict", record)

            await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))

        await _compare("GET /panels", cheap, requests, bare, watched, rounds)
        asked = requests // AT_ONCE // 4 * AT_ONCE
        await _compare("POST /predict", predictions, asked, bare, watched, rounds)


async def _compare(
    name: str,
    work: Callable[[FastAPI], Awaitable[None]],
    requests: int,
    bare: FastAPI,
    watched: FastAPI,
    rounds: int,
) -> None:
    found = []
    for number in range(-1, rounds):  # the first round warms up
        order = (bare, watched) if number % 2 else (watched, bare)
        taken = {}
        for app in order:
            begun = time.process_time()
            await work(app)
            taken[app] = (time.process_time() - begun) / requests * 1e6
        if number >= 0:
            found.append((taken[bare], taken[watched], taken[watched] / taken[bare]))
    print(f"\n{name}: microseconds of this process a request")
    print(f"{'':<8}{'without':>10}{'with':>10}{'ratio':>10}")
    columns = list(zip(*found, strict=True))
    print(f"{'median':<8}" + "{:>10.1f}{:>10.1f}{:>10.3f}".format(*map(median, columns)))
    print(f"{'least':<8}" + "{:>10.1f}{:>10.1f}".format(*map(min, columns)))


async def _ask(app: FastAPI, method: str, path: str, body: bytes = b"") -> None:
    status = 0
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    await app(scope, receive, send)
    if status != 200:
        raise SystemExit(f"{method} {path} was answered with {status}.")


if __name__ == "__main__":
    main()
