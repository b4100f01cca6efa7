"""``GET /`` lists the endpoints; ``/health`` and ``/ready`` say how the service is."""

from __future__ import annotations

import logging

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from jobchurn.access import Scope
from jobchurn.api.door import Door, TheDoor, answered
from jobchurn.api.permits import for_everybody, needs
from jobchurn.api.problems import documented
from jobchurn.errors import NoChampion, NotReady

router = APIRouter(tags=["health"])

log = logging.getLogger(__name__)


class Health(BaseModel):
    """The process lives."""

    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    """The service can do its work."""

    status: str = Field(examples=["ready"])
    model_version: str = Field(description="The model in charge.")
    contract: str = Field(description="The fingerprint of the contract.")


@router.get("/", summary="List the endpoints")
@needs(Scope.READ)
async def index(request: Request) -> dict[str, list[str]]:
    """Method and path of every endpoint."""
    document = request.app.openapi()
    return {
        "endpoints": [
            f"{method.upper()} {path}"
            for path, operations in document["paths"].items()
            for method in operations
        ]
        + ["GET /openapi.json"]
    }


@router.get("/openapi.json", include_in_schema=False)
@needs(Scope.READ)
async def openapi(request: Request) -> Response:
    """The description of the API."""
    return answered(request.app.openapi())


@router.get("/health", summary="Say that the process lives", response_model=Health)
@for_everybody
async def health() -> Response:
    """Answers for as long as the process lives, whatever it depends on."""
    return answered({"status": "ok"})


@router.get(
    "/ready",
    summary="Say whether predictions can be had",
    response_model=Readiness,
    responses=documented(503),
)
@for_everybody
async def ready(door: TheDoor) -> Response:
    """Names what is missing otherwise: the model in charge, the database, its tables.

    Where keys are asked for, which this endpoint does not, the log names it.
    """
    return answered(await door.workers.run(_readiness, door))


def _readiness(door: Door) -> dict[str, str]:
    missing = door.services.store.missing()
    version = ""
    try:
        version = door.champion.model.version
    except NoChampion as error:
        missing.append(error.message)
    if door.leaving:
        missing.append("The process is about to end.")
    if missing and door.services.settings.keys_required:
        # Everybody may ask here, and not everybody is to know what the service stands on.
        log.warning("not ready: %s", " ".join(missing))
        raise NotReady("The service is not ready.", "The API's log says why.")
    if missing:
        raise NotReady(
            " ".join(missing),
            "See `jobchurn status` and `jobchurn doctor`.",
            {"missing": missing},
        )
    return {
        "status": "ready",
        "model_version": version,
        "contract": door.services.contract.fingerprint,
    }
