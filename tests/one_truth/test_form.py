"""The form gives exactly the values that the contract admits."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from form import Shape, asked, widget_of
from jobchurn.contract import JOB_CHANGE, Kind, Violation
from toy import TOY

COLUMNS = [*asked(JOB_CHANGE), *asked(TOY)]


def enterable(widget, value):
    """Whether the browser's control lets a person enter the value."""
    if value is None:
        return not widget.required
    match widget.shape:
        case Shape.CHOICE:
            return value in widget.options
        case Shape.WHOLE:
            return type(value) is int and widget.minimum <= value <= widget.maximum
        case Shape.DECIMAL:
            return type(value) is float and widget.minimum <= value <= widget.maximum
        case Shape.TYPED | Shape.SUGGESTION:
            return True


def read_as_entered(widget, value):
    """The value that the form makes of an entered one, or the violation that it names."""
    is_number = widget.shape in (Shape.WHOLE, Shape.DECIMAL)
    try:
        return widget.read(value if is_number else widget.column.write(value))
    except Violation as violation:
        return violation


def agree(widget, column, value):
    """Whether the form gives the value where, and only where, the column admits it as it is."""
    admitted = column.admits(value) and column.accept(value) == value
    offered = enterable(widget, value)
    taken = read_as_entered(widget, value) == value
    if widget.shape in (Shape.TYPED, Shape.SUGGESTION):
        return (offered and taken) == admitted
    # What a list or a number field offers must be right already, before the form is sent.
    return offered == admitted and taken >= admitted


def telling_values(column):
    """Values at and around every edge of what the column admits."""
    yield None
    if column.is_numeric:
        number = int if column.kind is Kind.INTEGER else float
        for edge in (column.minimum, column.maximum):
            yield from (number(edge - 1), number(edge), number(edge + 1))
    elif column.is_closed:
        yield from (*column.levels, *column.spellings, "no such level", "Unknown")
    else:
        yield from ("x", "x" * column.max_length, "x" * (column.max_length + 1), "a\x07b", "=1+1")


def values(column):
    """Values of the column's kind, most of them near what it admits."""
    if column.kind is Kind.INTEGER:
        anything = st.integers()
    elif column.kind is Kind.NUMBER:
        anything = st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0)
    else:
        # Blanks around a text are dropped by the form: nobody means them.
        anything = st.text(max_size=70).filter(lambda text: text and text == text.strip())
    return st.one_of(anything, st.sampled_from(list(telling_values(column))))


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_the_form_gives_exactly_what_the_column_admits(column):
    widget = widget_of(column)

    @given(values(column))
    def check(value):
        assert agree(widget, column, value)

    check()


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_values_at_every_edge_are_given_or_not_as_the_column_says(column):
    widget = widget_of(column)
    assert [value for value in telling_values(column) if not agree(widget, column, value)] == []


@pytest.mark.parametrize(
    "column", [c for c in COLUMNS if c.is_closed], ids=lambda column: column.name
)
def test_every_level_is_an_option_and_every_option_is_admitted(column):
    options = widget_of(column).options
    assert tuple(option for option in options if option) == column.levels
    assert ("" in options) != column.required


def weakenings(widget):
    """Each way in which one derivation alone could be wrong."""
    if widget.shape is Shape.CHOICE:
        yield "a level is missing", replace(widget, options=widget.options[:-1])
        yield "a level is invented", replace(widget, options=(*widget.options, "no such level"))
    if widget.shape in (Shape.WHOLE, Shape.DECIMAL):
        yield "the range is too narrow", replace(widget, maximum=widget.maximum - 0.5)
        yield "the range begins too late", replace(widget, minimum=widget.minimum + 0.5)
    opposite = replace(widget.column, required=not widget.required)
    yield "what is required is wrong", replace(widget, column=opposite)
    if widget.shape is Shape.SUGGESTION:
        longer = replace(widget.column, max_length=widget.column.max_length + 1)
        yield "texts may be longer", replace(widget, column=longer)
    if widget.column.is_numeric:
        wider = {"minimum": widget.column.minimum - 1, "maximum": widget.column.maximum + 1}
        yield (
            "the whole range is wider",
            replace(widget, column=replace(widget.column, **wider), **wider),
        )


@pytest.mark.parametrize(
    ("column", "weakened"),
    [
        pytest.param(column, weakened, id=f"{column.name}: {what}")
        for column in COLUMNS
        for what, weakened in weakenings(widget_of(column))
    ],
)
def test_a_weakened_widget_is_caught(column, weakened):
    assert any(not agree(weakened, column, value) for value in telling_values(column))
