"""``POST /predict``: records in, decisions out, every one of them kept."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from jobchurn.access import Scope
from jobchurn.api.door import Door, TheDoor, answered
from jobchurn.api.envelope import read_request
from jobchurn.api.permits import needs
from jobchurn.api.problems import ListedFault, documented
from jobchurn.api.repeats import refuse_repeats
from jobchurn.api.schema import body_of
from jobchurn.flow.predict import predict

router = APIRouter(tags=["predictions"])

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
    "/predict",
    summary="Predict records, and keep the predictions",
    response_model=PredictAnswer,
    responses=documented(408, 413, 415, 422, 503),
    openapi_extra={"requestBody": body_of("PredictRequest")},
)
@needs(Scope.PREDICT)
async def post_predict(request: Request, door: TheDoor, key: Key = None) -> Response:
    """A prediction is answered only after it is committed.

    One refused record refuses the whole request, and nothing of it is stored, unless it is
    `partial`. An optional field may be absent or null.
    """
    refuse_repeats(_KEY for _ in request.headers.getlist(_KEY))
    async with door.bodies.read(request) as body:
        return await door.workers.run(_predict, door, request, body, key)


def _predict(door: Door, request: Request, body: bytes, key: str | None) -> Response:
    services = door.services
    asked = read_request(body, most_records=services.settings.max_records)
    reading = door.reader.read(asked.records)
    if not asked.partial:
        reading.raise_if_refused()
    lineage = asked.lineage
    answer = predict(
        services,
        door.champion.model,
        reading.accepted,
        source=asked.source,
        key=key,
        refused=reading.refused,
        run_id=lineage.run if lineage else None,
        file_name=lineage.file if lineage else None,
        first_row=lineage.first_row if lineage else None,
        stage=door.stage,
    )
    request.state.records = answer.n
    if not answer.replayed:
        door.metrics.predicted(asked.source, answer.n)
    return answered(
        {
            "predictions": answer.predictions,
            "features": answer.features,
            "model_version": answer.model_version,
            "n": answer.n,
            "created_at": answer.created_at,
            "refused": answer.refused,
        },
        {"Idempotent-Replayed": "true"} if answer.replayed else None,
    )
