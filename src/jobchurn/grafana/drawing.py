"""A panel, drawn by Grafana: which visualisation, and how it is set up."""

from __future__ import annotations

from typing import TypeVar

from grafana_foundation_sdk.builders import barchart, common, dashboard, stat, table, timeseries
from grafana_foundation_sdk.builders import statetimeline as timeline
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as c
from grafana_foundation_sdk.models import dashboard as d

from jobchurn.grafana.colours import NAMED, ORDERED, TINTS
from jobchurn.grafana.query import Format, PostgresQuery, source
from jobchurn.panels import Panel, PanelKind, Threshold

API = "${api}"
"""The variable that holds the API's address."""
NOTHING = "–"
POINTS = 240
"""How many points a line has at most, as in the web app."""
HIGH = 9
"""From which height on bars lie: their labels, many or long, then stand down the side."""

AnyPanel = TypeVar(
    "AnyPanel", stat.Panel, timeseries.Panel, timeline.Panel, barchart.Panel, table.Panel
)
NamedPanel = TypeVar("NamedPanel", timeseries.Panel, barchart.Panel)


def panel_of(panel: Panel, x: int, y: int) -> Builder[d.Panel]:
    """The panel as Grafana draws it, at a place of its grid."""
    match panel.kind:
        case PanelKind.STAT:
            return _stat(panel, x, y)
        case PanelKind.SERIES:
            return _series(panel, x, y)
        case PanelKind.STACK:
            return _stack(panel, x, y)
        case PanelKind.TIMELINE:
            return _timeline(panel, x, y)
        case PanelKind.BARS:
            return _bars(panel, x, y)
        case PanelKind.TABLE:
            return _table(panel, x, y)


def shape_of(kind: PanelKind) -> Format:
    """How the answer to a panel's query is to be read."""
    over_time = kind in (PanelKind.SERIES, PanelKind.STACK, PanelKind.TIMELINE)
    return "time_series" if over_time else "table"


def _with_basics(built: AnyPanel, panel: Panel, x: int, y: int) -> AnyPanel:
    # Grafana has no place for what to do where a chart is empty: what it offers would be said of
    # each missing value too, in every tooltip and cell.
    built = (
        built.id(panel.id)
        .title(panel.title)
        .description(f"{panel.description}\n\n*Nothing to see?* {panel.empty}")
        .datasource(source())
        .grid_pos(d.GridPos(h=panel.height, w=panel.width, x=x, y=y))
        .with_target(PostgresQuery(sql=panel.sql, shape=shape_of(panel.kind)))
        .unit(panel.unit)
    )
    if panel.lowest is not None:
        built = built.min(panel.lowest)
    if panel.highest is not None:
        built = built.max(panel.highest)
    for column, unit in sorted(panel.units.items()):
        built = built.override_by_name(column, [d.DynamicConfigValue("unit", unit)])
    return built


def _stat(panel: Panel, x: int, y: int) -> stat.Panel:
    built = (
        _with_basics(stat.Panel(), panel, x, y)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("/^value$/"))
        .graph_mode(c.BigValueGraphMode.NONE)
        .text_mode(c.BigValueTextMode.VALUE)
        .no_value(NOTHING)
    )
    if not panel.thresholds:
        return built.color_scheme(_fixed("text"))
    return (
        built.thresholds(_steps(panel.thresholds))
        .color_mode(c.BigValueColorMode.VALUE)
        .color_scheme(dashboard.FieldColor().mode(d.FieldColorModeId.THRESHOLDS))
    )


def _series(panel: Panel, x: int, y: int) -> timeseries.Panel:
    built = (
        _over_time(panel, x, y)
        .draw_style(c.GraphDrawStyle.LINE)
        .line_width(2)
        .fill_opacity(0)
        # A lone point between gaps would not be seen as a line.
        .show_points(c.VisibilityMode.AUTO)
        .point_size(6)
        # A line is not told of at the moments of others: it goes on to its own next one.
        .span_nulls(True)
    )
    if panel.thresholds:
        built = built.thresholds(_steps(panel.thresholds)).thresholds_style(
            common.GraphThresholdsStyleConfig().mode(c.GraphThresholdsStyleMode.DASHED)
        )
    return built


