"""What was predicted: by day and source, page by page, and all of it as a file."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import streamlit as st

import frame
import tables
from answers import Page

CONTRACT = frame.contract()
PAGE_ROWS = 100
SOURCES = {"all": "All", "webapp": "Web app", "scheduled": "Scheduled"}
ASKED = "past-asked"
CURSORS = "past-cursors"


def chosen() -> tuple[date | None, date | None, str]:
    """The days and the source to look at."""
    first, second, third = st.columns([1, 1, 2])
    today = datetime.now(UTC).date()
    with first:
        start = st.date_input("From (UTC)", None, max_value=today, format="YYYY-MM-DD")
    with second:
        end = st.date_input("To (UTC), included", None, format="YYYY-MM-DD")
    with third:
        source = st.segmented_control(
            "Source", list(SOURCES), default="all", required=True, format_func=SOURCES.__getitem__
        )
    return start, end, source or "all"


def cursors_for(asked: tuple[date | None, date | None, str]) -> list[str | None]:
    """The cursors of the pages up to the one in view; a new question starts at the newest."""
    if st.session_state.get(ASKED) != asked:
        st.session_state[ASKED] = asked
        st.session_state[CURSORS] = [None]
    cursors: list[str | None] = st.session_state[CURSORS]
    return cursors


def show_rows(page: Page) -> None:
    """The predictions in view, as a table."""
    leading: list[dict[str, Any]] = [
        {"When (UTC)": datetime.fromisoformat(row["created_at"]).astimezone(UTC)}
        for row in page.rows
    ]
    trailing = [
        {"Source": SOURCES.get(row["source"], row["source"]), "Model": row["model_version"]}
        for row in page.rows
    ]
    table = tables.predictions_frame(
        CONTRACT,
        leading,
        [row["features"] for row in page.rows],
        [row["prediction"] for row in page.rows],
        trailing,
    )
    tables.show_predictions(
        CONTRACT,
        table,
        alt="Stored predictions, the newest first",
        first={
            "When (UTC)": st.column_config.DatetimeColumn(
                format="D MMM YYYY, HH:mm:ss", timezone="UTC", pinned=True
            )
        },
    )


def turn_to(cursors: list[str | None]) -> None:
    """Go to the last of these pages. However often it is pressed, it is the same page."""
    st.session_state[CURSORS] = cursors


def show_paging(page: Page, cursors: list[str | None], export: str) -> None:
    """Newer and older pages, where this one lies, and the way to take all of them away."""
    first = (len(cursors) - 1) * PAGE_ROWS + 1
    last = first + len(page.rows) - 1
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Newer",
            icon=":material/chevron_left:",
            disabled=len(cursors) == 1,
            on_click=turn_to,
            args=(cursors[:-1],),
        )
        st.button(
            "Older",
            icon=":material/chevron_right:",
            icon_position="right",
            disabled=page.next is None,
            on_click=turn_to,
            args=([*cursors, page.next],),
        )
        more = "there are older ones" if page.next else "these are the oldest"
        st.markdown(f"{first:,} to {last:,}, newest first; {more}.", width="stretch")
        st.link_button("Download all that match (CSV)", export, icon=":material/download:")


frame.heading(
    "Past predictions",
    "Everything that was predicted: here, for other programs, and on schedule.",
)
start, end, source = asked = chosen()
if start and end and start > end:
    st.warning("The first day lies after the last. Choose an earlier first day.")
    st.stop()
with frame.troubles_shown():
    cursors = cursors_for(asked)
    page = frame.client().past_predictions(start, end, source, limit=PAGE_ROWS, cursor=cursors[-1])
    if page.rows:
        show_rows(page)
        show_paging(page, cursors, frame.client().export_address(start, end, source))
    elif start or end or source != "all":
        frame.nothing_here("No predictions match.", "Widen the days, or choose **All** sources.")
    else:
        frame.nothing_here(
            "Nothing has been predicted yet.",
            f"Predict one {CONTRACT.subject} on **Home**, upload a file on **Batch**, or wait for "
            "the scheduled job.",
        )
