"""``GET /panels``: the dashboards, and what their panels show now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from jobchurn.access import Scope
from jobchurn.api import dashboards
from jobchurn.api.choices import PREFIX, read_choices
from jobchurn.api.door import Door, TheDoor, answered
from jobchurn.api.permits import needs
from jobchurn.api.problems import documented, number_of
from jobchurn.api.repeats import once_each
from jobchurn.api.time_range import FORM, PATTERN, time_range
from jobchurn.contract import shown
from jobchurn.errors import InvalidRequest, NotFound
from jobchurn.panels import Colour, Dashboard, PanelKind, Unit

router = APIRouter(tags=["monitoring"])


class Wanted(BaseModel):
    """Which time range and panels are wanted; what else is sent is judged by the dashboard."""

    model_config = ConfigDict(frozen=True)

    start: str | None = Field(
        None,
        alias="from",
        max_length=64,
        description=f"The first moment: {FORM}. By default the dashboard's hours before the last.",
        json_schema_extra={"pattern": PATTERN},
    )
    end: str | None = Field(
        None,
        alias="to",
        max_length=64,
        description="The last moment, in the same form; else now.",
        json_schema_extra={"pattern": PATTERN},
    )
    panel: list[int] = Field(
        [], max_length=100, description="The id of a panel that is wanted; by default all are."
    )


class DashboardSummary(BaseModel):
    """One dashboard."""

    name: str
    title: str
    description: str = Field(description="What it answers.")


class DashboardList(BaseModel):
    """The dashboards there are."""

    dashboards: list[DashboardSummary]


class DashboardShape(DashboardSummary):
    """One dashboard, and how it is looked at."""

    hours: int = Field(description="The time range at first: the latest so many hours.")
    refresh_seconds: int = Field(description="How often to ask anew.")


class Option(BaseModel):
    """A value on offer."""

    value: str
    text: str = Field(description="As people read it.")


class VariableChoice(BaseModel):
    """What a reader may choose, sent as `var-` and the name."""

    name: str
    label: str = Field(description="As people read it.")
    several: bool = Field(description="Whether more than one value may be chosen.")
    options: list[Option] = Field(description="The values on offer.")
    chosen: list[str] = Field(description="The values that the queries were asked with.")


class Mark(BaseModel):
    """A moment that is marked in every panel over time."""

    time: datetime
    name: str = Field(description="What kind of moment it is.")
    text: str | None


class PanelThreshold(BaseModel):
    """From which value on a number is of a colour."""

    at: float | None = Field(description="Null for the colour below all others.")
    colour: Colour


class PanelState(BaseModel):
    """What one number of a timeline means."""

    value: int
    word: str
    colour: Colour


class PanelAnswer(BaseModel):
    """One panel: how it is drawn, and its data."""

    id: int
    kind: PanelKind
    title: str
    description: str = Field(description="What it means and what to make of it.")
    unit: Unit = Field(description="Of its numbers, by Grafana's names.")
    units: dict[str, Unit] = Field(description="Column → its unit, where it is another.")
    thresholds: list[PanelThreshold] = Field(description="Ascending.")
    states: list[PanelState] = Field(description="Of a timeline.")
    links: dict[str, str] = Field(
        description="Column → the path on this API that its cells lead to; `{cell}` is the cell."
    )
    lowest: float | None = Field(description="Where the axis begins, if that is fixed.")
    highest: float | None = Field(description="Where the axis ends, if that is fixed.")
    width: int = Field(description="In columns, of which there are 24.")
    height: int = Field(description="In rows of some 30 pixels.")
    empty: str = Field(description="What to do where there is nothing to see.")
    columns: list[str] = Field(description="The names of the data's columns.")
    rows: list[list[bool | int | float | str | None]] = Field(
        description="Cell by cell; moments are texts of ISO 8601, in UTC."
    )
    more: bool = Field(description="Whether there are more rows than are shown.")
    error: str | None = Field(description="Why there is no data, and what cures that.")


class DashboardAnswer(BaseModel):
    """A dashboard, and what its panels show."""

    dashboard: DashboardShape
    start: datetime = Field(alias="from", description="The first moment of the time range.")
    end: datetime = Field(alias="to", description="The last moment of the time range.")
    interval_seconds: int = Field(description="Into how long pieces the time range is cut.")
    variables: list[VariableChoice]
    annotations: list[Mark] = Field(description="What is marked.")
    panels: list[PanelAnswer] = Field(description="In reading order.")


@router.get(
    "/panels",
    summary="List the dashboards",
    response_model=DashboardList,
    responses={
        200: {
            "links": {
                "Dashboard": {
                    "operationRef": "#/paths/~1panels~1{dashboard}/get",
                    "parameters": {"dashboard": "$response.body#/dashboards/0/name"},
                    "description": "What a dashboard shows, here the first.",
                }
            }
        }
    },
)
@needs(Scope.READ)
async def get_dashboards(door: TheDoor) -> Response:
    """What `/panels/{dashboard}` shows, by name."""
    return answered(
        {
            "dashboards": [
                {"name": found.name, "title": found.title, "description": found.description}
                for found in door.dashboards.values()
            ]
        }
    )


@router.get(
    "/panels/{dashboard}",
    summary="Look at a dashboard",
    response_model=DashboardAnswer,
    dependencies=[Depends(once_each(but=("panel", PREFIX)))],
    responses=documented(404, 422, 503),
)
@needs(Scope.READ)
async def get_panels(
    dashboard: Annotated[str, Path(description="Its name, as `GET /panels` lists it.")],
    wanted: Annotated[Wanted, Query()],
    request: Request,
    door: TheDoor,
) -> Response:
    """What each panel of a dashboard shows.

    A panel that cannot be answered says so in its `error`, and the others are answered. Each
    variable of the dashboard is a parameter too: `var-` and its name, once for each value.
    """
    found = _found(door, dashboard)
    asked = read_choices(found, request.query_params.multi_items())
    _check_panels(found, wanted.panel)
    within = time_range(wanted.start, wanted.end, hours=found.hours, now=datetime.now(UTC))
    return answered(
        await dashboards.answer(
            door.queries,
            found,
            within,
            asked=asked,
            only=set(wanted.panel),
            number=number_of(request),
        )
    )


def _found(door: Door, name: str) -> Dashboard:
    if name not in door.dashboards:
        raise NotFound(
            f"There is no dashboard {shown(name)}.", "GET /panels lists those there are."
        )
    return door.dashboards[name]


def _check_panels(dashboard: Dashboard, wanted: list[int]) -> None:
    known = {panel.id for panel in dashboard.panels}
    if strange := [number for number in wanted if number not in known]:
        raise InvalidRequest(
            f"The dashboard {dashboard.name} has no panel {shown(strange[0])}.",
            f"Its panels are {', '.join(map(str, sorted(known)))}.",
        )
