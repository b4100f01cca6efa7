"""Threads for what blocks: a bounded number, a bounded queue, and a bounded wait."""

import asyncio
import threading

import pytest

from api_doubles import DOWN, RECORD, doubled_services, problem_of, until
from api_house import serving
from jobchurn.api import workers
from jobchurn.api.workers import Workers
from jobchurn.errors import Overloaded
from jobchurn.flow.gather import FEW

MANY = {"records": [RECORD] * (FEW + 1)}
"""A request that is answered by itself, in a thread."""


@pytest.fixture
def gate():
    """Holds whoever waits at it until it is opened."""
    opened = threading.Event()
    yield opened
    opened.set()


@pytest.fixture
def services(tmp_path):
    return doubled_services(tmp_path)


@pytest.fixture
def client(services):
    with serving(services) as client:
        yield client


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


def test_workers_return_what_the_function_returns_and_raise_what_it_raises():
    workers = Workers(1, 0)
    assert asyncio.run(workers.run(divmod, 7, 2)) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(workers.run(divmod, 7, 0))
    assert asyncio.run(workers.run(divmod, 7, 2)) == (3, 1)


def test_a_request_that_was_given_up_keeps_its_place_until_its_thread_is_done():
    workers, go = Workers(1, 0), threading.Event()

    async def scene():
        task = asyncio.create_task(workers.run(go.wait, 10))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(Overloaded):
            await workers.run(bool)
        go.set()
        while True:
            try:
                return await workers.run(bool, 1)
            except Overloaded:
                await asyncio.sleep(0.01)

    assert asyncio.run(asyncio.wait_for(scene(), 10)) is True


def test_workers_say_how_many_wait_for_a_thread():
    workers, go = Workers(1, 2), threading.Event()

    async def waits(count):
        assert await asyncio.to_thread(until, lambda: workers.waiting == count)

    async def scene():
        running = asyncio.create_task(workers.run(go.wait, 10))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(workers.run(bool)) for _ in range(2)]
        await asyncio.sleep(0)
        await waits(2)
        waiting[1].cancel()
        await waits(1)
        go.set()
        await asyncio.gather(running, waiting[0])
        assert workers.waiting == 0

    asyncio.run(scene())


def test_more_requests_than_may_wait_are_asked_to_come_back(client, services):
    entered, go = threading.Semaphore(0), threading.Event()

    def write(batch):
        entered.release()
        go.wait(10)
        raise DOWN

    services.store.predictions.write = write
    answers = []
    ask = lambda: answers.append(client.post("/predict", json=MANY))  # noqa: E731
    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    assert entered.acquire(timeout=10)
    assert entered.acquire(timeout=10)
    waiting = threading.Thread(target=ask)
    waiting.start()
    try:
        assert until(lambda: client.app.state.door.workers._places._value == 0)
        answer = client.post("/predict", json=MANY)
        assert problem_of(answer, 503)["type"] == "urn:jobchurn:problem:overloaded"
        assert "retry-after" in answer.headers
        assert client.get("/health").status_code == 200
    finally:
        go.set()
    for thread in (*asking, waiting):
        thread.join(10)
    assert [answer.status_code for answer in answers] == [503] * 3
    assert client.post("/predict", json={"records": []}).status_code == 200


def test_metrics_are_had_while_all_threads_are_taken(client, services):
    entered, go = threading.Semaphore(0), threading.Event()

    def write(batch):
        entered.release()
        go.wait(60)
        raise DOWN

    services.store.predictions.write = write
    ask = lambda: client.post("/predict", json=MANY)  # noqa: E731
    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    try:
        # A request waits for a moment even where a thread is free: both must be taken first.
        assert entered.acquire(timeout=60)
        assert entered.acquire(timeout=60)
        assert until(lambda: client.app.state.door.workers.waiting == 1)
        page = client.get("/metrics").text
        assert "jobchurn_requests_waiting 1.0" in page
        assert "jobchurn_requests_in_flight 4.0" in page
    finally:
        go.set()
    for thread in asking:
        thread.join(60)
    page = client.get("/metrics").text
    assert "jobchurn_requests_waiting 0.0" in page
    assert 'jobchurn_requests_total{method="POST",route="/predict",status="503"} 3.0' in page


def test_requests_that_are_gathered_wait_beside_those_that_need_a_thread(client, services):
    entered, go = threading.Semaphore(0), threading.Event()

    def write(batch):
        entered.release()
        go.wait(60)
        raise DOWN

    services.store.predictions.write = write
    answers = []
    ask = lambda: answers.append(client.post("/predict", json={"records": [RECORD]}))  # noqa: E731
    asking = [threading.Thread(target=ask) for _ in range(2)]
    asking[0].start()
    try:
        assert entered.acquire(timeout=60)
        asking[1].start()
        assert until(lambda: client.app.state.door.gatherer.waiting == 1)
        assert "jobchurn_requests_waiting 1.0" in client.get("/metrics").text
        refused = client.post("/predict", json={"records": [RECORD]})
        assert problem_of(refused, 503)["type"] == "urn:jobchurn:problem:overloaded"
        assert "retry-after" in refused.headers
    finally:
        go.set()
    for thread in asking:
        thread.join(60)
    assert [answer.status_code for answer in answers] == [503, 503]
