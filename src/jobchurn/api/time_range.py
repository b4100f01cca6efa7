"""Reads a time range as Grafana writes it: ``now-6h`` to ``now``, or two instants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jobchurn.contract import shown
from jobchurn.errors import InvalidRequest

MOST_DAYS = 400
"""The longest range; a year and a month, so that a year can be compared with the one before."""

FORM = "now, now-15m (s, m, h, d or w), or an instant such as 2026-11-24T07:30:00Z"
"""How a moment is written, in words."""

_CURE = f"A moment is {FORM}."

_AGO = re.compile(r"now(?:-([0-9]{1,9})([smhdw]))?", re.ASCII)
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
PATTERN = f"^({_AGO.pattern}|{_INSTANT.pattern})$"
"""How a moment is written, as a regular expression that JSON Schema knows too."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

# Within these, no arithmetic on moments runs over, neither here nor in the database.
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From ``start`` to ``end``, both in UTC; it is never empty."""

    start: datetime
    end: datetime


def time_range(start: str | None, end: str | None, *, hours: int, now: datetime) -> TimeRange:
    """The range between two moments.

    Args:
        start: its first moment; by default ``hours`` before its last.
        end: its last moment; by default ``now``.
        hours: how long it is by default.
        now: the present.

    Raises:
        InvalidRequest: a moment cannot be read, or the range is empty or too long.
    """
    last = now.astimezone(UTC) if end is None else _moment("to", end, now)
    first = last - timedelta(hours=hours) if start is None else _moment("from", start, now)
    if first >= last:
        raise InvalidRequest(
            f"The time range is empty: from {_shown(first)} to {_shown(last)}.",
            "Let it begin before it ends.",
        )
    if last - first > timedelta(days=MOST_DAYS):
        raise InvalidRequest(
            f"The time range is {(last - first).days:,} days long; at most {MOST_DAYS} are shown.",
            "Choose a shorter one.",
        )
    return TimeRange(first, last)


def _moment(field: str, text: str, now: datetime) -> datetime:
    try:
        moment = _read(text, now)
    except (ValueError, OverflowError):  # no such day, say, or longer ago than days are counted
        moment = None
    if moment is None or not _FIRST <= moment <= _LAST:
        message = f"{field} is {shown(text)}, which is no moment that can be shown"
        raise InvalidRequest(
            f"{message}.",
            _CURE,
            {
                "errors": [
                    {
                        "field": field,
                        "value": shown(text),
                        "rule": "moment",
                        "allowed": FORM,
                        "nearest": None,
                        "message": message,
                    }
                ]
            },
        )
    return moment


def _read(text: str, now: datetime) -> datetime | None:
    if ago := _AGO.fullmatch(text):
        count, unit = ago.groups()
        past = timedelta(**{_UNITS[unit]: int(count)}) if unit else timedelta()
        return now.astimezone(UTC) - past
    # In an address a plus that is not escaped is a space.
    text = text.upper().replace(" ", "+")
    return datetime.fromisoformat(text).astimezone(UTC) if _INSTANT.fullmatch(text) else None


def _shown(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
