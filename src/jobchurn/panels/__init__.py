"""Monitoring: the panels and the alert rules, each written once, for Grafana and for ourselves."""

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
    "expand",
    "interval_of",
]
