"""A CSV of many records: what can be read is predicted, what cannot is explained."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

import charts
import frame
import tables
import words
from answers import Json, Model
from form import asked
from upload import Damage, Upload, read_upload

CONTRACT = frame.contract()
SUBJECT = CONTRACT.subject
# Records to a request: well below the API's limit, and often enough to show progress.
CHUNK = 5_000
# Damages listed on the page.
MOST_SHOWN = 50
READ = "batch-read"
SCORED = "batch-scored"


@dataclass
class Scored:
    """An upload's predictions, kept so that a rerun of the page sends nothing anew.

    Attributes:
        digest: of the upload's bytes.
        numbers, features, predictions: one per predicted row.
        refused: rows that the API refused.
        model_version, threshold: of the model that answered.
        replayed: whether all of it had been predicted before.
    """

    digest: str
    model_version: str
    threshold: float
    numbers: list[int] = field(default_factory=list)
    features: list[Json] = field(default_factory=list)
    predictions: list[Json] = field(default_factory=list)
    refused: list[Damage] = field(default_factory=list)
    replayed: bool = True


def reading_of(content: bytes) -> tuple[str, Upload]:
    """The upload's digest and what is in it; read once, however often the page runs."""
    digest = hashlib.sha256(content).hexdigest()
    kept = st.session_state.get(READ)
    if kept is None or kept[0] != digest:
        with st.spinner("Reading the file"):
            kept = (digest, read_upload(content, CONTRACT))
        st.session_state[READ] = kept
    return digest, kept[1]


def score(digest: str, upload: Upload, model: Model) -> Scored:
    """Send the readable rows in chunks, each under a key of its own.

    The same file, sent again for whatever reason, gets the first answer and is stored once.
    """
    api = frame.client()
    scored = Scored(digest, model.version, model.threshold)
    total = len(upload.records)
    bar = st.progress(0.0, text=f"0 of {total:,} predicted")
    for first in range(0, total, CHUNK):
        records = upload.records[first : first + CHUNK]
        numbers = upload.numbers[first : first + CHUNK]
        key = f"batch-{digest[:32]}-{model.version}-{first}"
        answer = api.predict(records, key=key, partial=True)
        refused = {entry["record"]: entry["errors"] for entry in answer.refused}
        for place, number in enumerate(numbers, start=1):
            if place in refused:
                scored.refused += [damage_of(number, error) for error in refused[place]]
            else:
                scored.numbers.append(number)
        scored.features += answer.features
        scored.predictions += answer.predictions
        scored.model_version = answer.model_version
        scored.replayed = scored.replayed and answer.replayed
        done = first + len(records)
        bar.progress(done / total, text=f"{done:,} of {total:,} predicted")
    bar.empty()
    return scored


def damage_of(number: int, error: Json) -> Damage:
    """Why the API refused a row that could be read."""
    return Damage(
        row=number,
        column=error["field"] or "",
        text=str(error["value"]),
        reason=error["message"],
        repair=error["nearest"] or "",
    )


def show_columns() -> None:
    """What a file must look like."""
    with st.expander("Which columns does the file need?", icon=":material/table:"):
        columns = asked(CONTRACT)
        st.table(
            {
                "Column": [words.escaped(column.name) for column in columns],
                "Needed": ["yes" if column.required else "no" for column in columns],
                "Meaning": [words.escaped(column.meaning) for column in columns],
                "Allowed": [words.escaped(column.allowed) for column in columns],
            },
            border="horizontal",
            hide_index=True,
            alt="The columns that a file may have",
        )
        st.download_button(
            "Download an example file",
            tables.csv_of(
                [column.name for column in columns],
                [[column.write(column.examples[0]) for column in columns]],
            ),
            file_name="example.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
        )


def show_reading(upload: Upload) -> None:
    """What was found in the file."""
    if not upload.rows:
        frame.nothing_here("The file has a header and no rows.", "Add a row below it.")
        return
    bad = len(upload.cells)
    counts = st.columns(3)
    counts[0].metric("Rows", f"{upload.rows:,}", border=True)
    counts[1].metric("Can be predicted", f"{len(upload.records):,}", border=True)
    counts[2].metric("Cannot be predicted", f"{bad:,}", border=True)
    if upload.notes:
        st.info(words.listed([words.escaped(note) for note in upload.notes]))


