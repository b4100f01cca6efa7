"""Is all well? The alert rules at a glance, from the panel that lists them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

import frame
from dashboard import Panel, moment_of
from words import counted, escaped, prose

RULES = ("service", 20)
"""The dashboard, and the panel in it, that lists each rule with its state."""

_STALE = timedelta(minutes=15)

Rule = Mapping[str, Any]


def show_alarms(panel: Panel) -> None:
    """Which alert rules fire, or that none does; and whether anybody asks them."""
    if panel.error or not panel.rows:
        st.info(prose(panel.error or panel.empty), icon=":material/notifications_paused:")
        return
    rules = panel.records
    firing = [rule for rule in rules if rule["state"] == "firing"]
    others = [rule for rule in rules if rule["state"] == "pending"]
    failed = [rule for rule in rules if rule["error"]]
    asked = max(moment_of(rule["last asked"]) for rule in rules)
    when = f"The rules were last asked on {asked:%d %b at %H:%M} (UTC)"
    is_stale = datetime.now(UTC) - asked > _STALE
    if is_stale:
        st.warning(
            f"**{when}: nobody watches.** Run `jobchurn watch`, or let Airflow do it.",
            icon=":material/notifications_off:",
        )
    if firing:
        names = "; ".join(_named(rule) for rule in firing)
        verb = "fires" if len(firing) == 1 else "fire"
        st.error(
            f"**{counted(len(firing), 'alert rule')} {verb}:** {names}.",
            icon=":material/notification_important:",
        )
    if others:
        names = "; ".join(_named(rule) for rule in others)
        st.warning(f"**About to fire:** {names}.", icon=":material/notifications:")
    if failed:
        names = "; ".join(f"{_named(rule)}: {escaped(rule['error'])}" for rule in failed)
        st.warning(f"**Could not be asked:** {names}", icon=":material/help:")
    if not firing and not others and not failed and not is_stale:
        st.success(
            f"**All is well:** none of {counted(len(rules), 'alert rule')} fires. {when}.",
            icon=":material/check_circle:",
        )


def _named(rule: Rule) -> str:
    """A rule, with the page that says what to do, and since when."""
    page = frame.client().link(f"/runbook/{rule['rule']}")
    since = moment_of(rule["since"])
    return f"[{escaped(rule['rule'])}]({page}) since {since:%d %b, %H:%M}"
