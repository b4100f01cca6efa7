"""Measures every request: for the metrics, and for the log of requests.

What is measured ends with the last byte that the server took, so that an export counts for as long
as it streams.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

NO_ROUTE = "-"
"""What a path that no endpoint takes is called: a path that was made up makes no new name."""

OTHER_METHOD = "_OTHER"
"""What a method that HTTP does not know is called, as OpenTelemetry does."""

CLIENT_LEFT = 499
"""The status of a request whose client left before it was answered; nginx made it known."""

CUT = 500
"""The status of a request that broke, also where it broke in the midst of its answer."""

METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)


class Answered(NamedTuple):
    """One request that is over.

    Attributes:
        at: when it came, in seconds since 1970.
        route: the path of its endpoint, with the parameters unfilled.
        method: one of :data:`METHODS`, or :data:`OTHER_METHOD`.
        status: what it was answered with.
        seconds: from its coming to the last byte of its answer.
        records: how many predictions its answer holds.
        waiting: how many other requests were under way or waiting when it came.
    """

    at: float
    route: str
    method: str
    status: int
    seconds: float
    records: int
    waiting: int


class Measured:
    """Wraps the application and tells of every request once it is over.

    An endpoint that predicts says how many records in ``request.state.records``.

    Args:
        app: what is wrapped.
        came: is told how many requests are now under way, this one among them.
        over: is told of a request that is over, and how many are now under way.
    """

    def __init__(
        self, app: ASGIApp, came: Callable[[int], None], over: Callable[[Answered, int], None]
    ) -> None:
        self._app = app
        self._came = came
        self._over = over
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        at, begun = time.time(), time.perf_counter()
        waiting = self._under_way
        self._under_way += 1
        self._came(self._under_way)
        state = scope.setdefault("state", {})
        status = CLIENT_LEFT
        ended = 0.0

        async def send_and_look(message: Message) -> None:
            nonlocal status, ended
            await send(message)
            if message["type"] == "http.response.start":
                status = message["status"]
            elif not message.get("more_body", False):
                ended = time.perf_counter()

        try:
            await self._app(scope, receive, send_and_look)
        except BaseException:
            status = CUT
            raise
        finally:
            self._under_way -= 1
            self._over(
                Answered(
                    at,
                    route_of(scope),
                    method_of(scope),
                    status,
                    (ended or time.perf_counter()) - begun,
                    state.get("records", 0),
                    waiting,
                ),
                self._under_way,
            )


def route_of(scope: Scope) -> str:
    """The path of the endpoint that took a request, once it was found."""
    route: str = getattr(scope.get("route"), "path", NO_ROUTE)
    return route


def method_of(scope: Scope) -> str:
    """A request's method, one of a known few."""
    method: str = scope["method"]
    return method if method in METHODS else OTHER_METHOD
