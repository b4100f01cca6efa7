"""``POST /explain``: what each field of a record added to its score."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from jobchurn.access import Scope
from jobchurn.api.door import Door, TheDoor, answered
from jobchurn.api.envelope import read_request
from jobchurn.api.permits import needs
from jobchurn.api.problems import documented
from jobchurn.api.routes.predictions import RefusedRecord
from jobchurn.api.schema import body_of
from jobchurn.flow.predict import places, shown_of

router = APIRouter(tags=["predictions"])


class Explanation(BaseModel):
    """How one record's score came about: baseline + contributions = score."""

    record: int = Field(description="The record's number in the request, from 1.", ge=1)
    contributions: dict[str, float] = Field(
        description="What each field added to the score: above 0 towards the positive class."
    )
    baseline: float = Field(description="The score before anything is known of the record.")
    score: float = Field(description="The model's score in log-odds, before calibration.")


class ExplainAnswer(BaseModel):
    """The explanations of a request."""

    explanations: list[Explanation] = Field(description="Of the accepted records, in their order.")
    features: list[dict[str, Any]] = Field(
        description="What describes each explained record, in canonical values, in the same order."
    )
    model_version: str = Field(description="The model that is explained.")
    n: int = Field(description="How many records were explained.", ge=0)
    refused: list[RefusedRecord] = Field(
        description="The other records; only a partial request is answered with any."
    )


@router.post(
    "/explain",
    summary="Explain predictions",
    response_model=ExplainAnswer,
    responses=documented(408, 413, 415, 422, 503),
    openapi_extra={"requestBody": body_of("PredictRequest")},
)
@needs(Scope.PREDICT)
async def post_explain(request: Request, door: TheDoor) -> Response:
    """Takes what `/predict` takes, and stores nothing."""
    async with door.bodies.read(request, slow=True) as body:
        return await door.workers.run(_explain, door, body)


def _explain(door: Door, body: bytes) -> Response:
    services = door.services
    asked = read_request(body, most_records=services.settings.max_records)
    reading = door.reader.read(asked.records)
    if not asked.partial:
        reading.raise_if_refused()
    model = door.champion.model
    numbers = [place + 1 for place in places(len(reading.accepted), reading.refused)]
    return answered(
        {
            "explanations": [
                {"record": number, **explanation}
                for number, explanation in zip(
                    numbers, model.explain(reading.accepted), strict=True
                )
            ],
            "features": [shown_of(record, services.contract) for record in reading.accepted],
            "model_version": model.version,
            "n": len(numbers),
            "refused": reading.refused,
        }
    )
