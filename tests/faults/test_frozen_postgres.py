"""PostgreSQL is stopped (SIGSTOP): it takes connections and bytes, and says nothing any more.

No socket closes and no timeout of the server's own runs out, so whoever waits has to stop waiting.
"""

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from api_house import RECORD
from faults.servers import Api
from faults.writers import Writers
from jobchurn.store.engine import GRACE_SECONDS

FREEZES = int(os.environ.get("TORTURE_FREEZES", "20"))
"""How often the long form stops PostgreSQL under writers."""

HASTY = {"DATABASE_SECONDS": "1"}
"""How the API is set, so that it does not take long until it has waited long enough."""

HASTY_SECONDS = 1 + GRACE_SECONDS
"""How long it then waits for an answer."""

LONGEST_WAIT = 150
"""Seconds; an answer that takes longer counts as none. The slowest machine takes a third of it."""

ASK_DATABASE = {"/ready", "/predict", "/past-predictions", "/ingestion-runs"}
"""Some of the paths whose answers need the database."""


@pytest.fixture
def start(own_database, own_home):
    """Starts the API, with faults planted in it; ends it with the test."""
    started = []

    def begin(*plants):
        started.append(Api(f"{own_database}?connect_timeout=2", own_home, plants, **HASTY))
        return started[-1]

    yield begin
    for api in started:
        api.end()


def requests_of_every_route(api):
    """Method, path, and body or ``None``: every operation that the API describes, at least once."""
    document = httpx.get(f"{api.address}/openapi.json").json()
    panels = httpx.get(f"{api.address}/panels").json()
    names = {"dashboard": [dashboard["name"] for dashboard in panels["dashboards"]]}
    for path, operations in document["paths"].items():
        found = re.search(r"\{(\w+)\}", path)
        filled = (
            [path.replace(found[0], name) for name in names.get(found[1], ["nothing.html"])]
            if found
            else [path]
        )
        for method in operations:
            body = {"records": [RECORD]} if method == "post" else None
            yield from ((method, one, body) for one in filled)
    yield from (("get", f"/past-predictions?format={kind}", None) for kind in ("csv", "parquet"))


def asked(api, requests, seconds=LONGEST_WAIT):
    """Send all requests at once: the status of each; ``None`` where there was no answer in time."""

    def ask(request):
        method, path, body = request
        try:
            answer = httpx.request(method, f"{api.address}{path}", json=body, timeout=seconds)
        except httpx.TimeoutException:
            return None
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            assert answer.json()["cure"]
            assert answer.headers["Retry-After"]
        return answer.status_code

    with ThreadPoolExecutor(len(requests)) as together:
        return dict(zip(((r[0], r[1]) for r in requests), together.map(ask, requests), strict=True))


def hold(api, postgres, requests):
    """Every route is asked before, while, and after PostgreSQL is stopped."""
    before = asked(api, requests)
    assert None not in before.values()
    assert not {status for status in before.values() if status >= 500}, before
    with postgres.frozen():
        frozen = asked(api, requests)
        once_more = asked(api, requests)  # now that the API knows
        health = httpx.get(f"{api.address}/health", timeout=LONGEST_WAIT)
    assert health.status_code == 200
    for found in (frozen, once_more):
        unlike = {one: status for one, status in found.items() if status != before[one]}
        assert set(unlike.values()) == {503}, unlike
        assert {path for _, path in unlike} >= ASK_DATABASE
    while not api.is_ready():
        time.sleep(0.05)
    assert asked(api, requests) == before


def test_every_route_answers_while_postgres_is_frozen_and_recovers(start, postgres):
    api = start()
    hold(api, postgres, [r for r in requests_of_every_route(api) if "/panels/" not in r[1]])


@pytest.mark.torture
def test_every_route_and_dashboard_answers_while_postgres_is_frozen(start, postgres):
    api = start()
    hold(api, postgres, list(requests_of_every_route(api)))


def freeze_under_writers(api, postgres, database, freezes, figures):
    """Stop PostgreSQL under writers for longer than the API waits for an answer."""
    with Writers(api.address) as writers:
        books = writers.books
        for _ in range(freezes):
            writers.wait_for(8)
            refused, begun = books.answers[503], time.monotonic()
            with postgres.frozen():
                time.sleep(HASTY_SECONDS + 1)
                while books.answers[503] == refused:
                    assert time.monotonic() - begun < LONGEST_WAIT, "nobody is answered"
                    time.sleep(0.05)
        writers.wait_for(8)
    figures(
        f"PostgreSQL stopped {freezes} times under 8 writers",
        acknowledged=len(books.acknowledged),
        retries=books.retries,
        answers=dict(books.answers),
    )
    assert books.lost_and_doubled(database) == (0, 0)
    assert not books.open
    assert books.answers.keys() <= {200, 503}


def test_a_freeze_under_writers_loses_and_doubles_nothing(start, postgres, own_database, figures):
    freeze_under_writers(start(), postgres, own_database, 1, figures)


@pytest.mark.torture
def test_many_freezes_under_writers_lose_and_double_nothing(start, postgres, own_database, figures):
    freeze_under_writers(start(), postgres, own_database, FREEZES, figures)


@pytest.mark.torture
def test_an_api_that_is_asked_to_end_while_postgres_is_frozen_ends(start, postgres):
    api = start()
    with postgres.frozen(), ThreadPoolExecutor(2) as together:
        asking = [together.submit(asked, api, [("get", "/ready", None)]) for _ in range(2)]
        api.process.terminate()
        api.process.wait(LONGEST_WAIT)
        for one in asking:
            one.exception()  # answered or cut: either ends


def test_an_api_that_waits_without_end_is_noticed(start, postgres):
    api = start("an answer is waited for without end")
    with postgres.frozen():
        assert asked(api, [("get", "/ingestion-runs", None)], seconds=12) == {
            ("get", "/ingestion-runs"): None
        }
