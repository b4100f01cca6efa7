"""A dashboard as the API answers it: what there is to choose, and each panel with its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel and its answer; see the API's description for the meaning of each field."""

    id: int
    kind: str
    title: str
    description: str
    unit: str = "none"
    units: Mapping[str, str]
    thresholds: Sequence[Json] = ()
    states: Sequence[Json] = ()
    links: Mapping[str, str]
    lowest: float | None = None
    highest: float | None = None
    width: int = 12
    height: int = 8
    empty: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    more: bool = False
    error: str | None = None

    @property
    def records(self) -> list[dict[str, Any]]:
        """The rows, each column → cell."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def unit_of(self, column: str) -> str:
        """The unit of a column's numbers."""
        return self.units.get(column, self.unit)


@dataclass(frozen=True)
class Span:
    """The time range of a dashboard's answer, and what is marked in it.

    Attributes:
        start, end: its ends.
        interval_seconds: how far apart the points of its lines are.
        marks: moments, each with ``time``, ``name`` and ``text``.
    """

    start: datetime
    end: datetime
    interval_seconds: int
    marks: Sequence[Json] = ()


@dataclass(frozen=True)
class Variable:
    """Something that a reader chooses.

    Attributes:
        name: in addresses, after ``var-``.
        label: as people read it.
        options: value → how people read it.
        chosen: the values that the answer is about.
        several: whether more than one may be chosen.
    """

    name: str
    label: str
    options: Mapping[str, str]
    chosen: Sequence[str]
    several: bool


@dataclass(frozen=True)
class Dashboard:
    """A dashboard's answer."""

    name: str
    title: str
    description: str
    hours: int
    refresh_seconds: int
    span: Span
    variables: Sequence[Variable]
    panels: Sequence[Panel]


def moment_of(text: str) -> datetime:
    """The moment that the API names, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def dashboard_of(told: Json) -> Dashboard:
    """What ``GET /panels/{dashboard}`` answered."""
    about = told["dashboard"]
    fields = Panel.__dataclass_fields__
    return Dashboard(
        name=about["name"],
        title=about["title"],
        description=about["description"],
        hours=about["hours"],
        refresh_seconds=about["refresh_seconds"],
        span=Span(
            moment_of(told["from"]),
            moment_of(told["to"]),
            told["interval_seconds"],
            told["annotations"],
        ),
        variables=[
            Variable(
                variable["name"],
                variable["label"],
                {option["value"]: option["text"] for option in variable["options"]},
                variable["chosen"],
                variable["several"],
            )
            for variable in told["variables"]
        ],
        panels=[
            Panel(**{name: value for name, value in panel.items() if name in fields})
            for panel in told["panels"]
        ],
    )


def rows_of(panels: Sequence[Panel], whole: int = 24) -> list[list[Panel]]:
    """The panels laid out left to right, row by row, as wide as each says."""
    rows: list[list[Panel]] = []
    left = 0
    for panel in panels:
        if panel.width > left:
            rows.append([])
            left = whole
        rows[-1].append(panel)
        left -= panel.width
    return rows
