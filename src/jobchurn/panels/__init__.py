"""Monitoring: the panels and the alert rules, each written once, for Grafana and for ourselves."""

from jobchurn.contract import Contract
from jobchurn.panels import ingestion, predictions, service
from jobchurn.panels.macros import UnusableQuery, expand, interval_of
from jobchurn.panels.panel import (
    Annotation,
    Colour,
    Dashboard,
    Panel,
    PanelKind,
    State,
    Threshold,
    Unit,
    Variable,
)
from jobchurn.panels.rule import AlertRule, Severity
from jobchurn.panels.rules import rules_of

__all__ = [
    "AlertRule",
    "Annotation",
    "Colour",
    "Dashboard",
    "Panel",
    "PanelKind",
    "Severity",
    "State",
    "Threshold",
    "Unit",
    "UnusableQuery",
    "Variable",
    "dashboards_of",
    "expand",
    "interval_of",
    "rules_of",
]


def dashboards_of(contract: Contract) -> tuple[Dashboard, ...]:
    """The dashboards, in the order in which the data goes."""
    return tuple(room.dashboard_of(contract) for room in (ingestion, predictions, service))
