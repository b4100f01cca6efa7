"""What a request wishes beside its records: where the body has no room for it, in the query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request

from jobchurn.api.envelope import Lineage, PredictRequest
from jobchurn.api.faults import LISTED, Fault, faults_of, sentence, unknown_name
from jobchurn.api.repeats import refuse_repeats
from jobchurn.errors import InvalidRequest

_LINEAGE = tuple(Lineage.model_fields)
_NAMES = ("source", "partial", *_LINEAGE)
_TRUTH = {"true": True, "false": False}
_CURE = "In the query of such a body may stand: " + ", ".join(_NAMES) + "."


def wishes_of(request: Request) -> PredictRequest:
    """The request as it would be in JSON, its records left out.

    Raises:
        InvalidRequest: a wish is unknown, stands twice, or is not as it may be.
    """
    query = request.query_params
    refuse_repeats(name for name, _ in query.multi_items())
    faults: list[Fault] = [
        unknown_name(name, value, known=_NAMES, nearest=None, of="the query")
        for name, value in query.items()
        if name not in _NAMES
    ]
    if not faults:
        try:
            return PredictRequest.model_validate(_content(query))
        except ValidationError as error:
            errors = [
                {**found, "loc": [part for part in found["loc"] if part != "lineage"]}
                for found in error.errors(include_url=False)
            ]
            faults = faults_of(errors, _NAMES, "the query")
    raise InvalidRequest(sentence(faults[0]["message"]), _CURE, {"errors": faults[:LISTED]})


def refuse_wishes(request: Request) -> None:
    """Refuse a query where the body has fields for all that can be wished.

    Raises:
        InvalidRequest: there is a query.
    """
    if request.scope["query_string"]:
        raise InvalidRequest(
            "A JSON body has fields for what stands in the query.",
            f"Send {', '.join(PredictRequest.model_fields)} in the body, and no query.",
        )


def _content(query: Mapping[str, str]) -> dict[str, Any]:
    content: dict[str, Any] = {"records": []}
    if "source" in query:
        content["source"] = query["source"]
    if (partial := query.get("partial")) is not None:
        content["partial"] = _TRUTH.get(partial, partial)
    if lineage := {name: query[name] for name in _LINEAGE if name in query}:
        row = lineage.get("first_row", "")
        is_number = row.isascii() and row.isdecimal() and len(row) < 20
        content["lineage"] = {**lineage, "first_row": int(row)} if is_number else lineage
    return content


def described() -> list[dict[str, Any]]:
    """The wishes as parameters in the OpenAPI document."""
    asked = {**PredictRequest.model_fields, **Lineage.model_fields}
    schema = {
        **PredictRequest.model_json_schema()["properties"],
        **Lineage.model_json_schema()["properties"],
    }
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": f"{asked[name].description} For bodies that are not JSON, which has a "
            "field for it.",
            "schema": {
                key: value
                for key, value in schema[name].items()
                if key not in ("title", "description", "examples")
            },
        }
        for name in _NAMES
    ]
