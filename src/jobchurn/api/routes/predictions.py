"""``POST /predict``: records in, decisions out, every one of them kept."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from jobchurn import access
from jobchurn.api.body import JSON, LARGE, kind_of
from jobchurn.api.bulk import (
    FORMS,
    described_forms,
    described_wishes,
    predict_bulk_request,
    refuse_wishes,
)
from jobchurn.api.callers import asked_by, refuse_foreign
from jobchurn.api.door import Door, TheDoor, answered
from jobchurn.api.envelope import read_request
from jobchurn.api.few import note, read_few, written
from jobchurn.api.permits import needs
from jobchurn.api.problems import ListedFault, documented
from jobchurn.api.repeats import refuse_repeats
from jobchurn.api.schema import body_of
from jobchurn.api.straight import Answer as Ordinary
from jobchurn.api.straight import Told
from jobchurn.flow.predict import Answer, Source, answer_alone

router = APIRouter(tags=["predictions"])

PATH = "/predict"

_KEY = "idempotency-key"

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="A name for the request, made up by the client. Whoever sends the same request "
        "under the same name again gets the first answer, and nothing new is stored.",
    ),
]


class Predicted(BaseModel):
    """What is said of one record."""

    record: int = Field(description="The record's number in the request, from 1.", ge=1)
    prediction: int = Field(
        description="1 where the probability reaches the threshold.", ge=0, le=1
    )
    probability: float = Field(description="Of the positive class.", ge=0, le=1)
    id: int = Field(description="Under which the prediction is kept.")


class RefusedRecord(BaseModel):
    """A record that was not predicted."""

    record: int = Field(description="The record's number in the request, from 1.", ge=1)
    errors: list[ListedFault] = Field(description="What is wrong with it.")


class PredictAnswer(BaseModel):
    """The predictions of a request."""

    predictions: list[Predicted] = Field(description="Of the accepted records, in their order.")
    features: list[dict[str, Any]] = Field(
        description="What describes each predicted record, in canonical values, in the same order."
    )
    model_version: str = Field(description="The model that gave all of the probabilities.")
    n: int = Field(description="How many records were predicted.", ge=0)
    created_at: datetime | None = Field(description="When they were kept; null where none was.")
    refused: list[RefusedRecord] = Field(
        description="The other records; only a partial request is answered with any."
    )


@router.post(
    PATH,
    summary="Predict records, and keep the predictions",
    response_model=PredictAnswer,
    responses=documented(408, 413, 415, 422, 501, 503),
    openapi_extra={
        "requestBody": body_of("PredictRequest", described_forms()),
        "parameters": described_wishes(),
    },
)
@needs(access.Scope.PREDICT, access.Scope.SCHEDULED)
async def post_predict(request: Request, door: TheDoor, key: Key = None) -> Response:
    """A prediction is answered only after it is committed, however many records there are.

    Records come as JSON, or as NDJSON, CSV or an Arrow stream, which are for many. One refused
    record refuses the whole request, and nothing of it is stored, unless it is `partial`. An
    optional field may be absent or null. A key with the scope `scheduled` is for requests with the
    source `scheduled` or with `lineage`, one with the scope `predict` for all others. Each key has
    names for its requests of its own.
    """
    refuse_repeats(_KEY for _ in request.headers.getlist(_KEY))
    async with door.bodies.read(request, FORMS) as body:
        is_json = kind_of(request) == JSON
        if is_json:
            refuse_wishes(request)
            asked = read_few(door, request.scope, body, key)
            if asked is not None:
                answer = await door.gatherer.predict(asked, door.watch)
                return _told(door, request, asked.source, answer)
        work = _predict if is_json and len(body) < LARGE else predict_bulk_request
        return await door.workers.run(work, door, request, body, key)


def ordinary(door: Door) -> Ordinary:
    """What answers an ordinary request of few records, as :func:`post_predict` would."""

    async def answer(scope: Scope, body: bytes, key: str | None) -> Told | None:
        asked = read_few(door, scope, body, key)
        if asked is None:
            return None
        found = await door.gatherer.predict(asked, door.watch)
        note(door, scope, asked.source, found)
        return Told(orjson.dumps(written(found)), found.replayed)

    return answer


def _predict(door: Door, request: Request, body: bytes, key: str | None) -> Response:
    """Answer a request by itself, in a thread: of many records, or with something to refuse."""
    services = door.services
    said = read_request(body, most_records=services.settings.max_records)
    refuse_foreign(request, said)
    reading = door.reader.read(said.records)
    if not said.partial:
        reading.raise_if_refused()
    asked = asked_by(request, said, reading, key)
    answer = answer_alone(services, door.champion.model, asked, door.stage)
    return _told(door, request, said.source, answer)


def _told(door: Door, request: Request, source: Source, answer: Answer) -> Response:
    note(door, request.scope, source, answer)
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else None
    return answered(written(answer), headers)
