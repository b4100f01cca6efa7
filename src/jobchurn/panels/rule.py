"""What an alert rule is: a number from the database, and from when on it is worth waking somebody.

One definition for two readers: ``grafana`` provisions Grafana's alert rules from it, and
``flow.watch`` evaluates the same rules where there is no Grafana.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jobchurn.panels.panel import Unit


class Severity(StrEnum):
    """How soon a person should look."""

    WARNING = "warning"
    """Today."""
    CRITICAL = "critical"
    """Now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One rule.

    Attributes:
        name: lower-case with hyphens; the rule's uid in Grafana, and the name of its page in
            ``docs/runbook/``.
        title: what is wrong when it fires, in a few words.
        description: what that means for people, in a sentence or two.
        over: when it is over, in a sentence: what an all-clear says, and no more than that.
        severity: how soon a person should look.
        sql: returns one row: ``time`` (now) and ``value``, never NULL; 0 where there is nothing to
            judge. ``$__timeFilter`` covers the latest ``within_seconds``.
        within_seconds: see ``sql``.
        above: the rule holds where the value is greater.
        pending_seconds: for how long it must hold before anybody is told.
        unit: of the value.
        details: a query, with the same macros, of one text column ``line``: what else a message
            says, at most a few lines; empty for none.
        dashboard: where to look, by the dashboard's name.
        panel: where in it, by the panel's id.
        told_by_ingestion: whether ingestion has told people of the very same matter already, with
            the file's report, so that ``flow.watch`` only keeps the state.
    """

    name: str
    title: str
    description: str
    over: str = ""
    severity: Severity
    sql: str
    within_seconds: int
    above: float
    pending_seconds: int = 0
    unit: Unit = Unit.NUMBER
    details: str = ""
    dashboard: str
    panel: int
    told_by_ingestion: bool = False
