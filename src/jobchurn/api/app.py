"""The application: the endpoints over a house, and what lives as long as it does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version

from fastapi import FastAPI

from jobchurn.api.door import door_to
from jobchurn.api.middleware import EveryRequest
from jobchurn.api.openapi import describe
from jobchurn.api.problems import answer_with_problems
from jobchurn.api.routes import (
    explanations,
    health,
    ingestion_runs,
    model,
    past_predictions,
    predictions,
    reports,
)
from jobchurn.flow.services import Services


def create_app(services: Services) -> FastAPI:
    """The HTTP door to ``services``; whoever serves it closes ``services.store`` afterwards."""
    door = door_to(services)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(door.champion.look)
        watch = asyncio.create_task(door.champion.watch())
        yield
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch
        door.workers.stop()

    app = FastAPI(
        title=services.contract.name,
        version=version("jobchurn"),
        lifespan=lifespan,
        # The pages that FastAPI offers load scripts from elsewhere; the document is all there is.
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
    ):
        app.include_router(noun.router)
    app.add_middleware(EveryRequest)
    answer_with_problems(app)
    describe(app, services.contract, most_records=services.settings.max_records)
    return app
