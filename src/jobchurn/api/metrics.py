"""The metrics of ``GET /metrics``, in the form of Prometheus.

Each application has a registry of its own. Where several processes serve together, they share the
folder that ``PROMETHEUS_MULTIPROC_DIR`` names, and each of them answers for all.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from jobchurn.api.measured import Answered
from jobchurn.errors import InvalidSettings
from jobchurn.flow.predict import Source

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which Prometheus' library is told that several processes serve."""

# From a record predicted alone, in some milliseconds, to the largest request.
_BUCKETS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """What is counted. Safe to use from several threads.

    Args:
        model_version: the version of the model in charge, or ``None``.
        waiting: how many requests wait for a thread.

    Raises:
        InvalidSettings: the folder that processes are to share is none.
    """

    def __init__(self, model_version: Callable[[], str | None], waiting: Callable[[], int]) -> None:
        self._shared = shared = _shared_folder()
        self._under_way = 0
        self._waiting_now = waiting
        self._registry = registry = CollectorRegistry()
        # The values of several processes are read back from the folder, not from the registry.
        kept = None if shared else registry
        self._requests = Counter(
            "jobchurn_requests",
            "Requests answered.",
            ("route", "method", "status"),
            registry=kept,
        )
        self._seconds = Histogram(
            "jobchurn_request_seconds",
            "Seconds from a request's coming to the last byte of its answer.",
            ("route",),
            registry=kept,
            buckets=_BUCKETS,
        )
        self._records = Counter(
            "jobchurn_records_predicted",
            "Records predicted and kept; repeats of a request add none.",
            ("source",),
            registry=kept,
        )
        self._in_flight = Gauge(
            "jobchurn_requests_in_flight",
            "Requests under way or waiting.",
            registry=kept,
            multiprocess_mode="livesum",
        )
        self._waiting = Gauge(
            "jobchurn_requests_waiting",
            "Requests waiting for a thread.",
            registry=kept,
            multiprocess_mode="livesum",
        )
        self._dropped = Counter(
            "jobchurn_log_entries_dropped",
            "Requests of which the log of requests holds nothing, as it could not be written.",
            registry=kept,
        )
        # Looking a label up by its name takes longer than counting does.
        self._by_source = {source: self._records.labels(source) for source in get_args(Source)}
        if shared:
            MultiProcessCollector(registry, shared)  # type: ignore[no-untyped-call]
        else:
            ProcessCollector(registry=registry)
        registry.register(_Facts(model_version))
        self._by_answer: dict[tuple[str, str, int], Counter] = {}
        self._by_route: dict[str, Histogram] = {}

    def under_way(self, requests: int) -> None:
        """Take note of how many requests are under way now."""
        self._under_way = requests
        if self._shared:  # another process may be asked for the sum
            self._set_gauges()

    def over(self, request: Answered, under_way: int) -> None:
        """Count a request that is over."""
        answer = request.route, request.method, request.status
        counter = self._by_answer.get(answer)
        if counter is None:
            counter = self._by_answer[answer] = self._requests.labels(*answer)
        counter.inc()
        histogram = self._by_route.get(request.route)
        if histogram is None:
            histogram = self._by_route[request.route] = self._seconds.labels(request.route)
        histogram.observe(request.seconds)
        self.under_way(under_way)

    def predicted(self, source: Source, records: int) -> None:
        """Count records that were predicted and kept."""
        self._by_source[source].inc(records)

    def dropped(self, requests: int) -> None:
        """Count requests of which the log holds nothing."""
        self._dropped.inc(requests)

    def page(self, accept: str) -> tuple[bytes, str]:
        """The metrics in the form that a client accepts, and the media type of that form.

        Args:
            accept: the client's header of that name.
        """
        self._set_gauges()
        try:
            encode, media_type = choose_encoder(accept)
        except TypeError:  # prometheus-client compares a version that is no number with one
            encode, media_type = generate_latest, CONTENT_TYPE_PLAIN_0_0_4
        return encode(self._registry), media_type

    def _set_gauges(self) -> None:
        self._in_flight.set(self._under_way)
        self._waiting.set(self._waiting_now())

    def close(self) -> None:
        """Take what this process has under way out of the sum over all processes."""
        if self._shared:
            mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]


class _Facts(Collector):
    """What is true now and is not counted: which version serves, and which model."""

    def __init__(self, model_version: Callable[[], str | None]) -> None:
        self._model_version = model_version

    def collect(self) -> Iterator[Metric]:
        """The facts, each a metric that is 1 and says itself in its labels."""
        yield InfoMetricFamily(
            "jobchurn_build",
            "The version that serves.",
            {"version": version("jobchurn"), "python": platform.python_version()},
        )
        model = InfoMetricFamily("jobchurn_model", "The model in charge.", labels=("version",))
        if (found := self._model_version()) is not None:
            model.add_metric((), {"version": found})
        yield model


def _shared_folder() -> str | None:
    """The folder that several processes share; ``None`` where one serves alone."""
    folder = os.environ.get(SHARED_FOLDER)
    if folder is not None and not (folder and Path(folder).is_dir()):
        raise InvalidSettings(
            f"{SHARED_FOLDER} names no folder.", "Make the folder, empty, or unset the variable."
        )
    return folder
