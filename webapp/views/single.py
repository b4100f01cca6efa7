"""One record: the form, the answer, and why."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass

import streamlit as st

import charts
import frame
import words
from answers import Model
from form import Entry, Widget, draw, groups_of, read_all
from jobchurn.contract import Value
from tables import PROBABILITY, decision_in_words

CONTRACT = frame.contract()
SUBJECT = CONTRACT.subject
STRONGEST = 3
UP = ":orange-badge[:material/arrow_upward:]"
DOWN = ":blue-badge[:material/arrow_downward:]"
FIELDS_IN_A_ROW = 2
ANSWERED = "single-answered"


@dataclass(frozen=True)
class Answered:
    """A stored prediction and its reasons, kept so that a rerun of the page asks nothing anew."""

    record: dict[str, Value]
    decision: int
    probability: float
    threshold: float
    model_version: str
    reasons: list[words.Reason]


def ask(record: dict[str, Value], model: Model) -> Answered:
    """Predict a record, and ask why."""
    api = frame.client()
    told = api.predict([record], key=key_of(record, model))
    explained = api.explain([record])[0]
    return Answered(
        record=record,
        decision=told.predictions[0]["prediction"],
        probability=told.predictions[0]["probability"],
        threshold=model.threshold,
        model_version=told.model_version,
        reasons=words.reasons(CONTRACT, record, explained["contributions"]),
    )


def key_of(record: dict[str, Value], model: Model) -> str:
    """One key per visit, model and record: a second click, or a retry, stores nothing twice."""
    visit = st.session_state.setdefault("visit", uuid.uuid4().hex)
    content = json.dumps([visit, model.version, record], sort_keys=True)
    return f"single-{hashlib.sha256(content.encode()).hexdigest()[:40]}"


def fill_in(widgets: list[Widget]) -> None:
    """Put the contract's examples into the form."""
    for widget in widgets:
        st.session_state[widget.key] = widget.example


def clear(widgets: list[Widget]) -> None:
    """Empty the form, and put the answer away."""
    for widget in widgets:
        st.session_state[widget.key] = widget.empty
    st.session_state.pop(ANSWERED, None)


def show_form(model: Model) -> list[tuple[Widget, Entry]] | None:
    """The form; what was entered, once it is sent."""
    groups = groups_of(CONTRACT, model.levels)
    widgets = [widget for group in groups for widget in group.widgets]
    with st.container(horizontal=True):
        st.button("Try an example", on_click=fill_in, args=(widgets,), icon=":material/edit_note:")
        st.button("Clear", on_click=clear, args=(widgets,), icon=":material/backspace:")
    entries: list[tuple[Widget, Entry]] = []
    with st.form("record"):
        for group in groups:
            st.subheader(group.title, anchor=False)
            for first in range(0, len(group.widgets), FIELDS_IN_A_ROW):
                row = st.columns(FIELDS_IN_A_ROW, vertical_alignment="bottom")
                fields = group.widgets[first : first + FIELDS_IN_A_ROW]
                for place, widget in zip(row, fields, strict=False):
                    with place:
                        entries.append((widget, draw(widget)))
        # The browser marks what is blank or out of range, and sends nothing; see the style sheet.
        with st.container(key="unsent"):
            st.error(
                "**Not sent yet.** The fields marked red are needed, or hold what is not allowed.",
                icon=":material/error:",
            )
        sent = st.form_submit_button("Predict", type="primary", width="stretch")
    return entries if sent else None


def answer_form(model: Model, entries: list[tuple[Widget, Entry]]) -> None:
    """Predict what was entered, or say what is wrong with it."""
    st.session_state.pop(ANSWERED, None)
    record, violations = read_all(entries)
    if violations:
        wrong = [f"{widget.label}: {violation.allowed}." for widget, violation in violations]
        st.warning(f"**Please mend these fields**\n\n{words.listed(wrong)}")
        return
    with st.spinner("Asking the model"):
        st.session_state[ANSWERED] = ask(record, model)


def show_answer(answered: Answered) -> None:
    """The answer as a sentence, a picture and the strongest reasons."""
    with st.container(border=True):
        st.subheader(words.answer(CONTRACT, answered.decision), anchor=False)
        st.markdown(words.chance(CONTRACT, answered.probability, answered.threshold))
        frame.picture(
            charts.probability_chart(answered.probability, answered.threshold, answered.decision),
            f"A bar from 0 to 100%: the probability is {words.percent(answered.probability)}; "
            f"the answer is yes from {words.percent(answered.threshold)} on.",
        )
        st.markdown("**The strongest reasons**")
        for reason in answered.reasons[:STRONGEST]:
            sign = UP if reason.weight > 0 else DOWN
            label, value = words.escaped(reason.label), words.escaped(reason.value)
            st.markdown(f"{sign} **{label}: {value}** {reason.effect}")
        st.caption(f"Stored. Model {words.escaped(answered.model_version)}.")


def show_details(answered: Answered) -> None:
    """What was asked and answered, as a table, and every column's part in it."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Asked and answered", anchor=False)
        rows = [
            (column.label, words.escaped(words.cell_in_words(column, answered.record[column.name])))
            for column in CONTRACT.columns
            if column.name in answered.record
        ]
        rows += [
            (CONTRACT.outcome.label, f"**{decision_in_words(CONTRACT, answered.decision)}**"),
            (PROBABILITY, f"**{answered.probability:.1%}**"),
        ]
        names, values = zip(*rows, strict=True)
        st.table(
            {"Field": names, "Value": values},
            border="horizontal",
            hide_index=True,
            alt="What was predicted from, the prediction and its probability",
        )
    with right:
        st.subheader("All reasons", anchor=False)
        frame.picture(
            charts.reasons_chart(answered.reasons),
            "Bars, the longest first. "
            + "; ".join(f"{r.label}: {r.value} {r.effect}" for r in answered.reasons),
        )


frame.heading(
    f"Predict one {SUBJECT}",
    f"Describe a {SUBJECT}. The answer says whether this {SUBJECT} {CONTRACT.positive}, "
    "how sure that is, and why.",
)
with frame.troubles_shown():
    model = frame.model()
    left, right = st.columns([3, 2], gap="large")
    with left:
        entries = show_form(model)
    with right, st.container(key="answer"):
        if entries is not None:
            answer_form(model, entries)
        if ANSWERED in st.session_state:
            show_answer(st.session_state[ANSWERED])
        elif entries is None:
            frame.nothing_here(
                "The answer appears here.",
                "Fill in what is needed, leave what you do not know, and press **Predict** below "
                f"the form. No {SUBJECT} at hand? **Try an example** fills the form.",
            )
if ANSWERED in st.session_state:
    show_details(st.session_state[ANSWERED])
