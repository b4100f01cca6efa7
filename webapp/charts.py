"""The pictures of predictions and files: probability, reasons, spread, good and bad rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
from altair.typing import ChartType

from palette import BLUE, GREY, ORANGE
from words import Reason, percent

_NEAR_EDGE = 0.2


def probability_chart(probability: float, threshold: float, decision: int) -> ChartType:
    """The probability on a scale from 0 to 100%, with the threshold marked."""
    whole = pd.DataFrame([{"from": 0.0, "to": 1.0, "bottom": 0, "top": 30}])
    marked = pd.DataFrame([{"at": threshold, "bottom": -5, "top": 35, "words": 48}])
    ground = _bar(whole, GREY, opacity=0.25)
    bar = _bar(whole.assign(to=probability), ORANGE if decision else BLUE, opacity=1)
    mark = alt.Chart(marked).encode(x=_share("at"))
    line = mark.mark_rule(color=GREY, strokeWidth=2.5).encode(y=_height("bottom"), y2="top:Q")
    word = mark.mark_text(
        text=f"yes from {percent(threshold)}",
        align="left" if threshold < _NEAR_EDGE else "center",
        fontSize=13,
        fontWeight=600,
    ).encode(y=_height("words"))
    return alt.layer(ground, bar, line, word).properties(height=120)


def _bar(frame: pd.DataFrame, colour: str, *, opacity: float) -> ChartType:
    chart: ChartType = (
        alt.Chart(frame)
        .mark_rect(color=colour, opacity=opacity, cornerRadius=4)
        .encode(x=_share("from"), x2="to:Q", y=_height("bottom"), y2="top:Q")
    )
    return chart


def _height(field: str) -> alt.Y:
    return alt.Y(f"{field}:Q", scale=alt.Scale(domain=[-5, 60]), axis=None)


def _share(field: str) -> alt.X:
    axis = alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], title=None, grid=False)
    return alt.X(f"{field}:Q", scale=alt.Scale(domain=[0, 1]), axis=axis)


def reasons_chart(reasons: Sequence[Reason]) -> ChartType:
    """What each column added to the score, the strongest first."""
    frame = pd.DataFrame(
        {
            "label": [f"{reason.label}: {reason.value}" for reason in reasons],
            "weight": [reason.weight for reason in reasons],
            "effect": [_effect(reason.weight) for reason in reasons],
        }
    )
    chart: ChartType = (
        alt.Chart(frame)
        .mark_bar(cornerRadius=3, size=14)
        .encode(
            # The score has no unit that people know: one line tells the two directions apart.
            x=alt.X("weight:Q", title=None, axis=alt.Axis(labels=False, ticks=False, values=[0])),
            y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=320)),
            color=_two_colours("effect", "more likely", "less likely"),
            tooltip=[alt.Tooltip("label:N", title="Reason"), alt.Tooltip("effect:N")],
        )
        .properties(height=alt.Step(24))
    )
    return chart


def _effect(weight: float) -> str:
    return "more likely" if weight > 0 else "less likely"


def _two_colours(field: str, orange: str, blue: str) -> alt.Color:
    return alt.Color(
        f"{field}:N",
        scale=alt.Scale(domain=[blue, orange], range=[BLUE, ORANGE]),
        legend=alt.Legend(title=None, orient="top"),
    )


def spread_chart(probabilities: Sequence[float], threshold: float) -> ChartType:
    """How many records fall into each tenth of the scale, with the threshold marked."""
    tenths = [min(int(probability * 20), 19) for probability in probabilities]
    frame = pd.DataFrame(
        {
            "from": [step / 20 for step in range(20)],
            "to": [(step + 1) / 20 for step in range(20)],
            "rows": [tenths.count(step) for step in range(20)],
        }
    )
    bars = (
        alt.Chart(frame)
        .mark_bar(color=BLUE, orient="vertical")
        .encode(
            x=alt.X(
                "from:Q",
                bin="binned",
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format=".0%", title="Probability"),
            ),
            x2="to:Q",
            y=alt.Y("rows:Q", title="Rows", axis=alt.Axis(tickMinStep=1, tickCount=4)),
            tooltip=[
                alt.Tooltip("from:Q", format=".0%"),
                alt.Tooltip("to:Q", format=".0%"),
                alt.Tooltip("rows:Q", format=","),
            ],
        )
    )
    named = alt.Axis(
        values=[threshold],
        labelExpr=f"'yes from {percent(threshold)}'",
        orient="top",
        domain=False,
        ticks=False,
        title=None,
    )
    mark = alt.Chart(pd.DataFrame({"share": [threshold]}))
    line = mark.mark_rule(strokeWidth=2.5, color=ORANGE).encode(x=alt.X("share:Q", axis=named))
    chart: ChartType = alt.layer(bars, line).resolve_axis(x="independent").properties(height=190)
    return chart


def files_chart(runs: Sequence[Mapping[str, Any]]) -> ChartType:
    """Good and bad rows of each file, the latest on top."""
    parts = [
        {"file": run["name"], "rows": "good", "count": run["good"], "order": position}
        for position, run in enumerate(runs)
    ]
    parts += [
        {"file": run["name"], "rows": "bad", "count": run["bad"], "order": position}
        for position, run in enumerate(runs)
    ]
    chart: ChartType = (
        alt.Chart(pd.DataFrame(parts))
        .mark_bar(size=14)
        .encode(
            y=alt.Y("file:N", sort=None, title=None, axis=alt.Axis(labelLimit=260)),
            x=alt.X("count:Q", title="Rows", axis=alt.Axis(tickMinStep=1, tickCount=8)),
            color=_two_colours("rows", "bad", "good"),
            order=alt.Order("rows:N", sort="descending"),
            tooltip=[alt.Tooltip("file:N"), alt.Tooltip("rows:N"), alt.Tooltip("count:Q")],
        )
        .properties(height=alt.Step(24))
    )
    return chart
