"""Threads for what blocks (scoring, the database): a bounded number, and a bounded queue."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from jobchurn.errors import Overloaded

WAITING_SECONDS = 30.0
"""How long a function waits for a thread before whoever asked is told to come again."""

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """Runs functions off the event loop.

    Args:
        threads: how many run at once.
        waiting: how many more may wait for a thread.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="api")
        self._places = threading.Semaphore(threads + waiting)
        self._lock = threading.Lock()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many functions wait for a thread."""
        return self._waiting

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``function`` returns.

        Raises:
            Overloaded: as many are running and waiting as may, or no thread became free in time.
        """
        if not self._places.acquire(blocking=False):
            raise Overloaded(
                "More requests are waiting than can be served.", "Send it again in a moment."
            )
        context = contextvars.copy_context()
        self._count(1)
        try:
            running = self._pool.submit(self._begin, context, partial(function, *args, **kwargs))
        except BaseException:
            self._count(-1)
            self._places.release()
            raise
        # A request that is given up leaves its thread at work: the place is free when that ends.
        running.add_done_callback(self._end)
        return await _in_time(running)

    def _begin(self, context: contextvars.Context, function: Callable[[], T]) -> T:
        self._count(-1)
        return context.run(function)

    def _end(self, done: Future[Any]) -> None:
        if done.cancelled():  # then it never began
            self._count(-1)
        self._places.release()

    def _count(self, more: int) -> None:
        with self._lock:
            self._waiting += more

    def stop(self) -> None:
        """Take nothing more on; what runs is left to end, what waits is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)


async def _in_time(running: Future[T]) -> T:
    """What comes of ``running``, if it begins in time."""
    is_late = False

    def give_up() -> None:
        nonlocal is_late
        is_late = running.cancel()  # does nothing once it runs

    alarm = asyncio.get_running_loop().call_later(WAITING_SECONDS, give_up)
    try:
        return await asyncio.wrap_future(running)
    except asyncio.CancelledError:
        if not is_late:
            raise
        raise Overloaded(
            f"No thread became free within {WAITING_SECONDS:g} seconds.",
            "Send it again later; a database that does not answer holds all of them.",
        ) from None
    finally:
        alarm.cancel()
