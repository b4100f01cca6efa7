"""What the endpoints share: one :class:`Door` belongs to one application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from jobchurn.api.body import Bodies
from jobchurn.api.champion import Champion
from jobchurn.api.exports import Exports
from jobchurn.api.records import Reader
from jobchurn.api.workers import Workers
from jobchurn.flow.services import Services


@dataclass
class Door:
    """What the endpoints share.

    Attributes:
        services: the house behind the door.
        champion: the model in charge.
        workers: where everything that blocks runs.
        bodies: takes request bodies in.
        reader: reads records by the contract.
        exports: streams many rows.
        leaving: whether the process is about to end, so that no new work should come.
    """

    services: Services
    champion: Champion
    workers: Workers
    bodies: Bodies
    reader: Reader
    exports: Exports
    leaving: bool = False


def door_to(services: Services) -> Door:
    """The door to a house, with the bounds that its settings give."""
    settings = services.settings
    return Door(
        services=services,
        champion=Champion(services.registry),
        workers=Workers(settings.api_threads, settings.api_waiting),
        bodies=Bodies(settings.max_body_bytes),
        reader=Reader(services.contract),
        exports=Exports(),
    )


async def _door(request: Request) -> Door:
    found: Door = request.app.state.door
    return found


TheDoor = Annotated[Door, Depends(_door)]
"""An endpoint's parameter that is given the door."""


def answered(content: Any, headers: dict[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(orjson.dumps(content), media_type="application/json", headers=headers)
