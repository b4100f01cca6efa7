"""The HTTP API, from its OpenAPI document."""

from __future__ import annotations

import inspect
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts.reference.markdown import code, page, prose, table

from jobchurn import errors, wiring
from jobchurn.api import create_app
from jobchurn.api.permits import SCHEME
from jobchurn.errors import JobchurnError
from jobchurn.settings import Settings

_PROBLEMS = "application/problem+json"
_BY_CONTRACT = ("Record", "Features")
"""Objects whose fields are the contract's columns."""


def http_page() -> str:
    """``http.md``."""
    document = document_of_the_api()
    schemas = document["components"]["schemas"]
    return page(
        "HTTP API",
        "The API answers on <http://127.0.0.1:8000>, and describes itself in OpenAPI 3.1 at "
        "`/openapi.json`. Beyond this machine, and with `API_KEYS=always`, whoever asks must have "
        "a [key](../how-to/keys.md), sent as `Authorization: Bearer KEY`.",
        "Fields and parameters that are not listed are refused, not ignored. Times are in UTC.",
        *(
            part
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
            for part in _operation(f"{method.upper()} {path}", operation)
        ),
        "## Objects",
        *(part for name, schema in schemas.items() for part in _object(name, schema)),
        "## Problems",
        "Every failure is a [problem document](#problem) (RFC 9457). Its `type` is "
        "`urn:jobchurn:problem:` and one of these; 503 comes with `Retry-After`.",
        table(("type", "status", "what happened"), _problems()),
    )


def document_of_the_api() -> dict[str, Any]:
    """The OpenAPI document, by the default settings; no database is asked."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings.model_construct(jobchurn_home=Path(home))
        services = wiring.services_at(settings, "postgresql://nobody@127.0.0.1:1/none")
        try:
            return create_app(services).openapi()
        finally:
            services.store.close()


def _operation(title: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {title}"
    yield f"{operation['summary']}. {prose(operation['description'])}"
    if parameters := operation.get("parameters"):
        yield table(
            ("parameter", "in", "type", "default", "meaning"),
            (
                (
                    code(p["name"]),
                    p["in"],
                    _type(p["schema"]),
                    _default(p["schema"]),
                    p.get("description", ""),
                )
                for p in parameters
            ),
        )
    if body := operation.get("requestBody"):
        name = _target(body["content"]["application/json"]["schema"])
        yield f"Takes a {_link(name)} as JSON."
        others = {m: c["schema"] for m, c in body["content"].items() if m != "application/json"}
        if others:
            yield "Or, as the header `Content-Type` says:"
            yield table(
                ("body", "what it holds"),
                ((code(media), schema["description"]) for media, schema in others.items()),
            )
    if keys := [scope for key in operation["security"] for scope in key.get(SCHEME, ())]:
        yield f"For keys with the scope {' or '.join(map(code, keys))}."
    else:
        yield "For everybody."
    yield table(("status", "answer", "when"), map(_answer, operation["responses"].items()))


def _answer(response: tuple[str, Mapping[str, Any]]) -> tuple[str, str, str]:
    status, said = response
    forms = said["content"]
    if _PROBLEMS in forms:
        return status, _link("Problem"), _sentence(said["description"])
    shapes = [
        _type(form["schema"]) if media == "application/json" else code(media)
        for media, form in forms.items()
    ]
    return status, " or ".join(shapes), "It worked."


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text.capitalize()}."


def _object(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    yield prose(schema.get("description"))
    if name in _BY_CONTRACT:
        yield "Its fields are the columns of [the contract](contract.md)."
        return
    if "enum" in schema:
        yield f"One of {', '.join(map(code, schema['enum']))}."
        return
    required = schema.get("required", ())
    if examples := schema.get("examples"):
        yield f"```json\n{json.dumps(examples[0], indent=2)}\n```"
    yield table(
        ("field", "type", "default", "meaning"),
        (
            (
                code(field),
                _type(shape),
                "" if field in required else _default(shape),
                shape.get("description", ""),
            )
            for field, shape in schema["properties"].items()
        ),
    )


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return _link(_target(schema))
    if "enum" in schema:
        return " or ".join(map(code, schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    match schema.get("type"):
        case "array":
            return f"array of {_type(schema['items'])}"
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            return f"object of {_type(schema['additionalProperties'])}"
    bounds = [
        f"{word} {schema[key]:g}"
        for key, word in (("minimum", "from"), ("maximum", "to"), ("maxLength", "of at most"))
        if key in schema
    ]
    shown = schema.get("format", schema.get("type", "any"))
    return " ".join([str(shown), *bounds])


def _default(schema: Mapping[str, Any]) -> str:
    value = schema.get("default")
    return "" if value is None else code(json.dumps(value))


def _target(schema: Mapping[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _problems() -> Iterator[tuple[str, str, str]]:
    found = [
        failure("")
        for _, failure in inspect.getmembers(errors, inspect.isclass)
        if issubclass(failure, JobchurnError) and failure is not JobchurnError
    ]
    answered = [failure for failure in found if failure.status != JobchurnError.status]
    for failure in sorted(answered, key=lambda f: (f.status, f.slug)):
        yield code(failure.slug), str(failure.status), f"{failure.title}."
    yield code("internal-error"), "500", "A fault of ours; the log has it under the `request_id`."
