"""Failures as problem documents (RFC 9457).

A foreseen failure says what is wrong and what cures it. Anything else is a fault of ours: the
answer gives the request's number and nothing of the inside, the log has the rest.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from jobchurn.api.faults import LISTED, faults_of, sentence
from jobchurn.contract import shown
from jobchurn.errors import InvalidRequest, JobchurnError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

RETRY_SECONDS = 1
"""When a client that found the service unable may ask again."""


class ListedFault(BaseModel):
    """One thing that is wrong with a request."""

    record: int | None = Field(None, description="The record's number in the request, from 1.")
    field: str | None = Field(description="The field's name.")
    value: bool | int | float | str | None = Field(
        description="The value as it came, or how it is shown where it is long or unprintable."
    )
    rule: str = Field(description="The rule that is broken.")
    allowed: str | None = Field(description="What is allowed, in words.")
    nearest: str | None = Field(description="The value or name that was likely meant.")
    message: str = Field(description="All of this in one sentence.")


class Problem(BaseModel):
    """What went wrong, and what to do about it."""

    type: str = Field(description="The kind of problem, as an identifier.")
    title: str = Field(description="The kind of problem, in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong here.")
    cure: str = Field(description="What to do about it.")
    request_id: str = Field(description="The request's number, as the log has it.")
    errors: list[ListedFault] | None = Field(
        None, description=f"Each thing that is wrong; the first {LISTED}."
    )
    errors_not_listed: int | None = Field(None, description="How many more there are at least.")
    missing: list[str] | None = Field(None, description="What keeps the service from being ready.")
    limit: int | None = Field(None, description="How many bytes or records are taken at once.")


def number_of(request: Request) -> str:
    """The request's number, which its answer and the log share."""
    return str(request.state.number)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How the OpenAPI document describes the problems of an endpoint."""
    return {
        status: {
            "description": _PHRASES.get(status, HTTPStatus(status).phrase),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


_PHRASES = {
    401: "There is no key with the request that is valid here.",
    403: "The key is for other endpoints, or other requests.",
    408: "The body stopped arriving.",
    413: "The request is too large.",
    415: "The body is of a type that is not taken, or compressed.",
    422: "The request is refused; each error says where, what is allowed, and what was meant.",
    429: "The key has made all of its requests of this minute.",
    501: "A part that this needs is not installed.",
    503: "Not now: no model yet, no database, or too many requests. Try again.",
}


def problem(
    request: Request,
    *,
    status: int,
    kind: str,
    title: str,
    detail: str,
    cure: str,
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document. Pure ASCII, so that whatever it echoes can be sent."""
    document = {
        "type": f"urn:jobchurn:problem:{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        "cure": cure,
        "request_id": number_of(request),
        **(more or {}),
    }
    again = {"Retry-After": str(RETRY_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Response(
        json.dumps(document, ensure_ascii=True, allow_nan=False),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={**(headers or {}), **again},
    )


def answer_with_problems(app: FastAPI) -> None:
    """Have ``app`` answer every failure with a problem document."""

    @app.exception_handler(JobchurnError)
    async def foreseen(request: Request, error: JobchurnError) -> Response:
        return answer_foreseen(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid_parameters(request: Request, error: RequestValidationError) -> Response:
        # The first part of a fault's place says where the parameter stands: in the query, say.
        errors = [{**fault, "loc": fault["loc"][1:]} for fault in error.errors()]
        faults = faults_of(errors, _parameters(request), "this request")
        return await foreseen(
            request,
            InvalidRequest(
                sentence(faults[0]["message"]), "Correct the request.", {"errors": faults}
            ),
        )

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> Response:
        phrase = HTTPStatus(error.status_code).phrase
        headers = dict(error.headers or {})
        if headers.get("Allow") == "GET":
            headers["Allow"] = "GET, HEAD"  # every GET is also a HEAD: see the middleware
        return problem(
            request,
            status=error.status_code,
            kind=phrase.lower().replace(" ", "-"),
            title=phrase,
            detail=f"{request.method} {shown(request.url.path)}: {error.detail}.",
            cure="GET / lists the endpoints.",
            headers=headers,
        )


def answer_foreseen(
    request: Request, error: JobchurnError, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer to a foreseen failure, for layers around the endpoints too."""
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request %s: %s", number_of(request), error)
    return problem(
        request,
        status=error.status,
        kind=error.slug,
        title=error.title,
        detail=error.message,
        cure=error.cure,
        more=error.details,
        headers=headers,
    )


def answer_unforeseen(request: Request) -> Response:
    """The answer where something broke that nobody foresaw; the log has what."""
    number = number_of(request)
    return problem(
        request,
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        kind="internal-error",
        title="Something broke inside",
        detail="The request could not be answered, through a fault of this service.",
        cure=f"Look for {number} in the API's log, and report what stands there.",
    )


def _parameters(request: Request) -> list[str]:
    """The names of the parameters that the endpoint takes, as the OpenAPI document has them."""
    path = request.app.openapi()["paths"].get(request.scope["route"].path, {})
    operation = path.get(request.method.lower(), {})
    return [parameter["name"] for parameter in operation.get("parameters", [])]
