"""The contract → a form: one widget per column, which can give just what the column admits.

:func:`widget_of` derives a widget's description, :func:`draw` puts it on the page, and
:meth:`Widget.read` turns what was entered into the column's value. Choices are the texts that a
file would hold, a blank one for "unknown", so that the column itself reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import streamlit as st

from jobchurn.contract import Column, Contract, Kind, Value, Violation
from words import capitalised

UNKNOWN = "Unknown"
"""The words for a blank."""

_SAFE_IN_BROWSERS = 2**53 - 1
"""The largest whole number that a browser's number field keeps exactly."""

_DIGITS = re.compile(r"([0-9]{1,18})")

Entry = str | int | float | None
"""What a widget holds: a text as in a file, a number, or nothing yet."""


class Shape(StrEnum):
    """How a value is asked for."""

    CHOICE = "one of a list"
    SUGGESTION = "one of a list, or a new text"
    WHOLE = "whole number"
    DECIMAL = "number with decimals"
    TYPED = "text, read as in a file"


@dataclass(frozen=True, kw_only=True)
class Widget:
    """One field of the form.

    Attributes:
        column: what it asks for, as :func:`asked` has it.
        shape: see :class:`Shape`.
        label: what stands above it, the unit included.
        help: what its tooltip says.
        options: the texts to choose from; the blank one stands for "unknown".
        minimum, maximum: inclusive bounds of a number.
        decimals: how many decimals of a number are shown.
    """

    column: Column
    shape: Shape
    label: str
    help: str
    options: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    decimals: int = 0

    @property
    def required(self) -> bool:
        """Whether it must be filled in."""
        return self.column.required

    @property
    def key(self) -> str:
        """The name under which the page keeps what was entered."""
        return f"field-{self.column.name}"

    @property
    def empty(self) -> Entry:
        """What it holds at first."""
        return "" if not self.required and self.shape in (Shape.CHOICE, Shape.TYPED) else None

    @property
    def example(self) -> Entry:
        """The column's first example, as the widget holds it."""
        value = next(iter(self.column.examples), None)
        if value is None:
            return self.empty
        return value if self._is_number else self.column.write(value)

    def words(self, option: str) -> str:
        """An option as a person reads it."""
        if option == "":
            return UNKNOWN
        return option if self.shape is Shape.SUGGESTION else capitalised(self.column.words(option))

    def read(self, entered: Entry) -> Value:
        """The value of what was entered; ``None`` where it is unknown.

        Blanks around a text are dropped: nobody means them.

        Raises:
            Violation: the column does not admit it.
        """
        if self._is_number:
            return self.column.accept(entered)
        return self.column.read(str(entered or "").strip())

    @property
    def _is_number(self) -> bool:
        return self.shape in (Shape.WHOLE, Shape.DECIMAL)


def asked(contract: Contract) -> tuple[Column, ...]:
    """The columns as a person is asked for them: only what describes the subject is required.

    A file from elsewhere must name whom each row is about; here, as in the API, that is optional.
    What is predicted is not asked.
    """
    return tuple(
        replace(column, required=column.required and column in contract.inputs)
        for column in contract.columns
        if column is not contract.outcome
    )


def widget_of(column: Column, known: Sequence[str] = ()) -> Widget:
    """The widget that asks for a column's value.

    Args:
        column: what to ask for, as :func:`asked` has it.
        known: the texts that the model knows of an open text column, to be suggested.
    """
    shape = _shape_of(column)
    options: tuple[str, ...] = ()
    if shape is Shape.CHOICE:
        options = column.levels if column.required else ("", *column.levels)
    elif shape is Shape.SUGGESTION:
        options = tuple(sorted(dict.fromkeys(known), key=_natural))
    return Widget(
        column=column,
        shape=shape,
        label=_label_of(column),
        help=_help_of(column),
        options=options,
        minimum=column.minimum,
        maximum=column.maximum,
        decimals=_decimals_of(column),
    )


def _shape_of(column: Column) -> Shape:
    match column.kind:
        case Kind.CATEGORY | Kind.ORDERED:
            return Shape.CHOICE
        case Kind.TEXT:
            return Shape.SUGGESTION
        case Kind.NUMBER:
            return Shape.DECIMAL
        case Kind.INTEGER:
            largest = max(abs(column.minimum or 0), abs(column.maximum or 0))
            return Shape.WHOLE if largest <= _SAFE_IN_BROWSERS else Shape.TYPED


