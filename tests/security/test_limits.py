"""What is sent to exhaust the API is refused, in bounded memory, and others are served meanwhile.

The process may not take more than :data:`ROOM` beyond what it took when it was ready: the kernel
refuses it more address space. A request that fails for want of memory would be answered with 500.
"""

import json
import resource
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from api_house import RECORD, open_house
from api_process import Served
from bulk_bodies import as_arrow, as_csv, as_ndjson
from jobchurn.api.bulk.forms import ARROW, CSV, NDJSON
from jobchurn.contract import JOB_CHANGE
from small_model import random_records

MB = 1024 * 1024
ROOM = 2_048 * MB
"""Of address space; threads and allocators reserve some that they never use."""

GROWTH = 900 * MB
"""Of resident memory, over everything that is tried here."""

LARGEST = 64 * MB
IDLE_CONNECTIONS = 200


def status_of(process, name):
    """A figure of /proc/PID/status, in bytes."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    found = next(line for line in lines if line.startswith(f"{name}:"))
    return int(found.split()[1]) * 1024


class Bystander:
    """Somebody who predicts one record after the other, and keeps how that was answered."""

    def __init__(self, address):
        self.answers = []
        self._address = address
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._predict)

    def _predict(self):
        with httpx.Client(base_url=self._address, timeout=60) as client:
            while not self._over.wait(0.05):
                self.answers.append(client.post("/predict", json={"records": [RECORD]}).status_code)

    def __enter__(self):
        self._thread.start()
        self._wait_for(1)
        return self

    def __exit__(self, *_):
        # At least one request that began after whatever was tried.
        self._wait_for(len(self.answers) + 2)
        self._over.set()
        self._thread.join()

    def _wait_for(self, answers):
        while len(self.answers) < answers:
            assert self._thread.is_alive(), "the bystander was let down"
            time.sleep(0.01)


@pytest.fixture(scope="module")
def house(postgres_server, template_database, tmp_path_factory):
    """An API of its own in a process of its own, with room for what it has to do."""
    from conftest import cloned
    from jobchurn.store import Store

    home = tmp_path_factory.mktemp("limits")
    databases = cloned(postgres_server, template_database)
    database = next(databases)
    store = Store.connect(database, JOB_CHANGE)
    open_house(store, home)
    store.close()
    served = Served(database, home)
    served.before = status_of(served.process.pid, "VmHWM")
    most = status_of(served.process.pid, "VmSize") + ROOM
    resource.prlimit(served.process.pid, resource.RLIMIT_AS, (most, most))
    yield served
    served.end()
    next(databases, None)


@pytest.fixture
def served(house):
    """The API; after each test it has taken no more memory than it may, and is ready."""
    with Bystander(house.address) as bystander:
        yield house
    assert set(bystander.answers) == {200}
    assert house.process.poll() is None
    assert house.is_ready()
    assert status_of(house.process.pid, "VmHWM") - house.before < GROWTH


def post(served, body, **headers):
    return httpx.post(
        f"{served.address}/predict",
        content=body,
        headers={"Content-Type": "application/json", **headers},
        timeout=120,
    )


def several(function, times):
    """What a function returns that runs so often at once; a server that hangs up is ``None``."""

    def one(number):
        try:
            return function(number)
        except httpx.TransportError:
            return None

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


FILLERS = [b"{}", b"[]", b"0", b'""', b"null", b'{"":[]}', b"1e9"]


def test_bodies_of_very_many_values_are_refused(served):
    def bomb(number):
        filler = FILLERS[number % len(FILLERS)]
        # Joining a list of millions would hold up the bystander too, who runs in this process.
        body = b'{"records":[' + (filler + b",") * (LARGEST // (len(filler) + 2)) + filler + b"]}"
        return post(served, body)

    answers = several(bomb, 8)
    assert {answer.status_code for answer in answers if answer} <= {413, 503}
    assert any(answer and answer.status_code == 413 for answer in answers)


HEAD = ",".join(column.name for column in JOB_CHANGE.inputs).encode()


@pytest.mark.parametrize(
    ("form", "head", "filler"),
    [
        (NDJSON, b"", b"{}\n"),
        (NDJSON, b"", b"\n"),
        (NDJSON, b"", b"[[],[],[]]\n"),
        (CSV, HEAD + b"\n", b",\n"),
        (CSV, HEAD + b"\n", b"\n"),
        (CSV, HEAD + b"\n", b"\r"),
        (CSV, HEAD + b"\n", b","),
        (CSV, HEAD + b"\n", b'"'),
        (CSV, b"", b","),
        (ARROW, b"", b"\xff\xff\xff\xff\x00\x00\x00\x00"),
        (ARROW, b"", b"\xff\xff\xff\xff\xff\xff\xff\x7f"),
    ],
)
def test_bodies_of_other_forms_that_hold_very_much_are_refused(served, form, head, filler):
    body = head + filler * ((LARGEST - len(head)) // len(filler))
    answers = several(lambda _: post(served, body, **{"Content-Type": form}), 3)
    assert {answer.status_code for answer in answers if answer} <= {413, 422, 503}
    assert any(answer and answer.status_code in (413, 422) for answer in answers)
    assert all(len(answer.content) < 100_000 for answer in answers if answer)


def test_the_largest_tables_that_are_allowed_are_worked_on_in_turn(served):
    records = random_records(JOB_CHANGE, 1_000) * 100
    bodies = {
        CSV: as_csv(records),
        ARROW: as_arrow(records, rows=1_000),
        NDJSON: as_ndjson(records[: len(records) // 2]),
    }
    assert all(len(body) < LARGEST for body in bodies.values())
    forms = [*bodies, *bodies]
    found = several(
        lambda n: post(served, bodies[forms[n]], **{"Content-Type": forms[n]}).status_code, 6
    )
    assert set(found) <= {200, 503}
    assert 200 in found


def test_the_largest_requests_that_are_allowed_are_worked_on_in_turn(served):
    records = random_records(JOB_CHANGE, 1_000) * 50
    body = json.dumps({"records": records}).encode()
    assert len(body) < LARGEST
    answers = several(lambda _: post(served, body).status_code, 4)
    assert set(answers) <= {200, 503}
    assert 200 in answers


def test_a_body_without_end_is_cut_at_the_largest(served):
    def endless(_):
        sent = 0

        def parts():
            nonlocal sent
            while sent < 4 * LARGEST:
                sent += MB
                yield b" " * MB

        answer = post(served, parts())
        return answer.status_code, sent

    for found in filter(None, several(endless, 4)):
        assert found[0] in (413, 503)
        assert found[1] < 2 * LARGEST


@pytest.mark.parametrize(
    "body",
    [
        b'{"records":' + b"[" * 500_000 + b"]" * 500_000 + b"}",
        b'{"records":' + b'[{"a":' * 200_000 + b"1" + b"}]" * 200_000 + b"}",
        b'{"records":[{"' + b"n" * (LARGEST // 2) + b'":1}]}',
        b'{"records":[{"city":"' + b"v" * (LARGEST // 2) + b'"}]}',
        b'{"records":[' + b"9" * (LARGEST // 2) + b"]}",
        b'{"' + b"f" * (LARGEST // 2) + b'":1}',
        b'{"records":[{"city":"' + b"\\u0000" * (LARGEST // 8) + b'"}]}',
    ],
    ids=["lists", "objects", "name", "text", "number", "field", "NULs"],
)
def test_what_is_long_or_deep_is_refused_in_few_words(served, body):
    answer = post(served, body)
    assert answer.status_code in (413, 422)
    assert answer.json()["cure"]
    assert len(answer.content) < 10_000


def test_a_hundred_thousand_wrong_records_are_not_all_echoed(served):
    answer = post(served, json.dumps({"records": [{"nonsense": "x" * 200}] * 100_000}).encode())
    assert answer.status_code == 422
    assert len(answer.content) < 200_000
    partial = json.dumps({"partial": True, "records": [{"nonsense": 1}] * 20_000}).encode()
    assert post(served, partial).status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_compressed_body_is_not_opened(served, coding):
    answer = post(served, b"\x1f\x8b" + bytes(1_000), **{"Content-Encoding": coding})
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "head",
    [
        {"X-Long": "x" * (8 * MB)},
        {f"X-{number}": "x" * 100 for number in range(5_000)},
        {"Idempotency-Key": "k" * MB},
        {"Cookie": "c" * MB},
    ],
    ids=["long", "many", "key", "cookie"],
)
def test_a_long_head_is_refused_before_it_is_held(served, head):
    answers = several(lambda _: httpx.get(f"{served.address}/health", headers=head), 4)
    # Whoever is still sending when the door closes may not hear why.
    assert {answer.status_code for answer in answers if answer} <= {431}


def test_a_long_address_is_refused(served):
    for path in ("/", "/past-predictions?start="):
        with socket.create_connection(("127.0.0.1", served.port), 30) as one:
            try:
                one.sendall(f"GET {path}".encode() + b"1" * MB + b" HTTP/1.1\r\nHost: h\r\n\r\n")
                said = one.recv(4_096)
            except ConnectionError:
                continue  # it hung up in the midst of it
            assert b" 431 " in said


def test_silent_and_dripping_connections_keep_nobody_out(served):
    held = []
    try:
        for number in range(IDLE_CONNECTIONS):
            one = socket.create_connection(("127.0.0.1", served.port), 30)
            one.sendall((b"", b"G", b"POST /predict HTTP/1.1\r\nHost: h\r\nX-Drip: ")[number % 3])
            held.append(one)
        assert httpx.get(f"{served.address}/health", timeout=30).status_code == 200
        for one in held:
            one.settimeout(60)
            said = one.recv(4_096)
            assert said == b"" or b" 408 " in said
    finally:
        for one in held:
            one.close()


def test_ranges_of_a_report_are_not_multiplied(served):
    from jobchurn.files import Folders

    reports = Folders(served.home).reports
    (reports / "20261124T073000-3f9a2c.html").write_bytes(b"r" * MB)
    ranges = ",".join(f"{start}-" for start in range(2_000))
    answer = httpx.get(
        f"{served.address}/reports/20261124T073000-3f9a2c.html",
        headers={"Range": f"bytes={ranges}"},
        timeout=60,
    )
    assert answer.status_code in (200, 416)
    assert len(answer.content) <= 2 * MB
