"""The forms in which records come: JSON, and beside it three for many records."""

from __future__ import annotations

from typing import Any

from jobchurn.api.body import JSON

NDJSON = "application/x-ndjson"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"

_MEANINGS = {
    NDJSON: "A record a line, each a JSON object as in the list `records`.",
    CSV: "A header with names of columns in any order, and below it a record a line, as files have "
    "them: an empty cell is blank.",
    ARROW: "Record batches, not compressed; columns of numbers and texts, plain or "
    "dictionary-encoded.",
}

FORMS = (JSON, *_MEANINGS)
"""The media types of a body that holds records."""


def described() -> dict[str, Any]:
    """The forms beside JSON as contents of a request's body in the OpenAPI document."""
    return {
        form: {"schema": {"type": "string", "description": meaning}}
        for form, meaning in _MEANINGS.items()
    }
