"""``GET /metrics``: what Prometheus collects."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from jobchurn.access import Scope
from jobchurn.api.door import TheDoor
from jobchurn.api.permits import needs

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    summary="Collect the metrics",
    response_class=Response,
    responses={
        200: {
            "content": {
                "text/plain": {"schema": {"type": "string"}},
                "application/openmetrics-text": {"schema": {"type": "string"}},
            }
        }
    },
)
@needs(Scope.ADMIN)
async def get_metrics(request: Request, door: TheDoor) -> Response:
    """In the text format of Prometheus, or in OpenMetrics for clients that accept it.

    Answers in a rush too, and without a database.
    """
    accept = ",".join(request.headers.getlist("accept"))
    page, media_type = await asyncio.to_thread(door.metrics.page, accept)
    return Response(page, headers={"Content-Type": media_type})
