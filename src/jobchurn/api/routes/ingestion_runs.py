"""``GET /ingestion-runs``: which files arrived, and what checking them found."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from jobchurn.access import Scope
from jobchurn.api.door import Door, TheDoor, answered
from jobchurn.api.permits import needs
from jobchurn.api.problems import documented
from jobchurn.api.repeats import once_each
from jobchurn.files import printable

router = APIRouter(tags=["ingestion"])


class Wanted(BaseModel):
    """Which runs are wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(50, ge=1, le=500, description="The most runs of a page.")
    cursor: str | None = Field(
        None,
        max_length=64,
        pattern=r"^[0-9A-Za-z-]+$",
        description="What the page before named as `next`.",
    )


class BrokenRule(BaseModel):
    """How many rows of a file broke one rule."""

    rule: str
    column: str | None = Field(description="Null for a rule about the record's structure.")
    rows: int


class IngestionRun(BaseModel):
    """One arrived file, and what checking it found."""

    run_id: str
    file: str = Field(description="The file's name; what cannot be shown of it is escaped.")
    sha256: str = Field(description="Of the raw bytes, in hexadecimal.")
    trigger: str = Field(description="Who ingested it: `start`, `cli` or `dag`.")
    rows_total: int
    rows_valid: int
    rows_invalid: int
    criticality: str = Field(description="`none`, `low`, `medium` or `high`.")
    duplicate_of: str | None = Field(description="The run that had this content first.")
    started_at: datetime
    finished_at: datetime | None
    report: str | None = Field(description="The path of the HTML report, on this API.")
    issues: list[BrokenRule] = Field(description="What was wrong, the most frequent first.")
    notes: list[str] = Field(description="What was noticed and accepted.")


class IngestionRuns(BaseModel):
    """A page of runs, the newest first."""

    runs: list[IngestionRun]
    next: str | None = Field(description="The next page's `cursor`; null where nothing follows.")


@router.get(
    "/ingestion-runs",
    summary="Look at what arrived",
    response_model=IngestionRuns,
    dependencies=[Depends(once_each())],
    responses={
        200: {
            "links": {
                "NextPage": {
                    "operationRef": "#/paths/~1ingestion-runs/get",
                    "parameters": {"cursor": "$response.body#/next"},
                    "description": "The page after this one.",
                },
                "Report": {
                    "operationRef": "#/paths/~1reports~1{report_name}/get",
                    "parameters": {"report_name": "{$response.body#/runs/0/run_id}.html"},
                    "description": "The report of a run, here of the newest.",
                },
            }
        },
        **documented(422, 503),
    },
)
@needs(Scope.READ)
async def get_ingestion_runs(wanted: Annotated[Wanted, Query()], door: TheDoor) -> Response:
    """The files that were ingested, the newest first."""
    return answered(await door.workers.run(_runs, door, wanted))


def _runs(door: Door, wanted: Wanted) -> dict[str, Any]:
    runs = door.services.store.runs
    found = runs.finished(limit=wanted.limit + 1, before=wanted.cursor)
    shown = found[: wanted.limit]
    return {
        "runs": [
            {
                "run_id": run.run_id,
                "file": printable(run.file),
                "sha256": run.sha256,
                "trigger": run.trigger,
                "rows_total": run.rows_total,
                "rows_valid": run.rows_valid,
                "rows_invalid": run.rows_invalid,
                "criticality": run.criticality,
                "duplicate_of": run.duplicate_of,
                "started_at": run.started_at,
                "finished_at": run.finished_at,
                "report": f"/reports/{PurePath(run.report).name}" if run.report else None,
                "issues": runs.issues(run.run_id),
                "notes": run.notes,
            }
            for run in shown
        ],
        "next": shown[-1].run_id if len(found) > len(shown) else None,
    }
