"""Clients that write without end and repeat what was not acknowledged, and the books they keep."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

import httpx
import psycopg

from api_house import RECORD
from faults.promises import ID

PASSING = {429, 503}
"""The answers after which a request may be sent again."""

LONGEST_TROUBLE = 120


@dataclass
class Books:
    """What the writers know.

    Attributes:
        acknowledged: subject → the number under which its prediction is kept.
        open: the subjects of requests that were never acknowledged.
        answers: how often each status was answered.
        retries: how many requests were sent again.
        replayed: how many requests were answered once more with their first answer.
    """

    acknowledged: dict[int, int] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    retries: int = 0
    replayed: int = 0

    def lost_and_doubled(self, database: str) -> tuple[int, int]:
        """How many acknowledged predictions are not stored, and how many are stored twice.

        A request without an answer counts as doubled where only a part of it is stored.
        """
        with psycopg.connect(database) as connection:
            rows = connection.execute(f'SELECT "{ID}", id FROM predictions').fetchall()
        stored = Counter(subject for subject, _ in rows)
        numbers = dict(rows)
        lost = sum(numbers.get(subject) != number for subject, number in self.acknowledged.items())
        doubled = sum(count - 1 for count in stored.values())
        unknown = stored.keys() - self.acknowledged.keys() - self.open
        return lost, doubled + len(unknown)


class Writers:
    """Threads, each with one request under way at any moment.

    Args:
        address: the API's.
        threads: how many.
        patience: after how many seconds without an answer a request is sent again.
    """

    def __init__(self, address: str, threads: int = 8, patience: float = 30) -> None:
        self.books = Books()
        self._address = address
        self._patience = patience
        self._lock = threading.Lock()
        self._next = 1
        self._stop = threading.Event()
        self._give_up = threading.Event()
        self._threads = [threading.Thread(target=self._write) for _ in range(threads)]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    @property
    def count(self) -> int:
        """How many predictions are acknowledged."""
        return len(self.books.acknowledged)

    def wait_for(self, more: int) -> None:
        """Wait until so many more predictions are acknowledged."""
        wanted, end = self.count + more, time.monotonic() + LONGEST_TROUBLE
        while self.count < wanted and time.monotonic() < end:
            time.sleep(0.005)
        assert self.count >= wanted, self.books.answers

    def stop(self) -> None:
        """Let each writer come to the end of its request."""
        self._stop.set()
        for thread in self._threads:
            thread.join(LONGEST_TROUBLE)
        self._give_up.set()
        for thread in self._threads:
            thread.join()

    def _write(self) -> None:
        with httpx.Client(base_url=self._address, timeout=self._patience) as client:
            while not self._stop.is_set():
                with self._lock:
                    first, self._next = self._next, self._next + 3
                subjects = range(first, first + 1 + first % 3)
                self._send(client, list(subjects))

    def _send(self, client: httpx.Client, subjects: list[int]) -> None:
        """Send one request until it is acknowledged."""
        body = {"records": [RECORD | {ID: subject} for subject in subjects]}
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        self.books.open.update(subjects)
        while not self._give_up.is_set():
            try:
                answer = client.post("/predict", json=body, headers=headers)
            except httpx.TransportError:
                self._again()
                continue
            with self._lock:
                self.books.answers[answer.status_code] += 1
            if answer.status_code == httpx.codes.OK:
                told = [said["id"] for said in answer.json()["predictions"]]
                with self._lock:
                    self.books.acknowledged |= dict(zip(subjects, told, strict=True))
                    self.books.open.difference_update(subjects)
                    self.books.replayed += "Idempotent-Replayed" in answer.headers
                return
            if answer.status_code not in PASSING:
                return
            self._again()

    def _again(self) -> None:
        with self._lock:
            self.books.retries += 1
        time.sleep(0.05)
