"""The service at a glance: what comes in, what is predicted, how it fares, which alerts fire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import streamlit as st

import alarms
import frame
import panels
import words
from answers import Json
from dashboard import Dashboard, Variable
from look import RANGES, REFRESHES, VARIABLE, Look, look_of, range_of, refresh_of
from problems import Problem

CUSTOM = "custom"
KEPT = "monitoring-kept"


@dataclass
class Kept:
    """The latest answer, kept so that a refresh that fails leaves the picture where it is.

    Attributes:
        look: what it answers.
        answer: the dashboard.
        at: when it came.
        is_new: whether it has not been shown yet.
    """

    look: Look
    answer: Dashboard
    at: datetime
    is_new: bool = True


def ask(look: Look) -> Kept:
    """Ask the API."""
    start, end = look.ends
    answer = frame.client().panels(look.dashboard, start=start, end=end, variables=look.variables)
    return Kept(look, answer, datetime.now(UTC))


def ask_as_far_as_possible(look: Look) -> Kept:
    """Ask the API; where it has no such choices, as an old link may name, go without them."""
    try:
        return ask(look)
    except Problem:
        if not look.variables:
            raise
        kept = ask(replace(look, variables={}))
    st.warning("The address names choices that there are not. The dashboard's own are taken.")
    go(kept.look)
    return kept


def go(look: Look) -> None:
    """Put what is looked at into the page's address."""
    st.query_params.from_dict(look.address)


def here() -> Look:
    """What the page's address asks for."""
    return look_of({name: st.query_params.get_all(name) for name in st.query_params})


def control(name: str, value: Any, changed: Callable[[Look, Any], Look]) -> dict[str, Any]:
    """What a control is given: its value from the address, to which it writes what is chosen.

    Args:
        name: the control's.
        value: its value.
        changed: the look as it is, and what was chosen → the look to go to.
    """
    key = f"monitoring-{name}"
    st.session_state[key] = value

    def chosen() -> None:
        # From the address of this moment: somebody may be faster than the page.
        go(changed(here(), st.session_state[key]))

    return {"key": key, "on_change": chosen}


def show_dashboards(dashboards: list[Json], chosen: str) -> None:
    """Which dashboard: another one keeps the time range, while its variables are its own."""
    titles = {dashboard["name"]: dashboard["title"] for dashboard in dashboards}
    st.segmented_control(
        "Dashboard",
        list(titles),
        format_func=lambda name: words.escaped(titles[name]),
        required=True,
        label_visibility="collapsed",
        **control(
            "dashboard", chosen, lambda look, name: replace(look, dashboard=name, variables={})
        ),
    )


def show_controls(kept: Kept) -> None:
    """Time range, variables and how often to ask anew."""
    look, answer = kept.look, kept.answer
    with st.container(horizontal=True, vertical_alignment="bottom", key="monitoring-controls"):
        show_ranges(look, answer)
        for variable in answer.variables:
            show_variable(variable)
        st.selectbox(
            "Refresh",
            list(REFRESHES),
            format_func=lambda name: REFRESHES[name].words,
            width=110,
            **control("refresh", pace_of(kept), lambda look, name: replace(look, refresh=name)),
        )
    if look.is_fixed:
        show_ends(look)


def show_ranges(look: Look, answer: Dashboard) -> None:
    """The time ranges until now, and the way to choose both ends."""
    chosen = CUSTOM if look.is_fixed else look.range or range_of(answer.hours)

    def changed(look: Look, name: str) -> Look:
        if name != CUSTOM:
            return replace(look, range=name, start=None, end=None)
        ends = answer.span.start, answer.span.end
        start, end = (moment.replace(second=0, microsecond=0) for moment in ends)
        return replace(look, range=None, start=start, end=end)

    st.segmented_control(
        "Time range",
        [*RANGES, CUSTOM],
        format_func=lambda name: RANGES[name].words if name in RANGES else "Custom",
        required=chosen is not None,
        wrap=True,
        **control("range", chosen, changed),
    )


