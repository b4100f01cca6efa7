"""Rows as people read them, on the page and in the files that they take away."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from jobchurn.contract import Contract
from words import capitalised, cell_in_words

PROBABILITY = "Probability"
"""The label of the probability's column."""

_ROW_HEIGHT = 35
_MOST_ROWS_IN_SIGHT = 15

_FORMULA = re.compile(r"[=+\-@\t\r＝＋－＠]")
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
    config: dict[str, Any] = {
        **first,
        contract.outcome.label: st.column_config.TextColumn(pinned=True),
        PROBABILITY: st.column_config.ProgressColumn(
            min_value=0, max_value=1, format="percent", pinned=True, width=140
        ),
    }
    for column in contract.inputs:
        if column.is_numeric:
            config[column.label] = st.column_config.NumberColumn(help=column.meaning)
        else:
            # A width is found from the first rows; of an open text the others may be longer.
            width = None if column.is_closed else 150
            config[column.label] = st.column_config.TextColumn(help=column.meaning, width=width)
    height = min(len(frame), _MOST_ROWS_IN_SIGHT) * _ROW_HEIGHT + _ROW_HEIGHT + 3
    st.dataframe(
        frame, hide_index=True, column_config=config, height=height, alt=alt, placeholder="–"
    )
    st.caption("The table scrolls sideways: every column that was predicted from is there.")


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
