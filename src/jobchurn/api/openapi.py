"""The OpenAPI document: FastAPI knows the endpoints, the contract knows the records."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from jobchurn.api.choices import PREFIX
from jobchurn.api.envelope import PredictRequest
from jobchurn.api.permits import describe_permits
from jobchurn.api.problems import Problem
from jobchurn.api.routes.links import LinkRequest
from jobchurn.api.schema import Schema, example_of, features_of, record_of
from jobchurn.contract import Contract
from jobchurn.panels import Variable, dashboards_of, rules_of

_REF = "#/components/schemas/{model}"

_INTRODUCTION = """\
Predicts whether a {subject} {positive}, keeps every prediction, and shows what arrived.

Failures are problem documents (RFC 9457): each says what is wrong and what cures it.
"""


def describe(app: FastAPI, contract: Contract, *, most_records: int, keys_required: bool) -> None:
    """Have ``app`` describe itself, its records by the contract."""

    def document() -> dict[str, Any]:
        if not app.openapi_schema:
            document = _document(app, contract, most_records)
            describe_permits(document, app.routes, required=keys_required)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way


def _document(app: FastAPI, contract: Contract, most_records: int) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=_INTRODUCTION.format(subject=contract.subject, positive=contract.positive),
        routes=app.routes,
    )
    schemas: dict[str, Schema] = document["components"]["schemas"]
    schemas["Record"] = record_of(contract)
    schemas["Features"] = features_of(contract)
    schemas |= _with_definitions(Problem) | _with_definitions(PredictRequest)
    schemas |= _with_definitions(LinkRequest)
    request = schemas["PredictRequest"]
    request["properties"]["records"] |= {
        "items": {"$ref": _REF.format(model="Record")},
        "maxItems": most_records,
    }
    request["examples"] = [{"records": [example_of(contract)], "source": "webapp"}]
    for answer in ("PredictAnswer", "ExplainAnswer"):
        schemas[answer]["properties"]["features"]["items"] = {"$ref": _REF.format(model="Features")}
    schemas["PastPrediction"]["properties"]["features"] = {"$ref": _REF.format(model="Features")}
    _add_variables(document, contract)
    _name_what_there_is(document, contract)
    _forget_fastapis_problems(document)
    return document


def _add_variables(document: dict[str, Any], contract: Contract) -> None:
    """Describe the dashboards' variables as the parameters that they are."""
    places: dict[str, list[str]] = {}
    variables: dict[str, Variable] = {}
    for dashboard in dashboards_of(contract):
        for variable in dashboard.variables:
            places.setdefault(variable.name, []).append(dashboard.name)
            variables.setdefault(variable.name, variable)
    document["paths"]["/panels/{dashboard}"]["get"]["parameters"] += [
        {
            "name": f"{PREFIX}{name}",
            "in": "query",
            "required": False,
            "schema": {"type": "array", "items": {"type": "string"}},
            "description": f"{variables[name].label}: a value on offer"
            f"{', or several' if variables[name].several else ''}; of the dashboard "
            f"{' and '.join(where)}.",
        }
        for name, where in places.items()
    ]


def _name_what_there_is(document: dict[str, Any], contract: Contract) -> None:
    """Describe what a path can name, where that is known: other names are answered with 404."""
    for path, names in (
        ("/panels/{dashboard}", [dashboard.name for dashboard in dashboards_of(contract)]),
        ("/runbook/{rule}", [rule.name for rule in rules_of(contract)]),
    ):
        parameter = document["paths"][path]["get"]["parameters"][0]
        parameter["schema"] |= {"enum": names}


def _forget_fastapis_problems(document: dict[str, Any]) -> None:
    """Take out the form in which FastAPI describes refused parameters: here they are problems."""
    schemas = document["components"]["schemas"]
    schemas.pop("ValidationError", None)
    if schemas.pop("HTTPValidationError", None) is None:
        return
    theirs = {"$ref": _REF.format(model="HTTPValidationError")}
    for operations in document["paths"].values():
        for operation in operations.values():
            refused = operation["responses"].get("422", {}).get("content", {})
            if refused.get("application/json", {}).get("schema") == theirs:
                del operation["responses"]["422"]


def _with_definitions(model: type[Any]) -> dict[str, Schema]:
    """A model's schema as a component, and those that it refers to."""
    schema: Schema = model.model_json_schema(ref_template=_REF)
    return {**schema.pop("$defs", {}), model.__name__: schema}
