"""A large request from its bytes to its answer: read, judged, predicted and kept by columns."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from jobchurn.api.body import JSON, kind_of
from jobchurn.api.bulk import objects, sheet
from jobchurn.api.bulk.answer import AnswerWriter, PiecesResponse
from jobchurn.api.bulk.forms import CSV, NDJSON
from jobchurn.api.bulk.submission import Submission
from jobchurn.api.bulk.wishes import wishes_of
from jobchurn.api.callers import asked_by, refuse_foreign
from jobchurn.api.door import Door
from jobchurn.api.envelope import PredictRequest, read_request
from jobchurn.api.few import note
from jobchurn.flow.bulk import predict_bulk


def predict_bulk_request(door: Door, request: Request, body: bytes, key: str | None) -> Response:
    """The answer to ``POST /predict``, whatever form its body has; committed when this returns.

    Raises:
        JobchurnError: the request is refused, or cannot be answered now.
    """
    services = door.services
    said, submission = _submitted(door, request, body)
    reading = submission.reading(services.contract)
    if not said.partial:
        reading.raise_if_refused(_partial(request))
    writer = AnswerWriter(services.contract)
    answer = predict_bulk(
        services,
        door.champion.model,
        asked_by(request, said, reading, key),
        writer.tell,
        door.scoring,
        stage=door.stage,
    )
    note(door, request.scope, said.source, answer)
    return PiecesResponse(
        writer.finished(answer),
        {"Idempotent-Replayed": "true"} if answer.replayed else None,
    )


def _submitted(door: Door, request: Request, body: bytes) -> tuple[PredictRequest, Submission]:
    contract, most = door.services.contract, door.services.settings.max_records
    kind = kind_of(request)
    if kind == JSON:
        return _json(door, request, body)
    said = wishes_of(request)
    refuse_foreign(request, said)
    if kind == NDJSON:
        return said, _lines(door, body)
    if kind == CSV:
        return said, sheet.submitted(body, contract, most)
    # Loaded only here, with a library that takes as much memory as the rest of the API.
    from jobchurn.api.bulk import arrow  # noqa: PLC0415

    return said, arrow.submitted(body, door.reader, contract, most)


def _json(door: Door, request: Request, body: bytes) -> tuple[PredictRequest, Submission]:
    # Loaded only here, with a library that small requests do without.
    from jobchurn.api.bulk import plain  # noqa: PLC0415

    contract, most = door.services.contract, door.services.settings.max_records
    found = plain.request_of(body, contract, most)
    if found is not None:
        refuse_foreign(request, found[0])
        return found
    said = read_request(body, most_records=most)
    refuse_foreign(request, said)
    return said, objects.submitted(said.records, door.reader, contract)


def _lines(door: Door, body: bytes) -> Submission:
    from jobchurn.api.bulk import plain  # noqa: PLC0415 - as for JSON

    contract, most = door.services.contract, door.services.settings.max_records
    found = plain.lines_of(body, contract, most)
    if found is not None:
        return found
    return objects.submitted(objects.lines_of(body, most), door.reader, contract)


def _partial(request: Request) -> str:
    return 'send "partial": true' if kind_of(request) == JSON else "add partial=true to the query"
