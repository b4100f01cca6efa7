"""What is wrong with a request, one fault at a time, in one shape for every kind of fault."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from jobchurn.contract import Violation, shown

LISTED = 100
"""How many faults a problem document lists."""

_LONGEST = 60

_MOST = 2**63
"""Numbers beyond are sent back as text: the database, which keeps answers for retries, makes whole
numbers of such floats, and what writes JSON here takes no integers as great as that."""


class Fault(TypedDict):
    """One thing that is wrong.

    Attributes:
        field: the field's name, or ``None`` where the fault is of no one field.
        value: the value as it came, or how it is shown where it is long, nested or unprintable.
        rule: the rule that is broken.
        allowed: what is allowed, in words.
        nearest: the value or the name that was likely meant.
        message: all of this in a sentence, without its full stop.
    """

    field: str | None
    value: bool | int | float | str | None
    rule: str
    allowed: str | None
    nearest: str | None
    message: str


def sentence(message: object) -> str:
    """A fault's message with its full stop, where it does not end as a question."""
    message = str(message)
    return message if message.endswith("?") else f"{message}."


class Container:
    """Stands in for a JSON list or object, however large and deep: it is shown by its kind alone.

    No column admits one, as it admits no list or object.
    """

    def __init__(self, value: dict[str, Any] | list[Any]) -> None:
        self._words = "an object" if isinstance(value, dict) else "a list"

    def __repr__(self) -> str:
        return self._words


def scalar(value: object) -> object:
    """A JSON value as a column is to judge it: a list or an object by its stand-in."""
    return Container(value) if isinstance(value, dict | list) else value


def echoed(value: object) -> bool | int | float | str | None:
    """A JSON value fit to be sent back: itself where it is short and plain, else as it is shown."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and -_MOST <= value < _MOST:
        return value
    if isinstance(value, str) and len(value) <= _LONGEST and value.isprintable():
        return value
    return shown(scalar(value))


def broken_rule(broken: Violation, *, brief: bool = False) -> Fault:
    """A value that breaks a rule of its column.

    Args:
        broken: what was raised.
        brief: guess no value that was likely meant: to do so takes a while.
    """
    return {
        "field": broken.column,
        "value": echoed(broken.value),
        "rule": broken.rule,
        "allowed": broken.allowed,
        "nearest": None if brief else broken.repair,
        "message": str(broken),
    }


def unknown_name(
    name: str, value: object, *, known: Iterable[str], nearest: str | None, of: str
) -> Fault:
    """A field that does not exist."""
    name = str(echoed(name))
    meant = f"; did you mean {nearest}?" if nearest else ""
    return {
        "field": name,
        "value": echoed(value),
        "rule": "unknown field",
        "allowed": ", ".join(known),
        "nearest": nearest,
        "message": f"{name} is no field of {of}{meant}",
    }


def no_object(record: object) -> Fault:
    """A record that is no JSON object."""
    allowed = "an object of fields and values"
    return {
        "field": None,
        "value": echoed(record),
        "rule": "object",
        "allowed": allowed,
        "nearest": None,
        "message": f"the record is {shown(scalar(record))}; allowed: {allowed}",
    }


def faults_of(errors: Sequence[Mapping[str, Any]], known: Sequence[str], of: str) -> list[Fault]:
    """The faults that pydantic found, the first :data:`LISTED`: to describe one takes a while.

    Args:
        errors: as pydantic gives them.
        known: the names of the fields that exist.
        of: what has these fields, in words.
    """
    faults: list[Fault] = []
    for error in errors[:LISTED]:
        field = ".".join(str(part) for part in error["loc"])
        if error["type"] == "extra_forbidden":
            # Of a long text, difflib makes a table that is sixty times as long.
            close = difflib.get_close_matches(field[:_LONGEST], known, n=1)
            nearest = close[0] if close else None
            faults.append(unknown_name(field, error["input"], known=known, nearest=nearest, of=of))
            continue
        missing = error["type"] == "missing"  # then the input is what should hold the field
        value = None if missing else error["input"]
        found = "missing" if missing else shown(scalar(value))
        said = _SAID.get(error["type"], error["msg"])
        if error["type"] == "value_error":  # raised by a validator of ours, in words for people
            said = str(error["ctx"]["error"])
        faults.append(
            {
                "field": field or None,
                "value": echoed(value),
                "rule": error["type"],
                "allowed": (error.get("ctx") or {}).get("expected"),
                "nearest": None,
                "message": f"{field or of} is {found}: {said}",
            }
        )
    return faults


_SAID = {
    "missing": "it is required",
    "model_type": "it should be an object",
    "string_pattern_mismatch": "it holds characters that are not allowed",
}
"""What is said of kinds of faults whose own words speak of the inside, by pydantic's names."""
