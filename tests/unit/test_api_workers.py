"""Threads for what blocks: a bounded number, a bounded queue, and a bounded wait."""

import asyncio
import threading

import pytest

from jobchurn.api import workers
from jobchurn.api.workers import Workers
from jobchurn.errors import Overloaded


@pytest.fixture
def gate():
    """Holds whoever waits at it until it is opened."""
    opened = threading.Event()
    yield opened
    opened.set()


def test_a_function_that_finds_no_thread_in_time_is_given_up(gate, monkeypatch):
    monkeypatch.setattr(workers, "WAITING_SECONDS", 0.05)
    begun, late = threading.Event(), threading.Event()

    def hold():
        begun.set()
        return gate.wait(60)

    async def ask():
        few = Workers(threads=1, waiting=1)
        holding = asyncio.create_task(few.run(hold))
        await asyncio.to_thread(begun.wait, 60)
        with pytest.raises(Overloaded, match="No thread"):
            await few.run(late.set)
        assert few.waiting == 0
        assert not holding.done()  # what runs is waited for
        gate.set()
        assert await holding
        assert await few.run(lambda: "its place was given back") == "its place was given back"

    asyncio.run(ask())
    assert not late.is_set()


def test_more_than_may_wait_are_refused_at_once(gate):
    async def ask():
        few = Workers(threads=1, waiting=1)
        running = [asyncio.create_task(few.run(gate.wait, 60)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="More requests"):
            await few.run(gate.wait, 60)
        gate.set()
        assert await asyncio.gather(*running) == [True, True]

    asyncio.run(ask())


def test_a_request_that_is_cancelled_ends_as_cancelled(gate):
    async def ask():
        few = Workers(threads=1, waiting=1)
        holding = asyncio.create_task(few.run(gate.wait, 60))
        waiting = asyncio.create_task(few.run(gate.wait, 60))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gate.set()
        assert await holding

    asyncio.run(ask())
