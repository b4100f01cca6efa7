"""``GET /keys`` and ``DELETE /keys/{id}``: which keys there are, and that one is worth nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from starlette.responses import Response

from jobchurn.access import ID_PATTERN, KnownKey, Scope
from jobchurn.api.door import TheDoor, answered
from jobchurn.api.permits import needs
from jobchurn.api.problems import documented

router = APIRouter(tags=["keys"])


class ApiKey(BaseModel):
    """One key; its secret is known to nobody but its holder."""

    id: str
    name: str
    scopes: list[Scope]
    requests_per_minute: int | None = Field(description="Null for as many as the settings say.")
    created_at: datetime
    expires_at: datetime | None = Field(description="Null where it does not.")
    revoked_at: datetime | None = Field(description="Null where it was not.")
    last_used_at: datetime | None = Field(description="To the hour; null where it never was.")


class ApiKeyList(BaseModel):
    """The keys there are and were, the newest first."""

    keys: list[ApiKey]


@router.get("/keys", summary="List the keys", response_model=ApiKeyList, responses=documented(503))
@needs(Scope.ADMIN, always=True)
async def get_keys(door: TheDoor) -> Response:
    """Asks for a key everywhere, also where nothing else does."""
    known = await door.workers.run(door.services.store.api_keys.list)
    return answered({"keys": [_shown(key) for key in known]})


@router.delete(
    "/keys/{id}",
    summary="Revoke a key",
    response_model=ApiKey,
    responses=documented(404, 422, 503),
)
@needs(Scope.ADMIN, always=True)
async def delete_key(
    id: Annotated[str, Path(pattern=f"^{ID_PATTERN}$", description="The key's id.")],  # noqa: A002
    door: TheDoor,
) -> Response:
    """It is refused within a second. Revoking it again changes nothing."""
    return answered(_shown(await door.workers.run(door.services.store.api_keys.revoke, id)))


def _shown(key: KnownKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "requests_per_minute": key.requests_per_minute,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }
