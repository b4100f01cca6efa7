"""A panel's answer → a chart: lines, stacked bars and states over time, bars side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from axes import (
    across,
    bounds,
    colour,
    marks_of,
    milliseconds,
    rules_of,
    thresholds_in_sight,
    time,
    tooltip,
    upwards,
)
from dashboard import Panel, Span
from drawn import AXIS_PIXELS, Drawn, Entry, drawn, label_pixels, legend_of, measured, text_of
from palette import TINTS, colours_of, in_order, is_reference
from units import said

MOST_LINES = 8
"""More lines than this cannot be told apart: the largest are drawn."""
MOST_BARS = 30
"""More groups of bars than this are no picture any more: the first are drawn."""

_LANE_PIXELS, _BAR_PIXELS = 22, 7
_POINTS_SEEN = 40
_CHARACTER_PIXELS = 7
_PAGE_PIXELS = 1_300
_DASHES = ([1, 0], [6, 3], [2, 2])


def lines(panel: Panel, span: Span) -> Drawn:
    """Lines over time."""
    points = _points_of(panel)
    sizes: dict[str, float] = {}
    for point in points:
        sizes[point["metric"]] = max(sizes.get(point["metric"], 0), abs(point["value"]))
    largest = sorted(sizes, key=lambda name: (is_reference(name), sizes[name]))[-MOST_LINES:]
    names = in_order(largest)
    points = [point for point in points if point["metric"] in names]
    colours = colours_of(names)
    dashes = [
        _DASHES[1] if is_reference(name) else _DASHES[2 * (place >= MOST_LINES / 2)]
        for place, name in enumerate(names)
    ]
    few = len(points) <= _POINTS_SEEN * len(names)
    for point in points:
        # The pointer finds them all; the eye, only where they do not run into each other.
        point["seen"] = 1 if few and not is_reference(point["metric"]) else 0.01
    measure = measured(points, panel)
    flat = not any(point["value"] for point in points)
    steps = thresholds_in_sight(panel, points)
    base = alt.Chart(pd.DataFrame(points)).encode(
        x=time("time"),
        y=upwards("scaled", panel, measure, zero=panel.unit != "none", flat=flat),
        color=colour("metric", names, colours),
    )
    line = base.mark_line(strokeWidth=2, clip=True).encode(
        strokeDash=alt.StrokeDash(
            "metric:N", scale=alt.Scale(domain=names, range=dashes), legend=None
        )
    )
    dots = base.mark_circle(size=35, clip=True, aria=False).encode(
        opacity=alt.Opacity("seen:Q", scale=None), tooltip=tooltip("when", "metric", "said")
    )
    shown = f"The largest {len(names)} of {len(sizes)}." if len(sizes) > len(names) else ""
    chart = alt.layer(bounds(span), *rules_of(steps, measure), line, dots, *marks_of(span))
    return drawn(
        panel,
        chart,
        "lines over time",
        _latest(points, names),
        [
            *legend_of(names, colours, [dash != _DASHES[0] for dash in dashes]),
            *(Entry(step.words, step.tint, dashed=True) for step in steps),
        ],
        note=shown,
    )


def stack(panel: Panel, span: Span) -> Drawn:
    """Bars over time, stacked."""
    points = _points_of(panel)
    names = in_order(point["metric"] for point in points)
    colours = colours_of(names)
    width = 1_000 * span.interval_seconds
    tops: dict[float, float] = {}
    for point in sorted(points, key=lambda point: names.index(point["metric"])):
        point["bottom"] = tops.get(point["time"], 0)
        point["top"] = tops[point["time"]] = point["bottom"] + point["value"]
        point["until"] = point["time"] + width * 0.9
    measure = measured(points, panel, "top")
    for point in points:
        point["bottom"] *= measure.factor
        point["top"] *= measure.factor
    bars = (
        alt.Chart(pd.DataFrame(points))
        .mark_rect(clip=True)
        .encode(
            x=time("time"),
            x2="until:Q",
            y=upwards("bottom", panel, measure, zero=True),
            y2="top:Q",
            color=colour("metric", names, colours),
            tooltip=tooltip("when", "metric", "said"),
        )
    )
    return drawn(
        panel,
        alt.layer(bounds(span), bars, *marks_of(span)),
        "stacked bars over time",
        _latest(points, names),
        legend_of(names, colours),
    )


def timeline(panel: Panel, span: Span) -> Drawn:
    """States over time, one lane for each name."""
    states = {state["value"]: state for state in panel.states}
    lanes: dict[str, list[dict[str, Any]]] = {}
    for point in _points_of(panel):
        state = states.get(round(point["value"]))
        lane = lanes.setdefault(point["metric"], [])
        if lane:
            lane[-1]["until"] = point["time"]
        word = state["word"] if state else ""
        if lane and lane[-1]["word"] == word:
            lane[-1]["until"] = milliseconds(span.end)
            continue
        lane.append(point | {"word": word, "until": milliseconds(span.end)})
    names = in_order(lanes)
    spells = [spell for name in names for spell in lanes[name] if spell["word"]]
    words = [state["word"] for state in panel.states]
    tints = [TINTS[state["colour"]] for state in panel.states]
    bars = (
        alt.Chart(pd.DataFrame(spells))
        .mark_rect(clip=True, cornerRadius=2)
        .encode(
            x=time("time"),
            x2="until:Q",
            y=alt.Y(
                "metric:N",
                sort=names,
                title=None,
                axis=alt.Axis(labelLimit=label_pixels(panel), ticks=False, domain=False),
                scale=alt.Scale(paddingInner=0.25, paddingOuter=0.1),
            ),
            color=colour("word", words, tints),
            tooltip=tooltip("metric", "word", "when"),
        )
    )
    now = "; ".join(f"{name} {lanes[name][-1]['word'] or 'unknown'}" for name in names)
    return drawn(
        panel,
        alt.layer(bounds(span), bars, *marks_of(span)),
        "states over time",
        f"At the end: {now}.",
        [Entry(word, tint) for word, tint in zip(words, tints, strict=True)],
        least=_LANE_PIXELS * len(names) + AXIS_PIXELS,
    )


def bars(panel: Panel, _: Span) -> Drawn:
    """Bars side by side, upright where their labels fit below them."""
    first, *others = panel.columns
    names = [name for name in others if name != "time"]
    records = panel.records[:MOST_BARS]
    labels = list(dict.fromkeys(text_of(record[first]) for record in records))
    parts = [
        {
            "label": text_of(record[first]),
            "name": name,
            "value": float(record[name]),
            "said": said(float(record[name]), panel.unit_of(name)),
        }
        for record in records
        for name in names
        if record[name] is not None
    ]
    measure = measured(parts, panel)
    colours = colours_of(names)
    longest = max(map(len, labels))
    room = _PAGE_PIXELS * panel.width / 24 - 90
    upright = len(labels) * (longest + 1) * _CHARACTER_PIXELS <= room
    category = alt.Axis(
        labelLimit=label_pixels(panel), labelAngle=0, labelOverlap=upright, ticks=False
    )
    chart = (
        alt.Chart(pd.DataFrame(parts))
        .mark_bar(cornerRadiusEnd=2)
        .encode(color=colour("name", names, colours), tooltip=tooltip("label", "name", "said"))
    )
    if upright:
        chart = chart.encode(
            x=alt.X("label:N", sort=labels, title=None, axis=category),
            xOffset=alt.XOffset("name:N", sort=names),
            y=upwards("scaled", panel, measure, zero=True),
        )
    else:
        chart = chart.encode(
            y=alt.Y("label:N", sort=labels, title=None, axis=category),
            yOffset=alt.YOffset("name:N", sort=names),
            x=across("scaled", panel, measure),
        )
    told = "; ".join(f"{part['label']}, {part['name']} {part['said']}" for part in parts)
    return drawn(
        panel,
        chart,
        "bars",
        f"{told}.",
        legend_of(names, colours),
        note=f"The first {MOST_BARS} of {len(panel.rows)}." if len(panel.rows) > MOST_BARS else "",
        least=0 if upright else len(labels) * _BAR_PIXELS * (len(names) + 1) + AXIS_PIXELS,
    )


def _points_of(panel: Panel) -> list[dict[str, Any]]:
    """The rows of a panel over time, in the order of time."""
    points = [
        {
            "time": milliseconds(record["time"]),
            "metric": text_of(record.get("metric", "value")),
            "value": float(record["value"]),
            "said": said(float(record["value"]), panel.unit),
            "when": f"{pd.Timestamp(milliseconds(record['time']), unit='ms'):%d %b, %H:%M} UTC",
        }
        for record in panel.records
        if record["value"] is not None
    ]
    return sorted(points, key=lambda point: point["time"])


def _latest(points: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """The last value of each name, in words."""
    last = {point["metric"]: point["said"] for point in points}
    return "At the end: " + "; ".join(f"{name} {last[name]}" for name in names) + "."
