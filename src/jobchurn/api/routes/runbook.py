"""``GET /runbook/{rule}``: what to do about an alert."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from jobchurn.access import Scope
from jobchurn.api.door import TheDoor
from jobchurn.api.permits import needs
from jobchurn.api.problems import documented

router = APIRouter(tags=["monitoring"])


@router.get(
    "/runbook/{rule}",
    summary="Read what to do about an alert",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **documented(404, 503),
    },
)
@needs(Scope.READ)
async def get_runbook(
    rule: Annotated[str, Path(description="The rule's name, as alerts give it.")], door: TheDoor
) -> Response:
    """The page of the alert's rule, as text in Markdown."""
    page = await door.workers.run(door.runbook.page, rule)
    return Response(page, media_type="text/plain; charset=utf-8")
