"""A panel's answer as a table: numbers with their units, moments in UTC, links, and heat."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

import frame
from dashboard import Panel, moment_of
from drawn import ROW_PIXELS
from units import NOTHING, exact
from words import capitalised

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_HEAT = (217, 119, 30)
_HEAT_MOST = 0.75
_ROW_HEIGHT, _TIME_WIDTH = 35, 130
_CHARACTER_WIDTH, _CELL_PADDING = 7.5, 24
_FEWEST_IN_A_MATRIX = 2


def show_table(panel: Panel) -> None:
    """The rows, in a table that scrolls within the panel."""
    table, config = table_of(panel), {}
    for column in panel.columns:
        name = heading_of(column, panel)
        if column in panel.links:
            config[name] = st.column_config.LinkColumn(display_text=r"#(.*)$")
        elif is_time(column, panel):
            config[name] = st.column_config.DatetimeColumn(
                format="D MMM, HH:mm:ss", timezone="UTC", width=_TIME_WIDTH
            )
        elif is_number(column, panel):
            config[name] = st.column_config.Column(width=width_of(column, panel))
    matrix = matrix_of(panel)
    styled = table.style.format(
        {
            heading_of(column, panel): _written(panel.unit_of(column))
            for column in panel.columns
            if is_number(column, panel)
        },
        na_rep=NOTHING,
    )
    if matrix:
        names = [heading_of(column, panel) for column in matrix]
        styled = styled.apply(heat_of, subset=pd.Index(names), axis=None)
    st.dataframe(
        styled,
        hide_index=True,
        column_config=config,
        height=min(panel.height * ROW_PIXELS, (len(table) + 1) * _ROW_HEIGHT + 3),
        placeholder=NOTHING,
        alt=f"{panel.title}: {', '.join(table.columns)}",
    )


def table_of(panel: Panel) -> pd.DataFrame:
    """The rows under headings that people read; links are addresses, moments are moments."""
    columns = {}
    for place, column in enumerate(panel.columns):
        cells = [row[place] for row in panel.rows]
        if column in panel.links:
            cells = [link_of(cell, panel.links[column]) for cell in cells]
        elif is_time(column, panel):
            cells = [None if cell is None else _moment(cell) for cell in cells]
        columns[heading_of(column, panel)] = pd.Series(
            cells, dtype=None if is_number(column, panel) else object
        )
    return pd.DataFrame(columns)


def heading_of(column: str, panel: Panel) -> str:
    """A column's name as people read it."""
    name = capitalised(column.replace("_", " "))
    return f"{name} (UTC)" if is_time(column, panel) else name


def link_of(cell: Any, address: str) -> str | None:
    """Where a cell leads, with its text behind the # so that the table can show it."""
    if cell is None:
        return None
    return frame.client().cell_link(address, str(cell))


def is_time(column: str, panel: Panel) -> bool:
    """Whether a column holds moments."""
    if column == "time":
        return True
    cells = _cells(column, panel)
    return bool(cells) and all(isinstance(c, str) and _MOMENT.match(c) for c in cells)


def is_number(column: str, panel: Panel) -> bool:
    """Whether a column holds numbers."""
    cells = _cells(column, panel)
    return (
        column not in panel.links
        and not is_time(column, panel)
        and bool(cells)
        and all(isinstance(c, int | float) and not isinstance(c, bool) for c in cells)
    )


def matrix_of(panel: Panel) -> list[str]:
    """The columns of a matrix, one name and then counts of the same; else none."""
    names = [column for column in panel.columns if not is_number(column, panel)]
    numbers = [column for column in panel.columns if is_number(column, panel)]
    alike = {panel.unit_of(column) for column in numbers} == {"short"}
    is_matrix = len(names) == 1 and len(numbers) >= _FEWEST_IN_A_MATRIX and alike
    return numbers if is_matrix else []


def width_of(column: str, panel: Panel) -> int:
    """A width in pixels that cuts off no number: Streamlit's own leaves out what is long.

    A number of which the beginning is not seen reads as another one.
    """
    unit = panel.unit_of(column)
    texts = [heading_of(column, panel), *(exact(cell, unit) for cell in _cells(column, panel))]
    return round(max(map(len, texts)) * _CHARACTER_WIDTH) + _CELL_PADDING


def heat_of(numbers: pd.DataFrame) -> pd.DataFrame:
    """A ground for each number: the larger, the warmer."""
    most = float(numbers.max().max() or 0)
    red, green, blue = _HEAT
    return numbers.map(
        lambda number: (
            f"background-color: rgba({red}, {green}, {blue}, {_HEAT_MOST * number / most:.2f})"
            if most > 0 and number > 0
            else ""
        )
    )


def _cells(column: str, panel: Panel) -> Sequence[Any]:
    place = list(panel.columns).index(column)
    return [row[place] for row in panel.rows if row[place] is not None]


def _moment(cell: Any) -> Any:
    if isinstance(cell, int | float):
        return pd.Timestamp(cell, unit="s", tz="UTC")
    return moment_of(cell)


def _written(unit: str) -> Any:
    return lambda number: exact(number, unit)
