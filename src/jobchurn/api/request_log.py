"""The log of requests: kept in the database, without a request ever waiting for it.

Requests are gathered in memory, and written every two seconds by a thread of its own. In a rush
only a sample is kept, and each kept request carries a weight: how many it stands for. The sample is
drawn at random, each request as likely as any other, so a weighted sum is right in the mean, and
the weights themselves add up to the number of requests. Answers that report a failure of ours are
sampled apart: there are few of them, and each tells something.

``/health``, ``/ready`` and ``/metrics`` are not logged: machines ask them all the time, and would
drown everything else. The metrics count them.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from jobchurn.api.measured import Answered
from jobchurn.errors import JobchurnError
from jobchurn.store import LogEntry

log = logging.getLogger(__name__)

UNLOGGED = frozenset({"/health", "/ready", "/metrics"})
"""The endpoints whose requests are not logged."""

FLUSH_SECONDS = 2.0
"""How often what was gathered is written."""

MOST = 100
"""The most requests written at a time, and again as many of those that failed by our fault."""

_FAILURE = 500


class Sample:
    """A sample of a stream of requests, each as likely to be in it as any other.

    Algorithm R of Vitter, Random Sampling with a Reservoir (1985).

    Args:
        most: how many requests are kept; until more come, all are.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: list[Answered] = []
        self.seen = 0

    def offer(self, request: Answered) -> None:
        """See one request, and perhaps keep it in place of another."""
        self.seen += 1
        if len(self._kept) < self._most:
            self._kept.append(request)
            return
        place = int(random.random() * self.seen)  # noqa: S311  (a sample, not a secret)
        if place < self._most:
            self._kept[place] = request

    def entries(self) -> Iterator[LogEntry]:
        """What was kept, each with how many it stands for."""
        for request in self._kept:
            yield LogEntry(
                at=datetime.fromtimestamp(request.at, UTC),
                route=request.route,
                method=request.method,
                status=request.status,
                seconds=request.seconds,
                records=request.records,
                waiting=request.waiting,
                weight=self.seen / len(self._kept),
            )


class LogWriter:
    """Gathers requests, and writes them in the background.

    Whatever goes wrong with writing costs the entries and nothing else: they are dropped and
    counted, and the trouble is logged, once for as long as it lasts.

    Args:
        write: keeps entries.
        dropped: is told for how many requests nothing was kept.
    """

    def __init__(
        self, write: Callable[[Sequence[LogEntry]], None], dropped: Callable[[int], None]
    ) -> None:
        self._write = write
        self._dropped = dropped
        self._lock = threading.Lock()
        self._answers, self._failures = Sample(), Sample()
        self._noted = ""
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, request: Answered) -> None:
        """Gather one request."""
        if request.route in UNLOGGED:
            return
        with self._lock:
            (self._failures if request.status >= _FAILURE else self._answers).offer(request)

    def start(self) -> None:
        """Write what is gathered, every :data:`FLUSH_SECONDS`, until stopped."""
        # A daemon: where the database hangs, the process need not wait for it.
        self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Write what is gathered still, and take at most so many seconds over it."""
        if self._thread is None:
            return
        self._ending.set()
        self._thread.join(seconds)
        if self._thread.is_alive():
            log.warning("the last requests are not in the log: the database is too slow")

    def flush(self) -> None:
        """Write what was gathered until now."""
        with self._lock:
            samples = self._answers, self._failures
            self._answers, self._failures = Sample(), Sample()
        entries = [entry for sample in samples for entry in sample.entries()]
        if not entries:
            return
        try:
            self._write(entries)
        except Exception as error:  # noqa: BLE001  (the thread outlives whatever happens)
            self._dropped(sum(sample.seen for sample in samples))
            self._note_trouble(error)
        else:
            self._noted = ""

    def _run(self) -> None:
        while not self._ending.wait(FLUSH_SECONDS):
            self.flush()
        self.flush()

    def _note_trouble(self, error: Exception) -> None:
        if repr(error) != self._noted:
            trace = None if isinstance(error, JobchurnError) else error
            log.warning("requests are not logged: %s", error, exc_info=trace)
        self._noted = repr(error)
