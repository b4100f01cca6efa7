"""What the endpoints share: one :class:`Door` belongs to one application."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from jobchurn.api.body import LARGE_AT_ONCE, Bodies
from jobchurn.api.champion import Champion
from jobchurn.api.dashboards import Queries
from jobchurn.api.exports import Exports
from jobchurn.api.keyring import Keyring
from jobchurn.api.metrics import Metrics
from jobchurn.api.records import Reader
from jobchurn.api.request_log import LogWriter
from jobchurn.api.runbook import Runbook
from jobchurn.api.workers import Workers
from jobchurn.errors import NoChampion
from jobchurn.flow.gather import Gatherer, Watch
from jobchurn.flow.predict import Answer, Asked, Stage, answer_alone, unwatched
from jobchurn.flow.services import Services
from jobchurn.panels import Dashboard, dashboards_of

if TYPE_CHECKING:
    from jobchurn.api.traces import Traces


@dataclass
class Door:
    """What the endpoints share.

    Attributes:
        services: the house behind the door.
        champion: the model in charge.
        workers: where everything that blocks runs.
        scoring: where large requests are scored, while their threads write.
        gatherer: answers requests of few records, those together that arrive together.
        bodies: takes request bodies in.
        reader: reads records by the contract.
        exports: streams many rows.
        dashboards: what can be looked at, by name.
        queries: asks what a dashboard wants to know.
        runbook: what to do about alerts.
        metrics: what is counted.
        request_log: keeps how requests were answered.
        keyring: the keys that are worth something.
        traces: tell how each request went, where somebody takes them.
        leaving: whether the process is about to end, so that no new work should come.
    """

    services: Services
    champion: Champion
    workers: Workers
    scoring: ThreadPoolExecutor
    gatherer: Gatherer
    bodies: Bodies
    reader: Reader
    exports: Exports
    dashboards: Mapping[str, Dashboard]
    queries: Queries
    runbook: Runbook
    metrics: Metrics
    request_log: LogWriter
    keyring: Keyring
    traces: Traces | None = None
    leaving: bool = False

    @property
    def stage(self) -> Stage:
        """Watches the stages of a prediction."""
        return self.traces.stage if self.traces else unwatched

    @property
    def watch(self) -> Watch | None:
        """Is told of the stages of this request's prediction, where somebody takes traces."""
        return self.traces.watch() if self.traces else None


def door_to(services: Services) -> Door:
    """The door to a house, with the bounds that its settings give.

    Raises:
        InvalidSettings: where metrics are shared or traces go is no such place.
    """
    settings, contract, store = services.settings, services.contract, services.store
    champion = Champion(services.registry)
    workers = Workers(settings.api_threads, settings.api_waiting)
    traces = _traces_to(settings.otel_exporter_otlp_endpoint)
    stage = traces.stage if traces else unwatched

    async def alone(asked: Asked) -> Answer:
        return await workers.run(answer_alone, services, champion.model, asked, stage)

    gatherer = Gatherer(
        services,
        store.predictions.gathered,
        lambda: champion.model,
        alone,
        most=settings.api_waiting,
    )
    metrics = Metrics(lambda: _version(champion), lambda: workers.waiting + gatherer.waiting)
    return Door(
        services=services,
        champion=champion,
        workers=workers,
        scoring=ThreadPoolExecutor(LARGE_AT_ONCE, thread_name_prefix="scoring"),
        gatherer=gatherer,
        bodies=Bodies(settings.max_body_bytes),
        reader=Reader(contract),
        exports=Exports(),
        dashboards={dashboard.name: dashboard for dashboard in dashboards_of(contract)},
        queries=Queries(store.panels, workers),
        runbook=Runbook(contract),
        metrics=metrics,
        request_log=LogWriter(store.request_log.write, metrics.dropped),
        keyring=Keyring(store.api_keys),
        traces=traces,
    )


def _version(champion: Champion) -> str | None:
    try:
        return champion.model.version
    except NoChampion:
        return None


def _traces_to(endpoint: str | None) -> Traces | None:
    if endpoint is None:
        return None
    # Loaded only here: it takes as long to load as everything else that serves takes together.
    from jobchurn.api.traces import Traces  # noqa: PLC0415

    return Traces(endpoint)


async def _door(request: Request) -> Door:
    found: Door = request.app.state.door
    return found


TheDoor = Annotated[Door, Depends(_door)]
"""An endpoint's parameter that is given the door."""


def answered(content: Any, headers: dict[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(orjson.dumps(content), media_type="application/json", headers=headers)
