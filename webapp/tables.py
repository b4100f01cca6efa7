"""Rows as people read them, on the page and in the files that they take away."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from jobchurn.contract import Column, Contract
from words import capitalised, cell_in_words

PROBABILITY = "Probability"
"""The label of the probability's column."""

_ROW_HEIGHT = 35
_MOST_ROWS_IN_SIGHT = 15
_CHARACTER_WIDTH = 6.6
_CELL_PADDING = 28
_OPEN_TEXT_WIDTH = 150

_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?")


def in_words(contract: Contract, record: Mapping[str, Any]) -> dict[str, Any]:
    """Label → value for what describes the subject; numbers stay numbers, so that they sort."""
    return {
        column.label: record.get(column.name)
        if column.is_numeric
        else cell_in_words(column, record.get(column.name))
        for column in contract.inputs
        if column.name in record
    }


def decision_in_words(contract: Contract, decision: int) -> str:
    """A prediction as a cell."""
    return capitalised(contract.outcome.words(decision))


def predictions_frame(
    contract: Contract,
    leading: Sequence[Mapping[str, Any]],
    features: Sequence[Mapping[str, Any]],
    predictions: Sequence[Mapping[str, Any]],
    trailing: Sequence[Mapping[str, Any]] = (),
) -> pd.DataFrame:
    """Predictions as a table: what comes first, the answer, what it was made from, the rest."""
    rows = [
        {
            **first,
            contract.outcome.label: decision_in_words(contract, predicted["prediction"]),
            PROBABILITY: predicted["probability"],
            **in_words(contract, record),
            **(trailing[position] if trailing else {}),
        }
        for position, (first, record, predicted) in enumerate(
            zip(leading, features, predictions, strict=True)
        )
    ]
    # As they are: a blank among whole numbers would turn them all into fractions.
    return pd.DataFrame(rows, dtype=object)


def show_predictions(
    contract: Contract, frame: pd.DataFrame, *, alt: str, first: Mapping[str, Any]
) -> None:
    """Put a table of predictions on the page, the answer kept in sight while it is scrolled.

    Args:
        contract: names the columns.
        frame: from :func:`predictions_frame`.
        alt: what the table holds, for screen readers.
        first: how the columns before the answer are shown.
    """
    outcome = contract.outcome.label
    config: dict[str, Any] = {
        **first,
        # Text in a pinned column is pale; the answer must not be. Coloured as in the charts.
        outcome: st.column_config.MultiselectColumn(
            options=[decision_in_words(contract, decision) for decision in (0, 1)],
            color=["blue", "orange"],
            pinned=True,
        ),
        PROBABILITY: st.column_config.ProgressColumn(
            min_value=0, max_value=1, format="percent", pinned=True, width=140
        ),
    }
    for column in contract.inputs:
        if column.is_numeric:
            config[column.label] = st.column_config.NumberColumn(help=column.meaning)
        else:
            config[column.label] = st.column_config.TextColumn(
                help=column.meaning, width=width_of(column)
            )
    height = min(len(frame), _MOST_ROWS_IN_SIGHT) * _ROW_HEIGHT + _ROW_HEIGHT + 3
    shown = frame.assign(
        **{
            outcome: [[answer] for answer in frame[outcome]],
            # One decimal: more would promise what a model cannot keep.
            PROBABILITY: [round(probability, 3) for probability in frame[PROBABILITY]],
        }
    )
    st.dataframe(
        shown, hide_index=True, column_config=config, height=height, alt=alt, placeholder="–"
    )
    st.caption("The table scrolls sideways: every column that was predicted from is there.")


def width_of(column: Column) -> int:
    """A width in pixels that cuts off no value of a closed column.

    Streamlit would take it from the first rows, and the others may hold longer ones.
    """
    if not column.is_closed:
        return _OPEN_TEXT_WIDTH
    longest = max(
        len(text)
        for text in (
            column.label,
            *(cell_in_words(column, value) for value in (None, *column.levels)),
        )
    )
    return round(longest * _CHARACTER_WIDTH) + _CELL_PADDING


def csv_of(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A CSV in which no cell is a formula to a spreadsheet."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(map(inert, header))
    writer.writerows([inert(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def inert(cell: Any) -> Any:
    """A cell that a spreadsheet takes for text or a number, never for a formula."""
    if cell is None:
        return ""
    text = str(cell)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else cell
