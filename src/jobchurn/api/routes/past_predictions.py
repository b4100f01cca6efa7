"""``GET /past-predictions``: what was predicted, in pages or as a file."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from jobchurn.access import Scope
from jobchurn.api.door import Door, TheDoor, answered
from jobchurn.api.exports import as_csv, as_parquet
from jobchurn.api.permits import needs
from jobchurn.api.problems import documented
from jobchurn.api.repeats import once_each
from jobchurn.errors import InvalidRequest
from jobchurn.flow.predict import Source, shown_of
from jobchurn.store.predictions import CURSOR_PATTERN

router = APIRouter(tags=["predictions"])


def _day(text: object) -> date:
    """A day as ISO 8601 writes it with hyphens; nothing else that might pass for one."""
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("a day is written YYYY-MM-DD")
    return date.fromisoformat(text)


Day = Annotated[date, BeforeValidator(_day)]


class Wanted(BaseModel):
    """Which past predictions are wanted, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: Day | None = Field(None, description="The first day, in UTC.")
    end: Day | None = Field(None, description="The last day, in UTC; it is included.")
    source: Literal["webapp", "scheduled", "all"] = Field("all", description="Which door asked.")
    limit: int = Field(200, ge=1, le=10_000, description="The most rows of a page.")
    cursor: str | None = Field(
        None,
        max_length=200,
        description="What the page before named as `next`.",
        json_schema_extra={"pattern": CURSOR_PATTERN},
    )
    format: Literal["json", "csv", "parquet"] = Field(
        "json", description="JSON comes in pages; a file holds everything that is wanted at once."
    )

    @property
    def period(self) -> dict[str, Any]:
        """As the store is asked."""
        source = None if self.source == "all" else self.source
        return {"start": self.start, "end": self.end, "source": source}


class Decision(BaseModel):
    """What was said of a record."""

    prediction: int = Field(ge=0, le=1)
    probability: float = Field(ge=0, le=1)


class PastPrediction(BaseModel):
    """One kept prediction."""

    id: int
    created_at: datetime
    source: Source
    model_version: str
    features: dict[str, Any] = Field(description="What described the record, in canonical values.")
    prediction: Decision


class PastPredictions(BaseModel):
    """A page of kept predictions, the newest first."""

    rows: list[PastPrediction]
    next: str | None = Field(description="The next page's `cursor`; null where nothing follows.")


@router.get(
    "/past-predictions",
    summary="Look at what was predicted",
    response_model=PastPredictions,
    dependencies=[Depends(once_each())],
    responses={
        200: {
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/vnd.apache.parquet": {"schema": {"type": "string"}},
            },
            "links": {
                "NextPage": {
                    "operationRef": "#/paths/~1past-predictions/get",
                    "parameters": {"cursor": "$response.body#/next"},
                    "description": "The page after this one, of the same period and source.",
                }
            },
        },
        **documented(422, 501, 503),
    },
)
@needs(Scope.READ)
async def get_past_predictions(
    wanted: Annotated[Wanted, Query()], request: Request, door: TheDoor
) -> Response:
    """Pages neither repeat nor skip a row, whatever is predicted meanwhile.

    As CSV, a text that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    if wanted.start and wanted.end and wanted.start > wanted.end:
        raise InvalidRequest(
            f"The first day, {wanted.start}, is after the last, {wanted.end}.", "Swap the two."
        )
    if wanted.format == "json":
        return answered(await door.workers.run(_page, door, wanted))
    if paging := sorted({"limit", "cursor"} & request.query_params.keys()):
        raise InvalidRequest(
            f"A file holds everything that is wanted at once: it has no {' and no '.join(paging)}.",
            f"Leave {' and '.join(paging)} out, or ask for format=json, which comes in pages.",
        )
    services = door.services
    predictions = services.store.predictions
    if wanted.format == "csv":
        return await door.exports.stream(
            as_csv(predictions.csv(**wanted.period), services.contract),
            media_type="text/csv",
            name="past-predictions.csv",
        )
    return await door.exports.stream(
        as_parquet(predictions.typed_csv(**wanted.period), services.contract),
        media_type="application/vnd.apache.parquet",
        name="past-predictions.parquet",
    )


def _page(door: Door, wanted: Wanted) -> dict[str, Any]:
    services = door.services
    rows, following = services.store.predictions.page(
        **wanted.period, limit=wanted.limit, cursor=wanted.cursor
    )
    return {
        "rows": [
            {
                "id": row.id,
                "created_at": row.created_at,
                "source": row.source,
                "model_version": row.model_version,
                "features": shown_of(row.record, services.contract),
                "prediction": {"prediction": row.prediction, "probability": row.probability},
            }
            for row in rows
        ],
        "next": following,
    }
