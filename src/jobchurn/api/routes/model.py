"""``GET /model``: the model in charge, how good it is, and what it asks about a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from jobchurn.access import Scope
from jobchurn.api.door import TheDoor, answered
from jobchurn.api.permits import needs
from jobchurn.api.problems import documented
from jobchurn.contract import Column

router = APIRouter(tags=["model"])


class Feature(BaseModel):
    """One field of a record, as people are asked for it."""

    name: str
    label: str = Field(description="As people read it.")
    meaning: str
    kind: str = Field(description="`integer`, `number`, `category`, `ordered category` or `text`.")
    role: str = Field(description="`feature`, or `protected`: kept, but not shown to the model.")
    required: bool
    levels: list[str] = Field(
        description="All values of a category; of an open text those that the model knows."
    )
    wording: dict[str, str] = Field(description="Value → the words that people read for it.")
    minimum: float | None
    maximum: float | None
    unit: str
    importance: float | None = Field(
        description="Mean size of what it adds to the score, in log-odds; null if not shown to it."
    )


class ModelAnswer(BaseModel):
    """The model in charge."""

    version: str = Field(description="A hash of its content.")
    created_at: str = Field(description="When it was trained.")
    contract: str = Field(description="The fingerprint of the contract that it follows.")
    subject: str = Field(description="What one record describes.")
    positive: str = Field(description="What a prediction of 1 says of the subject.")
    negative: str = Field(description="What a prediction of 0 says of the subject.")
    rows: int = Field(description="How many rows it learnt from.")
    positives: int = Field(description="How many of them were positive.")
    metrics: dict[str, Any] = Field(description="How good it is, on rows held out.")
    calibration_bins: list[dict[str, Any]] = Field(
        description="Predicted and observed shares of positives, by probability."
    )
    groups: list[dict[str, Any]] = Field(description="How it treats groups of people.")
    features: list[Feature]
    policy: str = Field(description="The policy that turns probabilities into decisions.")
    threshold: float = Field(description="The probability from which on the decision is 1.")


@router.get(
    "/model",
    summary="Look at the model in charge",
    response_model=ModelAnswer,
    responses=documented(503),
)
@needs(Scope.PREDICT, Scope.READ)
async def get_model(door: TheDoor) -> Response:
    """The model that answers now, its figures, and the fields of a record."""
    services = door.services
    contract, policy = services.contract, services.policy
    card = door.champion.model.card
    return answered(
        {
            "version": card.version,
            "created_at": card.created_at,
            "contract": card.fingerprint,
            "subject": contract.subject,
            "positive": contract.positive,
            "negative": contract.negative,
            "rows": card.rows,
            "positives": card.positives,
            "metrics": card.metrics,
            "calibration_bins": card.calibration_bins,
            "groups": card.groups,
            "features": [
                _feature(column, card.levels, card.importance) for column in contract.inputs
            ],
            "policy": policy.version,
            "threshold": policy.threshold,
        }
    )


def _feature(
    column: Column, known: Mapping[str, Sequence[str]], importance: Mapping[str, float]
) -> dict[str, Any]:
    return {
        "name": column.name,
        "label": column.label,
        "meaning": column.meaning,
        "kind": column.kind,
        "role": column.role,
        "required": column.required,
        "levels": column.levels or known.get(column.name, ()),
        "wording": column.wording,
        "minimum": column.minimum,
        "maximum": column.maximum,
        "unit": column.unit,
        "importance": importance.get(column.name),
    }
