"""The contract as JSON Schema: what a request may send, and what an answer shows of a record.

The schemas are the OpenAPI document's. Requests are judged by :meth:`Column.accept` itself
(``records``), and ``tests/one_truth`` holds the two to each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from jobchurn.contract import Column, Contract, Kind

Schema = dict[str, Any]
"""A JSON Schema of draft 2020-12, which OpenAPI 3.1 speaks."""

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")

# What contract.CONTROL_PATTERN matches and JSON can carry. The look-ahead is for dialects in which
# the dollar also matches before a last newline.
_NO_CONTROL = r"^[^\u0000-\u001f\u007f-\u009f]*$(?!\n)"


def asked(contract: Contract) -> tuple[Column, ...]:
    """The columns as a request is asked for them.

    Only what describes the subject can be required: a file must name whom each row is about, a
    request need not, and an outcome is what it wants to know.
    """
    return tuple(
        replace(column, required=column.required and column in contract.inputs)
        for column in contract.columns
    )


def field_of(column: Column) -> Schema:
    """The schema of a column's values: an instance is valid where ``column`` admits it.

    JSON Schema cannot tell 5.0 from 5, and the contract does for categories; that is all in which
    the two differ.
    """
    shapes = _shapes_of(column)
    if not column.required:
        shapes.append({"type": "null"})
    unit = f" In {column.unit}." if column.unit else ""
    return {
        "title": column.label,
        "description": f"{column.meaning}{unit}",
        **(shapes[0] if len(shapes) == 1 else {"anyOf": shapes}),
        "examples": list(column.examples),
    }


def _shapes_of(column: Column) -> list[Schema]:
    match column.kind:
        case Kind.INTEGER | Kind.NUMBER:
            bounds = {"minimum": column.minimum, "maximum": column.maximum}
            return [{"type": column.kind.value, **bounds}]
        case Kind.TEXT:
            shortest = 1 if column.required else 0
            lengths = {"minLength": shortest, "maxLength": column.max_length}
            return [{"type": "string", **lengths, "pattern": _NO_CONTROL}]
        case Kind.CATEGORY | Kind.ORDERED:
            shapes: list[Schema] = [{"type": "string", "enum": list(column.accepted)}]
            numbers = [int(text) for text in column.accepted if _INTEGER.fullmatch(text)]
            if numbers:
                shapes.append({"type": "integer", "enum": numbers})
            return shapes


def record_of(contract: Contract) -> Schema:
    """The schema of a record that a request sends."""
    columns = asked(contract)
    return _object(
        f"A {contract.subject} to predict.",
        columns,
        required=[column.name for column in columns if column.required],
        example=example_of(contract),
    )


def features_of(contract: Contract) -> Schema:
    """The schema of a record that an answer shows: all inputs, canonical, null where absent.

    Old predictions may lack a value that is required today.
    """
    shown = [replace(column, required=False, spellings={}) for column in contract.inputs]
    return _object(
        f"What describes the {contract.subject}.",
        shown,
        required=[column.name for column in shown],
        example=example_of(contract),
    )


def example_of(contract: Contract) -> dict[str, Any]:
    """A record to show: of each input its first example."""
    return {column.name: column.examples[0] for column in contract.inputs if column.examples}


def body_of(component: str, others: Mapping[str, Any] | None = None) -> Schema:
    """A request body in the OpenAPI document.

    Args:
        component: what it calls the schema of a JSON body.
        others: the contents of other media types that may be sent.
    """
    schema = {"$ref": f"#/components/schemas/{component}"}
    content = {"application/json": {"schema": schema}, **(others or {})}
    return {"required": True, "content": content}


def _object(
    description: str, columns: Iterable[Column], *, required: list[str], example: dict[str, Any]
) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": {column.name: field_of(column) for column in columns},
        "required": required,
        "additionalProperties": False,
        "examples": [example],
    }
