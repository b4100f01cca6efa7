"""Which files came in, how good their rows were, and where each one's report is."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import streamlit as st

import charts
import frame
import words
from answers import Json
from jobchurn.contract import Rule

CONTRACT = frame.contract()
LATEST = 20
COLOURS = {"none": "green", "low": "blue", "medium": "orange", "high": "red"}
BROKEN = {
    Rule.REQUIRED: "blank",
    Rule.KIND: "of the wrong kind",
    Rule.FINITE: "not finite",
    Rule.INTEGRAL: "not whole",
    Rule.RANGE: "out of range",
    Rule.DOMAIN: "no known value",
    Rule.LENGTH: "too long",
    Rule.CHARACTERS: "with control characters",
}
TRIGGERS = {"start": "first start", "cli": "command line", "dag": "schedule"}


def show_counts(runs: list[Json]) -> None:
    """The files in view in four numbers; the rows of repeated content count once."""
    first = [run for run in runs if not run["duplicate_of"]]
    total = sum(run["rows_total"] for run in first)
    valid = sum(run["rows_valid"] for run in first)
    troubled = sum(run["criticality"] in ("medium", "high") for run in runs)
    counts = st.columns(4)
    counts[0].metric("Files", f"{len(runs):,}", border=True)
    counts[1].metric("Rows", f"{total:,}", border=True)
    counts[2].metric("Good rows", words.percent(valid / total) if total else "–", border=True)
    counts[3].metric("Medium or high criticality", f"{troubled:,}", border=True)


def show_rows(runs: list[Json]) -> None:
    """Good and bad rows of each file, as bars."""
    files = Counter(run["file"] for run in runs)
    # Files that bear the same name are told apart by when they came.
    names = [
        run["file"] if files[run["file"]] == 1 else f"{run['file']}, {moment(run['finished_at'])}"
        for run in runs
    ]
    bars = [
        {"name": name, "good": run["rows_valid"], "bad": run["rows_invalid"]}
        for name, run in zip(names, runs, strict=True)
    ]
    st.subheader("Good and bad rows of each file", anchor=False)
    frame.picture(
        charts.files_chart(bars),
        "Good and bad rows of each file: "
        + "; ".join(f"{bar['name']} {bar['good']} good, {bar['bad']} bad" for bar in bars),
    )


def show_files(runs: list[Json]) -> None:
    """One line per file, the latest first."""
    st.table(
        {
            "File": [words.escaped(run["file"]) for run in runs],
            "When (UTC)": [moment(run["finished_at"]) for run in runs],
            "By": [TRIGGERS.get(run["trigger"], run["trigger"]) for run in runs],
            "Good": [f"{run['rows_valid']:,}" for run in runs],
            "Bad": [f"{run['rows_invalid']:,}" for run in runs],
            "Criticality": [criticality(run) for run in runs],
            "Most frequent fault": [fault(run) for run in runs],
            "Report": [report(run) for run in runs],
        },
        border="horizontal",
        hide_index=True,
        alt="The latest files",
    )
    st.caption(
        "Criticality: **none**, no row is bad; **low**, some are; **medium**, many are; **high**, "
        "most are, a needed column is missing, or the file cannot be read. The report has each "
        "reason."
    )


def moment(text: str) -> str:
    """A time as people read it."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%d %b %Y, %H:%M:%S")


def criticality(run: Json) -> str:
    """How bad a file is, as a coloured word."""
    word = run["criticality"]
    if run["duplicate_of"]:
        return f":{COLOURS.get(word, 'gray')}-badge[{word}] :gray-badge[repeated content]"
    return f":{COLOURS.get(word, 'gray')}-badge[{word}]"


def fault(run: Json) -> str:
    """The rule that most rows broke, and how many did."""
    if not run["issues"]:
        return "–"
    worst = run["issues"][0]
    column = CONTRACT.by_name.get(worst["column"])
    place = f"{column.label}: " if column else ""
    broken = BROKEN.get(worst["rule"], worst["rule"])
    every = worst["rows"] == run["rows_total"] > 1
    where = "every row" if every else words.counted(worst["rows"], "row")
    return words.escaped(f"{place}{broken} in {where}")


def report(run: Json) -> str:
    """A link to the file's report."""
    return f"[Open report]({frame.client().link(run['report'])})" if run["report"] else "–"


frame.heading(
    "Ingestion",
    f"The latest {LATEST} files that came in, and how good their rows were.",
)
with frame.troubles_shown():
    runs = frame.client().ingestion_runs(LATEST)
if not runs:
    frame.nothing_here(
        "No file has come in yet.",
        "Put a CSV into the folder `raw_data`, and the next scheduled run takes it; or run "
        "`jobchurn ingest FILE`.",
    )
    st.stop()
show_counts(runs)
show_files(runs)
show_rows(runs)
