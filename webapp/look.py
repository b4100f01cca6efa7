"""What a reader looks at in Monitoring, as the page's address says it: a link shows the same.

``?dashboard=…&range=6h&refresh=30s&var-NAME=…``, with ``from`` and ``to`` in place of ``range``
where a reader chose both ends. What is left out is as the dashboard has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class Duration:
    """So many seconds, none for never, as people read it."""

    seconds: int
    words: str


RANGES = {
    "15m": Duration(900, "15 min"),
    "1h": Duration(3_600, "1 h"),
    "6h": Duration(21_600, "6 h"),
    "24h": Duration(86_400, "24 h"),
    "7d": Duration(604_800, "7 days"),
    "30d": Duration(2_592_000, "30 days"),
}
"""Time ranges that end now."""

REFRESHES = {
    "off": Duration(0, "Off"),
    "10s": Duration(10, "10 s"),
    "30s": Duration(30, "30 s"),
    "1m": Duration(60, "1 min"),
}
"""How often to ask anew."""

LONGEST = timedelta(days=400)
"""The longest time range that the API answers."""

VARIABLE = "var-"
"""What a variable's name in the address begins with."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is looked at.

    Attributes:
        dashboard: its name; empty for the first there is.
        range: one of :data:`RANGES`; ``None`` where both ends are chosen, or nothing is.
        start, end: the chosen ends.
        refresh: one of :data:`REFRESHES`; ``None`` where the dashboard's is taken.
        variables: name → chosen values; only those that are not the dashboard's.
    """

    dashboard: str = ""
    range: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    refresh: str | None = None
    variables: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def is_fixed(self) -> bool:
        """Whether both ends are chosen, so that no time passes."""
        return self.start is not None and self.end is not None

    @property
    def ends(self) -> tuple[str, str] | tuple[None, None]:
        """The ends as the API is asked for them."""
        if self.start and self.end:
            return _instant(self.start), _instant(self.end)
        return (f"now-{self.range}", "now") if self.range else (None, None)

    @property
    def trouble(self) -> str | None:
        """Why the chosen ends are no time range."""
        if not self.start or not self.end:
            return None
        if self.start >= self.end:
            return "The time range ends before it begins. Choose an earlier beginning."
        if self.end - self.start > LONGEST:
            return f"The time range is longer than {LONGEST.days} days. Choose a shorter one."
        return None

    def among(self, dashboards: Sequence[str]) -> Look:
        """The same of a dashboard that there is."""
        known = self.dashboard in dashboards
        return self if known else replace(self, dashboard=dashboards[0])

    @property
    def address(self) -> dict[str, str | list[str]]:
        """What the page's address says of it."""
        said: dict[str, str | list[str]] = {}
        if self.dashboard:
            said["dashboard"] = self.dashboard
        if self.start and self.end:
            said |= {"from": _instant(self.start), "to": _instant(self.end)}
        elif self.range:
            said["range"] = self.range
        if self.refresh:
            said["refresh"] = self.refresh
        return said | {f"{VARIABLE}{name}": list(v) for name, v in self.variables.items()}


def look_of(address: Mapping[str, Sequence[str]]) -> Look:
    """What an address (name → values) asks for; what it says that makes no sense is left out."""

    def one(name: str) -> str:
        return next(iter(address.get(name, ())), "")

    start, end = _moment(one("from")), _moment(one("to"))
    fixed = start is not None and end is not None
    return Look(
        dashboard=one("dashboard"),
        range=one("range") if one("range") in RANGES and not fixed else None,
        start=start if fixed else None,
        end=end if fixed else None,
        refresh=one("refresh") if one("refresh") in REFRESHES else None,
        variables={
            name.removeprefix(VARIABLE): list(values)
            for name, values in address.items()
            if name.startswith(VARIABLE) and values
        },
    )


def range_of(hours: int) -> str | None:
    """The time range of so many hours, where it is one to choose from."""
    return next((name for name, long in RANGES.items() if long.seconds == 3_600 * hours), None)


def refresh_of(seconds: int) -> str:
    """The refresh that comes nearest to so many seconds."""
    paces = [name for name, pace in REFRESHES.items() if pace.seconds]
    return min(paces, key=lambda name: abs(REFRESHES[name].seconds - seconds))


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # no moment, or one that UTC puts outside of all years
        return None
