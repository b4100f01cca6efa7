"""The axes that panels share, and what is drawn along them: time, amounts, thresholds, marks.

The moments that a dashboard looks at are data here and no part of the chart's description: a
refresh then moves the picture on in the browser, instead of drawing another in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd
from altair.typing import ChartType

from dashboard import Panel, Span, moment_of
from palette import GREY, TINTS
from units import Measure, axis_words, said

SAYS = {"good": "good", "notice": "notice", "warn": "warning", "bad": "bad", "plain": "plain"}
"""What a colour says, in a word."""

_HEADROOM = 1.3
_FEWEST_TICKS, _MOST_TICKS = 3, 6
# Midnight shows the day, every other hour the time, to the second where it is no whole minute: fit
# for seconds and for months.
_CLOCK = (
    "utcseconds(datum.value) != 0 ? utcFormat(datum.value, '%H:%M:%S')"
    " : utchours(datum.value) == 0 && utcminutes(datum.value) == 0"
    " ? utcFormat(datum.value, '%d %b') : utcFormat(datum.value, '%H:%M')"
)


@dataclass(frozen=True)
class Threshold:
    """From which value on a line is of a colour."""

    at: float
    tint: str
    words: str


def milliseconds(moment: Any) -> float:
    """A moment as Vega takes it; the API tells it as seconds since 1970, or as text."""
    if isinstance(moment, int | float):
        return 1_000.0 * moment
    moment = moment_of(moment) if isinstance(moment, str) else moment
    return 1_000.0 * float(moment.timestamp())


def time(field: str) -> alt.X:
    """Moments along a chart, in UTC."""
    axis = alt.Axis(
        labelExpr=_CLOCK,
        labelOverlap="greedy",
        labelFlush=False,
        grid=False,
        title="UTC",
        titleAnchor="end",
        titleFontSize=11,
        titlePadding=2,
        tickCount=8,
    )
    return alt.X(f"{field}:T", scale=alt.Scale(type="utc", nice=False), axis=axis)


def upwards(field: str, panel: Panel, measure: Measure, *, zero: bool, flat: bool = False) -> alt.Y:
    """Amounts of a panel's unit, its axis fixed where the panel says so.

    Args:
        field: already in the measure.
        panel: says the unit and the ends.
        measure: in which the axis is worded.
        zero: whether the axis begins at 0 where the panel does not say.
        flat: whether there is nothing but 0, which is to lie on the ground all the same.
    """
    scale, axis = _scale(panel, measure, zero=zero), _amounts(panel, measure)
    if flat and panel.highest is None:
        scale.domainMax = 1
    return alt.Y(f"{field}:Q", scale=scale, axis=axis, stack=None)


def across(field: str, panel: Panel, measure: Measure) -> alt.X:
    """As :func:`upwards`, from left to right and from 0."""
    scale, axis = _scale(panel, measure, zero=True), _amounts(panel, measure)
    return alt.X(f"{field}:Q", scale=scale, axis=axis, stack=None)


def _scale(panel: Panel, measure: Measure, *, zero: bool) -> alt.Scale:
    ends = (panel.lowest, panel.highest)
    low, high = (alt.Undefined if end is None else end * measure.factor for end in ends)
    return alt.Scale(zero=zero, nice=True, domainMin=low, domainMax=high)


def _amounts(panel: Panel, measure: Measure) -> alt.Axis:
    whole = panel.unit == "short" and measure.factor == 1
    return alt.Axis(
        labelExpr=axis_words(measure),
        title=None,
        tickCount=max(_FEWEST_TICKS, min(panel.height - 2, _MOST_TICKS)),
        tickMinStep=1 if whole else alt.Undefined,
        labelOverlap=True,
    )


def colour(field: str, names: Sequence[str], colours: Sequence[str]) -> alt.Color:
    """Names told apart by colour."""
    # The legend stands above the chart, in words that wrap: Vega's would be cut on a phone.
    return alt.Color(
        f"{field}:N", scale=alt.Scale(domain=list(names), range=list(colours)), legend=None
    )


def tooltip(*fields: str) -> list[alt.Tooltip]:
    """What the pointer is told; each field holds words already."""
    titles = {"said": "Value", "when": "When", "metric": "What", "word": "State"}
    return [
        alt.Tooltip(f"{field}:N", title=titles.get(field, field.capitalize())) for field in fields
    ]


def bounds(span: Span) -> ChartType:
    """Nothing to be seen, from one end of the time range to the other."""
    ends = pd.DataFrame({"time": [milliseconds(span.start), milliseconds(span.end)]})
    chart: ChartType = alt.Chart(ends).mark_point(opacity=0, aria=False).encode(x=time("time"))
    return chart


def thresholds_in_sight(panel: Panel, points: Sequence[Mapping[str, Any]]) -> list[Threshold]:
    """The thresholds near enough to the points: one far above would press them to the ground."""
    most = max((point["value"] for point in points), default=0) * _HEADROOM
    sight = most if panel.highest is None else panel.highest
    return [
        Threshold(
            at=threshold["at"],
            tint=TINTS[threshold["colour"]],
            words=f"{SAYS[threshold['colour']]} from {said(threshold['at'], panel.unit)}",
        )
        for threshold in panel.thresholds
        if threshold["at"] is not None and threshold["at"] <= sight
    ]


def rules_of(thresholds: Sequence[Threshold], measure: Measure) -> list[ChartType]:
    """Thresholds as lines from side to side."""
    rules = [
        {"scaled": step.at * measure.factor, "tint": step.tint, "step": step.words}
        for step in thresholds
    ]
    return [
        alt.Chart(pd.DataFrame([rule]))
        .mark_rule(strokeDash=[5, 4], strokeWidth=1.5)
        .encode(
            y=alt.Y("scaled:Q"),
            color=alt.Color("tint:N", scale=None),
            tooltip=tooltip("step"),
        )
        for rule in rules
    ]


def marks_of(span: Span) -> list[ChartType]:
    """The moments that are marked, each a thin line with its words."""
    marks = [
        {
            "time": milliseconds(mark["time"]),
            "when": f"{moment_of(mark['time']):%d %b, %H:%M:%S} UTC",
            "name": str(mark["name"]),
            "text": str(mark["text"]),
        }
        for mark in span.marks
    ]
    if not marks:
        return []
    mark = alt.Chart(pd.DataFrame(marks)).encode(
        x=time("time"), tooltip=tooltip("name", "text", "when")
    )
    return [
        mark.mark_rule(color=GREY, strokeWidth=1.5, strokeDash=[2, 3]),
        mark.mark_point(color=GREY, shape="triangle-down", size=70, filled=True, opacity=1).encode(
            y=alt.value(4)
        ),
    ]
