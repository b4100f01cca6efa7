"""Answers a dashboard: what may be chosen, and what the database says to each panel's query.

The queries are asked one after the other, each in a place of its own among what else the process
works on, and few at once over all requests, so that looking at the service does not slow it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from jobchurn.api.cells import Cells, cells_of
from jobchurn.api.choices import chosen_of
from jobchurn.api.time_range import TimeRange
from jobchurn.api.workers import Workers
from jobchurn.errors import JobchurnError, Overloaded
from jobchurn.panels import Annotation, Dashboard, Panel, Variable, expand, interval_of
from jobchurn.store import Panels

log = logging.getLogger(__name__)

QUERY_SECONDS = 5.0
"""How long one query may take."""

DASHBOARD_SECONDS = 20.0
"""How long all queries of a dashboard may take together, waiting included."""

MOST_ROWS = 5_000
"""The most rows of one panel."""

MOST_OPTIONS = 1_000
"""The most values that a variable offers."""

_AT_ONCE = 2
_NOTHING = Cells(columns=(), rows=(), more=False)


class Queries:
    """Asks the database, few queries at once over all requests.

    Args:
        panels: reads, and can do nothing else.
        workers: where waiting for it blocks nobody.
    """

    def __init__(self, panels: Panels, workers: Workers) -> None:
        self._panels = panels
        self._workers = workers
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def read(self, sql: str, *, rows: int, until: float) -> Cells:
        """What a query returns.

        Args:
            sql: the query, without macros.
            rows: the most rows that are wanted.
            until: when it must be answered, by :func:`time.monotonic`.

        Raises:
            ReaderMissing, DatabaseUnreachable, DatabaseOutdated: the database cannot be read, or
                does not answer in time.
            Overloaded: so many queries came before that this one was not asked.
        """
        await self._take_place(until)
        try:
            seconds = min(QUERY_SECONDS, until - time.monotonic())
            if seconds <= 0:
                raise _no_time()
            return await self._workers.run(self._cells, sql, seconds, rows)
        finally:
            self._places.release()

    def _cells(self, sql: str, seconds: float, rows: int) -> Cells:
        return cells_of(self._panels.read(sql, seconds=seconds, rows=rows))

    async def _take_place(self, until: float) -> None:
        try:
            async with asyncio.timeout(until - time.monotonic()):
                await self._places.acquire()
        except TimeoutError:
            raise _no_time() from None


async def answer(
    queries: Queries,
    dashboard: Dashboard,
    within: TimeRange,
    *,
    asked: Mapping[str, Sequence[str]],
    only: Collection[int],
    number: str,
) -> dict[str, Any]:
    """The answer to ``GET /panels/{dashboard}``.

    Args:
        queries: asks the database.
        dashboard: which.
        within: the time range.
        asked: variable → the values that the request asks for.
        only: the ids of the panels that are wanted; none for all.
        number: the request's, for the log.

    Raises:
        InvalidRequest: a value is not on offer.
        ReaderMissing, DatabaseUnreachable, DatabaseOutdated, Overloaded: what a variable offers
            could not be asked, or no panel could be, for this reason.
    """
    look = _Look(queries, within, number)
    variables = [
        await look.variable(variable, asked.get(variable.name)) for variable in dashboard.variables
    ]
    wanted = [panel for panel in dashboard.panels if not only or panel.id in only]
    panels = [await look.panel(panel) for panel in wanted]
    if wanted and len(look.passing) == len(wanted):
        raise look.passing[0]
    return {
        "dashboard": {
            "name": dashboard.name,
            "title": dashboard.title,
            "description": dashboard.description,
            "hours": dashboard.hours,
            "refresh_seconds": dashboard.refresh_seconds,
        },
        "from": within.start.isoformat(),
        "to": within.end.isoformat(),
        "interval_seconds": look.interval,
        "variables": variables,
        "annotations": [
            mark
            for annotation in dashboard.annotations
            for mark in await look.annotation(annotation)
        ],
        "panels": panels,
    }


class _Look:
    """One look at one dashboard.

    Attributes:
        interval: into how long pieces the range is cut, in seconds.
        passing: what kept panels from being answered and may pass by itself, one for each.
    """

    def __init__(self, queries: Queries, within: TimeRange, number: str) -> None:
        self._queries = queries
        self._within = within
        self._number = number
        self._until = time.monotonic() + DASHBOARD_SECONDS
        self._chosen: dict[str, list[str]] = {}
        self.interval = interval_of(within.start, within.end)
        self.passing: list[JobchurnError] = []

    async def variable(self, variable: Variable, asked: Sequence[str] | None) -> dict[str, Any]:
        """What a variable offers, and what is chosen of it."""
        options = variable.options
        if variable.sql:
            found = await self._read(variable.sql, MOST_OPTIONS)
            options = tuple(str(row[0]) for row in found.rows if row[0] is not None)
        chosen = self._chosen[variable.name] = chosen_of(variable, options, asked)
        return {
            "name": variable.name,
            "label": variable.label,
            "several": variable.several,
            "options": [
                {"value": value, "text": variable.words.get(value, value)} for value in options
            ],
            "chosen": chosen,
        }

    async def panel(self, panel: Panel) -> dict[str, Any]:
        """How a panel is drawn, and its data or why there is none."""
        found, error = _NOTHING, None
        if self._can_be_asked(panel.sql):
            try:
                found = await self._read(panel.sql, MOST_ROWS)
            except JobchurnError as trouble:
                error = str(trouble)
                log.warning("request %s: panel %d: %s", self._number, panel.id, trouble)
                if trouble.status == HTTPStatus.SERVICE_UNAVAILABLE:
                    self.passing.append(trouble)
            except Exception:
                error = f"A fault of this service: the API's log has it under {self._number}."
                log.exception("request %s: panel %d", self._number, panel.id)
        return _drawn(panel) | {
            "columns": found.columns,
            "rows": found.rows,
            "more": found.more,
            "error": error,
        }

    async def annotation(self, annotation: Annotation) -> list[dict[str, Any]]:
        """What is marked; nothing where that cannot be asked: the panels say enough without."""
        if not self._can_be_asked(annotation.sql):
            return []
        try:
            found = await self._read(annotation.sql, MOST_ROWS)
        except Exception:
            log.exception("request %s: annotation %s", self._number, annotation.name)
            return []
        marks = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
        return [
            {"time": mark["time"], "name": annotation.name, "text": mark["text"]} for mark in marks
        ]

    async def _read(self, sql: str, rows: int) -> Cells:
        expanded = expand(
            sql,
            start=self._within.start,
            end=self._within.end,
            interval_seconds=self.interval,
            variables=self._chosen,
        )
        return await self._queries.read(expanded, rows=rows, until=self._until)

    def _can_be_asked(self, sql: str) -> bool:
        """Whether each variable that a query names has a value; no list in SQL is empty."""
        return not any(f"${{{name}:" in sql for name, values in self._chosen.items() if not values)


def _no_time() -> Overloaded:
    return Overloaded(
        "The queries before this one took all the time there was.",
        "Choose a shorter time range, or ask again in a moment.",
    )


def _drawn(panel: Panel) -> dict[str, Any]:
    """How a panel is drawn."""
    return {
        "id": panel.id,
        "kind": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "unit": panel.unit,
        "units": panel.units,
        "thresholds": [asdict(threshold) for threshold in panel.thresholds],
        "states": [asdict(state) for state in panel.states],
        "links": panel.links,
        "lowest": panel.lowest,
        "highest": panel.highest,
        "width": panel.width,
        "height": panel.height,
        "empty": panel.empty,
    }
