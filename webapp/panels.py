"""Panels on the page: each in its place, with its heading and picture, or why there is none."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import streamlit as st

import frame
import plots
from axes import SAYS
from dashboard import Panel, Span, rows_of
from drawn import ROW_PIXELS, Drawn
from panel_table import show_table
from units import NOTHING, said
from words import escaped, prose

WHOLE = 24
"""The width of the page, as panels count theirs."""

_PICTURES: dict[str, Callable[[Panel, Span], Drawn]] = {
    "series": plots.lines,
    "stack": plots.stack,
    "timeline": plots.timeline,
    "bars": plots.bars,
}
_BADGES = {
    "good": ":green-badge[:material/check_circle: good]",
    "notice": ":blue-badge[:material/info: notice]",
    "warn": ":orange-badge[:material/warning: warning]",
    "bad": ":red-badge[:material/error: bad]",
}


def show_panels(panels: Sequence[Panel], span: Span) -> None:
    """The panels in rows, as wide as each says; on a narrow page they stand below each other."""
    for row in rows_of(panels, WHOLE):
        widths = [panel.width for panel in row]
        rest = WHOLE - sum(widths)
        places = st.columns([*widths, rest] if rest else widths, gap="small")
        for place, panel in zip(places, row, strict=False):
            with place:
                show_panel(panel, span)


def show_panel(panel: Panel, span: Span) -> None:
    """One panel: its heading, and its picture or why there is none."""
    with st.container(border=True, height="stretch", gap="xsmall"):
        st.subheader(escaped(panel.title), anchor=False, help=help_of(panel))
        if panel.error:
            _instead(panel, f":material/cloud_off: {prose(panel.error)}")
        elif not has_something(panel):
            _instead(panel, f":material/inbox: {prose(panel.empty)}")
        elif panel.kind == "stat":
            _show_stat(panel)
        elif panel.kind == "table":
            show_table(panel)
        else:
            drawn = _PICTURES[panel.kind](panel, span)
            st.html(legend_html(drawn))
            frame.picture(drawn.chart, drawn.name)
            if drawn.note:
                st.caption(drawn.note)
        if panel.more:
            st.caption(f"The first {len(panel.rows):,} rows; there are more.")


def has_something(panel: Panel) -> bool:
    """Whether there is anything to be seen: a value, beside times and names."""
    if panel.kind == "table":
        return bool(panel.rows)
    named = {"time", "metric", "label"}
    values = [place for place, column in enumerate(panel.columns) if column not in named]
    return any(row[place] is not None for row in panel.rows for place in values)


def help_of(panel: Panel) -> str:
    """The panel's description, and what its colours mean."""
    steps = [
        f"{SAYS[threshold['colour']]} from {said(threshold['at'], panel.unit)}"
        for threshold in panel.thresholds
        if threshold["at"] is not None
    ]
    ground = [SAYS[t["colour"]] for t in panel.thresholds if t["at"] is None]
    meaning = f" Below that {ground[0]}; {', '.join(steps)}." if steps and ground else ""
    return prose(panel.description + meaning)


def colour_of(value: float, panel: Panel) -> str:
    """What the thresholds say of a value."""
    reached = [
        threshold["colour"]
        for threshold in panel.thresholds
        if threshold["at"] is None or value >= threshold["at"]
    ]
    return reached[-1] if reached else "plain"


def legend_html(drawn: Drawn) -> str:
    """A legend that wraps where it must, and the values for those who do not see the picture."""
    keys = "".join(
        f'<li><span class="{"dashed" if entry.dashed else "solid"}" '
        f'style="border-color: {entry.colour}"></span>{html.escape(entry.name)}</li>'
        for entry in drawn.legend
    )
    legend = f'<ul class="panel-legend">{keys}</ul>' if keys else ""
    return f'{legend}<p class="panel-values">{html.escape(drawn.values)}</p>'


def _show_stat(panel: Panel) -> None:
    value = panel.records[0]["value"]
    text = value if isinstance(value, str) else said(value, panel.unit)
    badge = "" if isinstance(value, str) else _BADGES.get(colour_of(value, panel), "")
    _show_number(panel, text, badge)


def _show_number(panel: Panel, text: str, badge: str = "") -> None:
    with st.container(gap=None):
        st.metric(escaped(panel.title), text, label_visibility="collapsed")
        if badge:
            st.markdown(badge)


def _instead(panel: Panel, sentence: str) -> None:
    """A sentence in place of a picture, as high as that would be: nothing jumps when it comes."""
    if panel.kind == "stat":
        _show_number(panel, NOTHING)
        st.caption(sentence)
        return
    with st.container(
        height=panel.height * ROW_PIXELS,
        border=False,
        vertical_alignment="center",
        horizontal_alignment="center",
    ):
        st.markdown(sentence, width="content", text_alignment="center")