def _label_of(column: Column) -> str:
    says_unit = column.unit.casefold() in column.label.casefold()
    return column.label if says_unit else f"{column.label} ({column.unit})"


def _help_of(column: Column) -> str:
    allowed = column.allowed.removesuffix(", or blank")
    return f"{column.meaning} Allowed: {allowed}." if column.is_numeric else column.meaning


def _decimals_of(column: Column) -> int:
    """How many decimals the column's examples have: the precision that people know it in."""
    if column.kind is not Kind.NUMBER:
        return 0
    fractions = (str(value).partition(".")[2] for value in column.examples)
    return max(map(len, fractions), default=2)


def _natural(text: str) -> list[tuple[int, str]]:
    """A key that sorts numbers inside texts by size."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(text)]


@dataclass(frozen=True)
class Group:
    """Fields that belong together.

    Attributes:
        title: what stands above them.
        widgets: the fields.
    """

    title: str
    widgets: tuple[Widget, ...]


def groups_of(contract: Contract, known: Mapping[str, Sequence[str]]) -> tuple[Group, ...]:
    """The form's fields by what they are for: needed, helpful, or kept for the record.

    Args:
        contract: what to ask for.
        known: column → the texts that the model knows of it.
    """
    features = {column.name for column in contract.features}
    widgets = [widget_of(column, known.get(column.name, ())) for column in asked(contract)]
    shown = [widget for widget in widgets if widget.column.name in features]
    groups = (
        Group("Needed", tuple(widget for widget in shown if widget.required)),
        Group("If known", tuple(widget for widget in shown if not widget.required)),
        Group(
            "For your records, not shown to the model",
            tuple(widget for widget in widgets if widget not in shown),
        ),
    )
    return tuple(group for group in groups if group.widgets)


def draw(widget: Widget) -> Entry:
    """Put the widget on the page, and return what it holds."""
    match widget.shape:
        case Shape.WHOLE | Shape.DECIMAL:
            return _draw_number(widget)
        case Shape.TYPED:
            return _draw_text(widget)
        case Shape.CHOICE | Shape.SUGGESTION:
            return _draw_list(widget)


def _draw_list(widget: Widget) -> str | None:
    takes_new = widget.shape is Shape.SUGGESTION
    entered: str | None = st.selectbox(
        widget.label,
        widget.options,
        index=None if widget.empty is None else 0,
        format_func=widget.words,
        key=widget.key,
        help=widget.help,
        required=widget.required,
        placeholder="Choose, or type and press Enter" if takes_new else "Choose",
        accept_new_options=takes_new,
        filter_mode="contains",
        persist_state="session",
    )
    return entered


def _draw_text(widget: Widget) -> str | None:
    entered: str | None = st.text_input(
        widget.label,
        key=widget.key,
        help=widget.help,
        required=widget.required,
        placeholder="" if widget.required else UNKNOWN,
        persist_state="session",
    )
    return entered


def _draw_number(widget: Widget) -> int | float | None:
    number = int if widget.shape is Shape.WHOLE else float
    entered: int | float | None = st.number_input(
        widget.label,
        min_value=None if widget.minimum is None else number(widget.minimum),
        max_value=None if widget.maximum is None else number(widget.maximum),
        value=None,
        step=number(10.0 ** -max(widget.decimals - 1, 0)),
        format=f"%.{widget.decimals}f" if widget.decimals else "%d",
        key=widget.key,
        help=widget.help,
        required=widget.required,
        placeholder="Type a number" if widget.required else UNKNOWN,
        persist_state="session",
    )
    return entered


def read_all(
    entries: Iterable[tuple[Widget, Entry]],
) -> tuple[dict[str, Value], list[tuple[Widget, Violation]]]:
    """Column → value for what was entered, and what the contract does not admit of it."""
    record: dict[str, Value] = {}
    violations: list[tuple[Widget, Violation]] = []
    for widget, entered in entries:
        try:
            record[widget.column.name] = widget.read(entered)
        except Violation as violation:
            violations.append((widget, violation))
    return record, violations
