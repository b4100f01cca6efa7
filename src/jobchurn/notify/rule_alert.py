"""What people are told about an alert rule: that it fires, that it still does, that it is over."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from jobchurn.notify.message import Fact, Link, Tone, inert, links_of, shown_moment
from jobchurn.notify.quantity import quantity
from jobchurn.panels import Severity, Unit

TOP_LINES = 12
"""How many lines of details a message has; the dashboard shows them all."""

_LINE_LENGTH = 200


class News(StrEnum):
    """What there is to say."""

    FIRED = "fired"
    REMINDER = "reminder"
    OVER = "over"


@dataclass(frozen=True, kw_only=True)
class RuleAlert:
    """What people are told about one rule.

    Attributes:
        rule: its name.
        summary: what is wrong when it fires, in a few words of ours.
        meaning: what that means for people; of what is over, what that says.
        severity: how soon a person should look.
        news: what there is to say.
        value: what was measured, just now.
        above: the rule holds where the value is greater.
        unit: of both.
        since: when it began to hold.
        at: when it was measured.
        details: what else to say, a line each.
        runbook, dashboard: where to go on, or ``None``.
    """

    rule: str
    summary: str
    meaning: str
    severity: Severity
    news: News
    value: float
    above: float
    unit: Unit
    since: datetime
    at: datetime
    details: tuple[str, ...] = ()
    runbook: str | None = None
    dashboard: str | None = None

    @property
    def headline(self) -> str:
        """The matter in one sentence, in words of our own."""
        match self.news:
            case News.FIRED:
                return f"{self.severity.capitalize()}: {self.summary}"
            case News.REMINDER:
                return f"Still {self.severity}: {self.summary}"
            case News.OVER:
                return f"Over: {self.summary}"

    @property
    def title(self) -> str:
        """The headline, which stands alone."""
        return self.headline

    @property
    def tone(self) -> Tone:
        """Good where it is over, else as grave as the rule."""
        if self.news is News.OVER:
            return Tone.GOOD
        return Tone.URGENT if self.severity is Severity.CRITICAL else Tone.WARNING

    @property
    def explanation(self) -> str:
        """What it means."""
        return self.meaning

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What was measured, from when on that is an alarm, and since when."""
        now = quantity(self.value, self.unit)
        limit = quantity(self.above, self.unit)
        known = (
            Fact("Value", f"{now} (alarm above {limit})"),
            Fact("Since", shown_moment(self.since)),
            Fact("Rule", self.rule),
        )
        if self.news is not News.OVER:
            return known
        return (*known, Fact("Over", shown_moment(self.at)))

    @property
    def lines(self) -> tuple[str, ...]:
        """The foremost details, harmless and short enough to be read."""
        return tuple(inert(line, _LINE_LENGTH) for line in self.details[:TOP_LINES])

    @property
    def table(self) -> None:
        """Nothing: the lines are no table."""
        return

    @property
    def unlisted(self) -> str:
        """A sentence about the lines that are left out; empty where all are shown."""
        more = len(self.details) - TOP_LINES
        return f"and {more:,} more; the dashboard shows them all" if more > 0 else ""

    @property
    def links(self) -> tuple[Link, ...]:
        """The page on what to do, and the picture."""
        return links_of(("Runbook", self.runbook), ("Dashboard", self.dashboard))

    def to_body(self) -> dict[str, Any]:
        """The message in JSON's types, to be sent again later."""
        return dataclasses.asdict(self) | {
            "since": self.since.isoformat(),
            "at": self.at.isoformat(),
            "details": list(self.details),
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """The message that :meth:`to_body` wrote."""
        return cls(
            **dict(body)
            | {
                "severity": Severity(body["severity"]),
                "news": News(body["news"]),
                "unit": Unit(body["unit"]),
                "since": datetime.fromisoformat(body["since"]),
                "at": datetime.fromisoformat(body["at"]),
                "details": tuple(body["details"]),
            }
        )
