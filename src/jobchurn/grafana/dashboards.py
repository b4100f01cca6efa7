"""A dashboard, as Grafana keeps it: its panels laid out, its variables, its marks and links.

In the classic form, which every Grafana from 12 on takes from a file; not all of them take the
newer one, for whose sake the SDK calls this one old.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as d

from jobchurn.grafana.colours import GREY
from jobchurn.grafana.drawing import API, panel_of
from jobchurn.grafana.query import PostgresQuery, source
from jobchurn.panels import Annotation, Dashboard, Panel, Variable

TAG = "jobchurn"
COLUMNS = 24
API_ADDRESS = "http://127.0.0.1:8000"
WEBAPP_ADDRESS = "http://127.0.0.1:8501"
"""Where readers reach API and web app by default; ``grafana/start.sh`` puts others in their place.
"""
REFRESHES = ("10s", "30s", "1m", "5m", "15m", "1h")


def dashboard_of(dashboard: Dashboard) -> d.Dashboard:
    """The dashboard as Grafana keeps it; its uid is its name."""
    built = (
        builders.Dashboard(dashboard.title)
        .uid(dashboard.name)
        .description(dashboard.description)
        .tags([TAG])
        .time(f"now-{dashboard.hours}h", "now")
        .refresh(f"{dashboard.refresh_seconds}s")
        .timepicker(builders.TimePicker().refresh_intervals(list(REFRESHES)))
        .timezone("browser")
        .tooltip(d.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .variables([*map(_variable, dashboard.variables), *_addresses()])
        .annotations([_annotation(annotation) for annotation in dashboard.annotations])
        .links(_links())
    )
    for panel, x, y in places_of(dashboard.panels):
        built = built.with_panel(panel_of(panel, x, y))
    return built.build()


def places_of(panels: Iterable[Panel]) -> Iterator[tuple[Panel, int, int]]:
    """Each panel with its column and row: left to right, then the next row of panels.

    A row of panels is as high as the highest of them.
    """
    x = y = height = 0
    for panel in panels:
        if x + panel.width > COLUMNS:
            x, y, height = 0, y + height, 0
        yield panel, x, y
        x += panel.width
        height = max(height, panel.height)


def _variable(variable: Variable) -> Builder[d.VariableModel]:
    return _asked(variable) if variable.sql else _listed(variable)


def _asked(variable: Variable) -> Builder[d.VariableModel]:
    built = (
        builders.QueryVariable(variable.name)
        .label(variable.label)
        .datasource(source())
        .query(variable.sql)
        .refresh(d.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(variable.several)
        .include_all(variable.several)
        .allow_custom_value(False)
    )
    return built.current(_all()) if variable.several else built


def _listed(variable: Variable) -> Builder[d.VariableModel]:
    first = variable.options[0]
    return (
        builders.CustomVariable(variable.name)
        .label(variable.label)
        .values(_list_of(variable.options, variable.words))
        .multi(variable.several)
        .include_all(variable.several)
        .allow_custom_value(False)
        .current(
            _all()
            if variable.several
            else d.VariableOption(True, variable.words.get(first, first), first)
        )
    )


def _list_of(options: Sequence[str], words: dict[str, str]) -> str:
    """``word : value, …``, as Grafana reads a list of values."""
    return ", ".join(
        f"{_escaped(words[option])} : {_escaped(option)}" if option in words else _escaped(option)
        for option in options
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(",", "\\,")


def _all() -> d.VariableOption:
    return d.VariableOption(True, ["All"], ["$__all"])


def _addresses() -> list[Builder[d.VariableModel]]:
    # Constants: what a visitor's address says cannot lead links elsewhere.
    return [
        builders.ConstantVariable("api").label("API").value(API_ADDRESS),
        builders.ConstantVariable("webapp").label("Web app").value(WEBAPP_ADDRESS),
    ]


def _annotation(annotation: Annotation) -> Builder[d.AnnotationQuery]:
    return (
        builders.AnnotationQuery()
        .name(annotation.name)
        .datasource(source())
        .enable(True)
        .hide(False)
        .icon_color(GREY)
        .target(PostgresQuery(sql=annotation.sql, shape="table", name="Anno"))
    )


def _links() -> list[Builder[d.DashboardLink]]:
    return [
        builders.DashboardLink("Dashboards")
        .type(d.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .icon("dashboard")
        .tooltip("The other dashboards, with this time range")
        .keep_time(True),
        builders.DashboardLink("Web app")
        .type(d.DashboardLinkType.LINK)
        .url("${webapp}")
        .icon("external link")
        .tooltip("Ask for predictions, look at past ones")
        .target_blank(True),
        builders.DashboardLink("API")
        .type(d.DashboardLinkType.LINK)
        .url(f"{API}/openapi.json")
        .icon("doc")
        .tooltip("What the HTTP API offers")
        .target_blank(True),
    ]
