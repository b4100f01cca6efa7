"""The application: the endpoints over a house, and what lives as long as it does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version

from fastapi import FastAPI

from jobchurn.api.access import Gate
from jobchurn.api.door import Door, door_to
from jobchurn.api.measured import Answered, Measured
from jobchurn.api.middleware import EveryRequest
from jobchurn.api.openapi import describe
from jobchurn.api.problems import answer_with_problems
from jobchurn.api.rates import Rates
from jobchurn.api.routes import (
    explanations,
    health,
    ingestion_runs,
    keys,
    links,
    metrics,
    model,
    panels,
    past_predictions,
    predictions,
    reports,
    runbook,
)
from jobchurn.api.signed import SignedLinks
from jobchurn.api.straight import Straight
from jobchurn.flow.services import Services

LAST_SECONDS = 1.5
"""How long the last of the request log and of the traces may take to be written at the end."""


def create_app(services: Services) -> FastAPI:
    """The HTTP door to ``services``; whoever serves it closes ``services.store`` afterwards.

    Raises:
        InvalidSettings: a setting of the metrics or of the traces cannot be used.
    """
    door = door_to(services)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.gather(
            asyncio.to_thread(door.champion.look), asyncio.to_thread(door.keyring.look)
        )
        watch = asyncio.gather(door.champion.watch(), door.keyring.watch())
        door.request_log.start()
        yield
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch
        await door.gatherer.close()
        door.workers.stop()
        door.scoring.shutdown(wait=False)
        await _leave(door)

    app = FastAPI(
        title=services.contract.name,
        version=version("jobchurn"),
        lifespan=lifespan,
        # The pages that FastAPI offers load scripts from elsewhere; the document is all there is,
        # and an endpoint like the others.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.door = door
    for noun in (
        health,
        predictions,
        explanations,
        past_predictions,
        ingestion_runs,
        model,
        reports,
        panels,
        runbook,
        links,
        keys,
        metrics,
    ):
        # One by one, so that the gate sees each: newer FastAPIs keep an included router whole.
        app.router.routes.extend(noun.router.routes)
    settings = services.settings
    required = settings.keys_required
    app.state.straight = {predictions.PATH: predictions.ordinary(door)}
    app.add_middleware(Straight, answers=app.state.straight)
    app.add_middleware(
        Gate,
        routes=app.routes,
        required=required,
        names=settings.api_names,
        keyring=door.keyring,
        rates=Rates(settings.api_rate),
    )
    app.add_middleware(SignedLinks, links=services.links)
    app.add_middleware(EveryRequest)
    _watch(app, door)
    answer_with_problems(app)
    describe(
        app,
        services.contract,
        most_records=services.settings.max_records,
        keys_required=required,
    )
    return app


def _watch(app: FastAPI, door: Door) -> None:
    """Have every request of ``app`` counted, logged and, where that is wanted, traced."""
    if door.traces is not None:
        app.add_middleware(door.traces.around)

    def over(request: Answered, under_way: int) -> None:
        door.metrics.over(request, under_way)
        door.request_log.note(request)

    app.add_middleware(Measured, came=door.metrics.under_way, over=over)


async def _leave(door: Door) -> None:
    """Write what is gathered still, all at the same time, and wait for none of it for long."""
    closing = [asyncio.to_thread(door.request_log.stop, LAST_SECONDS)]
    if door.traces is not None:
        closing.append(asyncio.to_thread(door.traces.close, LAST_SECONDS))
    await asyncio.gather(*closing)
    door.metrics.close()