def show_ends(look: Look) -> None:
    """Fields for both ends, in UTC."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        show_end("From (UTC)", "start", look.start)
        show_end("To (UTC)", "end", look.end)


def show_end(label: str, name: str, moment: datetime | None) -> None:
    """A field for one end."""

    def changed(look: Look, entered: datetime) -> Look:
        end: dict[str, Any] = {name: entered.replace(tzinfo=UTC)}
        return replace(look, **end)

    st.datetime_input(
        label,
        width=230,
        format="YYYY-MM-DD",
        step=60,
        required=True,
        **control(name, moment and moment.replace(tzinfo=None), changed),
    )


def show_variable(variable: Variable) -> None:
    """A choice that the dashboard offers. Where several may be chosen, none means all."""
    options = list(variable.options)

    def with_choice(look: Look, values: list[str]) -> Look:
        others = {name: v for name, v in look.variables.items() if name != variable.name}
        return replace(look, variables=others | ({variable.name: values} if values else {}))

    name, chosen = f"{VARIABLE}{variable.name}", list(variable.chosen)

    def text_of(value: str) -> str:
        return variable.options.get(value, value)

    if variable.several:
        some = chosen if len(chosen) < len(options) else []
        st.multiselect(
            words.escaped(variable.label),
            options,
            placeholder="All",
            format_func=text_of,
            width=240,
            **control(name, some, with_choice),
        )
    elif chosen:
        st.selectbox(
            words.escaped(variable.label),
            options,
            format_func=text_of,
            width=240,
            **control(name, chosen[0], lambda look, value: with_choice(look, [value])),
        )


def pace_of(kept: Kept) -> str:
    """How often to ask anew: as chosen or as the dashboard has it; never where no time passes."""
    if kept.look.refresh:
        return kept.look.refresh
    return "off" if kept.look.is_fixed else refresh_of(kept.answer.refresh_seconds)


def latest(look: Look) -> Kept:
    """The answer to show: the one that is new, else what the API says now."""
    kept: Kept = st.session_state[KEPT]
    if kept.is_new:
        kept.is_new = False
        return kept
    try:
        kept = ask(look)
    except Problem as problem:
        st.warning(
            f"**{words.escaped(problem.sentence)}** {problem.cure} "
            "What stands below is what was seen last.",
            icon=":material/cloud_off:",
        )
    else:
        kept.is_new = False
        st.session_state[KEPT] = kept
    return kept


def show_picture(look: Look) -> None:
    """The panels, as of now. Runs by itself, again and again."""
    kept = latest(look)
    span = kept.answer.span
    pace = REFRESHES[pace_of(kept)]
    again = f", again every {pace.words}" if pace.seconds else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button("Refresh now", icon=":material/refresh:", type="tertiary")
        st.caption(
            f"Last refreshed at {kept.at:%H:%M:%S}{again}. From {span.start:%d %b %Y, %H:%M} "
            f"to {span.end:%d %b %Y, %H:%M}; all times are in UTC."
        )
    panels.show_panels(kept.answer.panels, span)


def show_rules() -> None:
    """Whether all is well. Runs by itself, too."""
    dashboard, number = alarms.RULES
    try:
        panel, *_ = frame.client().panels(dashboard, only=[number]).panels
    except Problem as problem:
        st.warning(f"**{words.escaped(problem.sentence)}** {problem.cure}")
    else:
        alarms.show_alarms(panel)


frame.heading("Monitoring", "What comes in, what is predicted, and how the service fares.")
with frame.troubles_shown():
    dashboards = frame.client().dashboards()
    look = here().among([dashboard["name"] for dashboard in dashboards])
    if look.trouble:
        st.warning(look.trouble)
        show_ends(look)
        st.stop()
    kept = st.session_state[KEPT] = ask_as_far_as_possible(look)
every = REFRESHES[pace_of(kept)].seconds or None
st.fragment(show_rules, run_every=every)()
show_dashboards(dashboards, kept.look.dashboard)
show_controls(kept)
with st.container(key="panels"):
    st.fragment(show_picture, run_every=every)(kept.look)