def show_results(scored: Scored, upload: Upload, name: str) -> None:
    """How the predictions came out: counts, spread, table, download."""
    found = sum(predicted["prediction"] for predicted in scored.predictions)
    total = len(scored.predictions)
    st.subheader("Predictions", anchor=False)
    left, right = st.columns([2, 3], gap="large", vertical_alignment="center")
    with left:
        st.metric(
            CONTRACT.outcome.label,
            f"{found:,} of {total:,}",
            f"{words.percent(found / total)} of the {SUBJECT}s",
            delta_color="off",
            delta_arrow="off",
        )
        st.caption(
            (
                "This file was predicted before: these are the first answers, stored once. "
                if scored.replayed
                else ""
            )
            + f"Model {words.escaped(scored.model_version)}; "
            f"the answer is yes from {words.percent(scored.threshold)} on."
        )
    with right:
        frame.picture(
            charts.spread_chart([p["probability"] for p in scored.predictions], scored.threshold),
            f"How the {total} probabilities spread from 0 to 100%, in steps of 5%; "
            f"{found} lie at or above {words.percent(scored.threshold)}.",
        )
    identity = CONTRACT.id if CONTRACT.id and CONTRACT.id.name in upload.header else None
    readable = dict(zip(upload.numbers, upload.records, strict=True))
    leading: list[dict[str, Any]] = [
        {"Row": number}
        | ({identity.label: readable[number].get(identity.name)} if identity else {})
        for number in scored.numbers
    ]
    table = tables.predictions_frame(CONTRACT, leading, scored.features, scored.predictions)
    tables.show_predictions(
        CONTRACT,
        table,
        alt="The predictions, one row each",
        first={"Row": st.column_config.NumberColumn(width="small", pinned=True)},
    )
    st.download_button(
        "Download the predictions (CSV)",
        lambda: results_csv(scored, leading, ["row", identity.name] if identity else ["row"]),
        file_name=f"{stem(name)}-predictions.csv",
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
    )


def results_csv(scored: Scored, leading: list[dict[str, Any]], first: list[str]) -> bytes:
    """The predictions under the contract's own names and values, for machines and spreadsheets."""
    names = [column.name for column in CONTRACT.inputs]
    rows = zip(leading, scored.features, scored.predictions, strict=True)
    return tables.csv_of(
        [*first, *names, "prediction", "probability"],
        (
            [*before.values(), *map(record.get, names), said["prediction"], said["probability"]]
            for before, record, said in rows
        ),
    )


def show_damaged(damaged: list[Damage], upload: Upload, name: str) -> None:
    """The rows that cannot be predicted, each with its reason."""
    st.subheader("Rows that cannot be predicted", anchor=False)
    st.markdown("They are left out. Mend them and upload them again, alone or with the others.")
    shown = damaged[:MOST_SHOWN]
    st.table(
        {
            "Row": [f"{damage.row:,}" for damage in shown],
            "Column": [words.escaped(damage.column) or "the whole row" for damage in shown],
            "Found": [words.escaped(damage.text) or "–" for damage in shown],
            "Reason": [words.escaped(damage.reason) for damage in shown],
            "Suggested": [words.escaped(damage.repair) or "–" for damage in shown],
        },
        border="horizontal",
        hide_index=True,
        alt="Damaged rows: row number, column, text, reason and suggested repair",
    )
    if len(damaged) > len(shown):
        st.caption(f"The first {len(shown)} of {len(damaged):,}; the download has all.")
    st.download_button(
        "Download these rows (CSV)",
        lambda: damaged_csv(damaged, upload),
        file_name=f"{stem(name)}-damaged.csv",
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
    )


def damaged_csv(damaged: list[Damage], upload: Upload) -> bytes:
    """The damaged rows as they came, each with its number and what is wrong."""
    reasons: dict[int, list[str]] = {}
    for damage in damaged:
        place = f"{damage.column}: " if damage.column else ""
        hint = f" (suggested: {damage.repair})" if damage.repair else ""
        reasons.setdefault(damage.row, []).append(f"{place}{damage.reason}{hint}")
    width = len(upload.header)
    return tables.csv_of(
        ["row", "reasons", *upload.header],
        (
            [row, "; ".join(lines), *upload.cells.get(row, [""] * width)]
            for row, lines in reasons.items()
        ),
    )


def stem(name: str) -> str:
    """A file's name without its ending."""
    return name.rpartition(".")[0] or name


frame.heading(
    f"Predict a file of {SUBJECT}s",
    f"Upload a CSV with one {SUBJECT} a row. Rows that can be read are predicted and stored; "
    "the others are listed, each with its reason.",
)
with frame.troubles_shown():
    model = frame.model()
# Whatever its name: of a file that is no CSV, the reading says what it is and what to do.
uploaded = st.file_uploader("CSV file", key="batch-file")
show_columns()
if uploaded is not None:
    with frame.troubles_shown(again=False):
        digest, upload = reading_of(uploaded.getvalue())
    with frame.troubles_shown():
        show_reading(upload)
        total = len(upload.records)
        scored = st.session_state.get(SCORED)
        if scored is not None and scored.digest != digest:
            scored = None
        if scored is None and total:
            sent = st.empty()
            label = f"Predict {words.counted(total, SUBJECT)}"
            if sent.button(label, type="primary", icon=":material/play_arrow:"):
                with sent:
                    scored = st.session_state[SCORED] = score(digest, upload, model)
                sent.empty()
        damaged = list(upload.damaged)
        if scored is not None:
            damaged = sorted([*damaged, *scored.refused], key=lambda damage: damage.row)
            show_results(scored, upload, uploaded.name)
        if damaged:
            show_damaged(damaged, upload, uploaded.name)
