"""What a database answers, as JSON carries it: instants in UTC, numbers that are numbers, or null.

A numeric column called ``time`` holds seconds since 1970, as Grafana reads it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from jobchurn.store import Frame

Cell = bool | int | float | str | None
"""What one cell of an answer may be."""

TIME = "time"
"""The column whose numbers are moments."""

_INTEGERS = range(-(2**63), 2**63)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cells:
    """What a query answers, as JSON carries it.

    Attributes:
        columns: their names.
        rows: each with one cell for each column.
        more: whether there are further rows.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    more: bool


def cells_of(frame: Frame) -> Cells:
    """The cells of an answer."""
    readers: list[Callable[[object], Cell]] = [
        moment if column == TIME else cell for column in frame.columns
    ]
    rows = [[read(value) for read, value in zip(readers, row, strict=True)] for row in frame.rows]
    return Cells(frame.columns, rows, frame.more)


def moment(value: object) -> Cell:
    """A moment, given as such or in seconds since 1970; ``None`` where it is out of all bounds."""
    seconds = cell(value)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return seconds
    try:
        return (_EPOCH + timedelta(seconds=seconds)).isoformat()
    except OverflowError:
        return None


def cell(value: object) -> Cell:
    """A value; ``None`` for what is no number, such as infinity."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if value in _INTEGERS else cell(_as_float(value))
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return cell(_as_float(value))
        case datetime():
            # The session's time zone is UTC, so a moment without one is meant in it.
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            try:
                return aware.astimezone(UTC).isoformat()
            except OverflowError:  # the first or the last hours of the calendar
                return None
        case date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case _:
            return str(value)


def _as_float(value: int | Decimal) -> float:
    try:
        return float(value)
    except (OverflowError, ValueError):  # too large, or a signalling NaN
        return math.nan
