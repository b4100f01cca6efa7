"""Dashboards and rules with a bit of everything, for tests of what Grafana is given."""

from jobchurn.panels import (
    AlertRule,
    Annotation,
    Colour,
    Dashboard,
    Panel,
    PanelKind,
    Severity,
    State,
    Threshold,
    Unit,
    Variable,
)

OVER_TIME = "SELECT $__timeGroupAlias(at, $__interval), 'bad' AS metric, 1 AS value FROM runs"
THRESHOLDS = (
    Threshold(None, Colour.GOOD),
    Threshold(0.1, Colour.WARN),
    Threshold(0.5, Colour.BAD),
)


def panel(number, kind, **more):
    basics = {
        "title": f"Panel {number}",
        "description": f"What panel {number} means.",
        "sql": OVER_TIME if "series" in kind else f"SELECT {number} AS value",
    }
    return Panel(id=number, kind=kind, **(basics | more))


PANELS = (
    panel(1, PanelKind.STAT, unit=Unit.SHARE, thresholds=THRESHOLDS, width=6, height=4),
    panel(2, PanelKind.STAT, unit=Unit.COUNT, width=6, height=4),
    panel(3, PanelKind.SERIES, thresholds=THRESHOLDS, lowest=0, highest=1, unit=Unit.SHARE),
    panel(4, PanelKind.STACK, lowest=0, unit=Unit.COUNT),
    panel(
        5,
        PanelKind.TIMELINE,
        states=(
            State(0, "quiet", Colour.GOOD),
            State(1, "warned", Colour.WARN),
            State(2, "paged", Colour.BAD),
        ),
    ),
    panel(6, PanelKind.BARS, units={"serving": Unit.SHARE}),
    panel(
        7,
        PanelKind.TABLE,
        width=24,
        units={"seconds": Unit.SECONDS},
        links={"report": "/reports/{cell}"},
    ),
)
SMALL = Dashboard(
    name="small",
    title="Small",
    description="A bit of everything.",
    panels=PANELS,
    variables=(
        Variable(
            name="source",
            label="Source",
            options=("webapp", "scheduled, nightly"),
            several=True,
            words={"webapp": "Web app"},
        ),
        Variable(name="age", label="Age", options=("old", "new"), words={"old": "Rather old"}),
        Variable(name="feature", label="Feature", sql="SELECT DISTINCT feature FROM metrics"),
        Variable(name="rule", label="Rule", sql="SELECT rule FROM rules", several=True),
    ),
    annotations=(
        Annotation(name="Models", sql='SELECT at AS "time", version AS text FROM models'),
    ),
    hours=24,
    refresh_seconds=60,
)
OTHER = Dashboard(
    name="other",
    title="Other",
    description="One panel.",
    panels=(panel(1, PanelKind.STAT, width=24),),
)


def rule(name, **more):
    basics = {
        "title": f"The rule {name}",
        "description": "Something is the matter.",
        "severity": Severity.WARNING,
        "sql": 'SELECT now() AS "time", 0 AS value\nFROM runs WHERE $__timeFilter(at)',
        "within_seconds": 3600,
        "above": 0.4,
        "dashboard": "small",
        "panel": 3,
    }
    return AlertRule(name=name, **(basics | more))


RULES = (
    rule("zeal", severity=Severity.CRITICAL, unit=Unit.SHARE),
    rule("slow", unit=Unit.SECONDS, above=1, pending_seconds=300),
    rule("late", unit=Unit.MINUTES, above=10, dashboard="other", panel=1),
    *(rule(f"rule-{letter}") for letter in "abcde"),
)
