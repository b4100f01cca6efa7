"""``POST /links``: an address that a browser may open, which sends no key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from jobchurn.access import Scope
from jobchurn.api.body import parse
from jobchurn.api.door import Door, TheDoor, answered
from jobchurn.api.envelope import Whole
from jobchurn.api.faults import faults_of, sentence
from jobchurn.api.permits import needs
from jobchurn.api.problems import documented
from jobchurn.api.schema import body_of
from jobchurn.errors import InvalidRequest

router = APIRouter(tags=["links"])

# What a person opens. No other endpoint is opened by a link, whoever asks for it.
_OPENED = (
    r"^/(reports/[0-9A-Za-z-]{1,100}\.html"
    r"|runbook/[0-9a-z-]{1,100}"
    r"|past-predictions(\?[!-~]{1,1000})?)$"
)
_LARGEST = 16 * 1024
"""Bytes of a body: the longest path, all of it escaped, twice. It is read on the event loop."""

_CURE = 'Send {"path": "/reports/RUN.html"}, or a path below /runbook/ or of /past-predictions.'


class LinkRequest(BaseModel):
    """What is to be opened."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    path: str = Field(
        pattern=_OPENED,
        description="The path of a report, of a page of the runbook, or of past predictions with "
        "what is asked of them.",
        examples=["/past-predictions?source=webapp&format=csv"],
    )
    minutes: Whole = Field(5, ge=1, le=60, description="For how long.")


class Link(BaseModel):
    """An address that opens one thing without a key, to whoever has it."""

    url: str = Field(description="The whole address, by the API's public one.")
    path: str = Field(description="The same without that: path and query.")
    expires_at: datetime = Field(description="From when on it opens nothing.")


@router.post(
    "/links",
    summary="Have a link made that needs no key",
    response_model=Link,
    responses=documented(408, 413, 415, 422, 503),
    openapi_extra={"requestBody": body_of("LinkRequest")},
)
@needs(Scope.READ)
async def post_links(request: Request, door: TheDoor) -> Response:
    """For what a browser opens, which sends no key: reports, runbook, and files of predictions."""
    async with door.bodies.read(request, largest=_LARGEST) as body:
        return answered(_link(door, _read(body), datetime.now(UTC)))


def _read(body: bytes) -> LinkRequest:
    try:
        return LinkRequest.model_validate(parse(body))
    except ValidationError as error:
        faults = faults_of(error.errors(include_url=False), [*LinkRequest.model_fields], "the body")
        raise InvalidRequest(sentence(faults[0]["message"]), _CURE, {"errors": faults}) from None


def _link(door: Door, asked: LinkRequest, now: datetime) -> dict[str, object]:
    expires_at = (now + timedelta(minutes=asked.minutes)).replace(microsecond=0)
    try:
        path = door.services.links.sign(asked.path, expires_at)
    except ValueError as error:
        raise InvalidRequest(f"This cannot be opened by a link: {error}.", _CURE) from None
    address = door.services.settings.api_public_address
    return {"url": f"{address}{path}", "path": path, "expires_at": expires_at}
