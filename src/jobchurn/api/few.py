"""Requests of few records, in which nothing is out of the ordinary: read on the event loop.

Whatever is unusual is left to the endpoint's own reading, in a thread, which also finds the words
for what it refuses. What is read here is read there in the same way.
"""

from __future__ import annotations

from typing import Any

import orjson
from starlette.types import Scope

from jobchurn.api.callers import caller_of, kept_key, may_say
from jobchurn.api.door import Door
from jobchurn.api.records import Reader
from jobchurn.contract import Value
from jobchurn.flow.bulk import BulkAnswer
from jobchurn.flow.gather import FEW
from jobchurn.flow.predict import Answer, Asked, Source

LARGEST = 32 * 1024
"""Bytes up to which a body is read on the event loop, which does nothing else meanwhile."""

_FIELDS = {"records", "source", "partial"}
_SOURCES: dict[Any, Source] = {"webapp": "webapp", "scheduled": "scheduled"}


def read_few(door: Door, request: Scope, body: bytes, key: str | None) -> Asked | None:
    """What a request asks; ``None`` where that takes a closer look.

    Args:
        door: reads its records.
        request: where the gate has noted who asks.
        body: of the request.
        key: the idempotency key that it carries.
    """
    settings = door.services.settings
    if len(body) > min(LARGEST, settings.max_body_bytes):
        return None
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(content, dict) or not content.keys() <= _FIELDS:
        return None
    records = content.get("records")
    if not isinstance(records, list) or not (0 < len(records) <= min(FEW, settings.max_records)):
        return None
    said = content.get("source", "webapp")
    source = _SOURCES.get(said) if isinstance(said, str) else None
    if source is None or not isinstance(content.get("partial", False), bool):
        return None
    caller, scheduled = caller_of(request), source == "scheduled"
    if not may_say(caller, scheduled=scheduled):
        return None
    accepted = _accepted(door.reader, records, body, len(content))
    if accepted is None:
        return None
    return Asked(records=accepted, source=source, key=kept_key(caller, key, scheduled=scheduled))


def _accepted(
    reader: Reader, records: list[object], body: bytes, names: int
) -> list[dict[str, Value]] | None:
    """The canonical records; ``None`` where one is refused, or a name may stand twice.

    Args:
        reader: reads them.
        records: of the body.
        body: with all of its names.
        names: how many of them stand beside the records.
    """
    accepted = []
    for record in records:
        values = reader.accepted(record)
        if values is None:
            return None
        accepted.append(values)
        names += len(record)  # type: ignore[arg-type]  # what is accepted is an object
    # Each name stands before a colon: where there are more colons, one may stand there twice.
    return None if body.count(b":") > names else accepted


def note(door: Door, request: Scope, source: Source, answer: Answer | BulkAnswer) -> None:
    """Count what a request was answered with."""
    request["state"]["records"] = answer.n
    if not answer.replayed:
        door.metrics.predicted(source, answer.n)


def written(answer: Answer) -> dict[str, Any]:
    """An answer as it is told, made of what JSON can be made of."""
    return {
        "predictions": answer.predictions,
        "features": answer.features,
        "model_version": answer.model_version,
        "n": answer.n,
        "created_at": answer.created_at,
        "refused": answer.refused,
    }