def _stack(panel: Panel, x: int, y: int) -> timeseries.Panel:
    return (
        _over_time(panel, x, y)
        .draw_style(c.GraphDrawStyle.BARS)
        .line_width(0)
        .fill_opacity(80)
        .stacking(common.StackingConfig().mode(c.StackingMode.NORMAL).group("A"))
    )


def _over_time(panel: Panel, x: int, y: int) -> timeseries.Panel:
    built = (
        _with_basics(timeseries.Panel(), panel, x, y)
        .max_data_points(POINTS)
        .interval("1m")
        .color_scheme(dashboard.FieldColor().mode(d.FieldColorModeId.PALETTE_CLASSIC))
        .legend(_legend())
        .tooltip(_tooltip())
    )
    return _named_colours(built)


def _timeline(panel: Panel, x: int, y: int) -> timeline.Panel:
    return (
        _with_basics(timeline.Panel(), panel, x, y)
        .max_data_points(POINTS)
        .interval("1m")
        .mappings(
            [
                d.ValueMap(
                    options={
                        str(state.value): d.ValueMappingResult(
                            text=state.word, color=TINTS[state.colour], index=place
                        )
                        for place, state in enumerate(panel.states)
                    }
                )
            ]
        )
        # By thresholds, Grafana would forget the states' words: all numbers would look alike.
        .color_scheme(_fixed("text"))
        .thresholds(_steps(()))
        # As with lines: a lane is not told of at the moments of others.
        .span_nulls(True)
        .merge_values(True)
        .show_value(c.VisibilityMode.NEVER)
        .row_height(0.85)
        .line_width(0)
        .fill_opacity(85)
        .legend(_legend())
        .tooltip(_tooltip())
    )


def _bars(panel: Panel, x: int, y: int) -> barchart.Panel:
    built = (
        _with_basics(barchart.Panel(), panel, x, y)
        .x_field("label")
        .orientation(
            c.VizOrientation.HORIZONTAL if panel.height >= HIGH else c.VizOrientation.VERTICAL
        )
        .x_tick_label_max_length(30)
        .x_tick_label_spacing(0)
        .show_value(c.VisibilityMode.NEVER)
        .group_width(0.8)
        .bar_width(0.95)
        .line_width(0)
        .fill_opacity(85)
        .color_scheme(dashboard.FieldColor().mode(d.FieldColorModeId.PALETTE_CLASSIC))
        .legend(_legend())
        .tooltip(_tooltip())
    )
    return _named_colours(built)


def _table(panel: Panel, x: int, y: int) -> table.Panel:
    built = _with_basics(table.Panel(), panel, x, y).show_header(True).filterable(True)
    for column, address in sorted(panel.links.items()):
        link = {
            "title": f"Open: {panel.title}",
            "url": API + address.replace("{cell}", "${__value.raw}"),
            "targetBlank": True,
        }
        built = built.override_by_name(column, [d.DynamicConfigValue("links", [link])])
    return built


def _named_colours(built: NamedPanel) -> NamedPanel:
    for pattern, colour in (NAMED | ORDERED).items():
        built = built.override_by_regexp(
            f"/{pattern}/i",
            [d.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})],
        )
    return built


def _steps(thresholds: tuple[Threshold, ...]) -> dashboard.ThresholdsConfig:
    steps = [d.Threshold(value=step.at, color=TINTS[step.colour]) for step in thresholds]
    return (
        dashboard.ThresholdsConfig()
        .mode(d.ThresholdsMode.ABSOLUTE)
        .steps(steps or [d.Threshold(value=None, color="text")])
    )


def _fixed(colour: str) -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(d.FieldColorModeId.FIXED).fixed_color(colour)


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(c.LegendDisplayMode.LIST)
        .placement(c.LegendPlacement.BOTTOM)
    )


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(c.TooltipDisplayMode.MULTI).sort(c.SortOrder.DESCENDING)
