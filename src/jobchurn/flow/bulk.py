"""Bulk: many records at once become decisions, column by column.

The same as ``predict``, and the same answer, for requests that are large. While one piece is on
its way to the database the next is scored, in another thread: neither LightGBM nor the connection
holds up the other.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from jobchurn.columnar import Objects, Records
from jobchurn.flow.predict import Asked, Refusal, Source, Stage, places, unwatched
from jobchurn.flow.services import Services
from jobchurn.model import Model
from jobchurn.store import Stored
from jobchurn.store.bulk import Begun, BulkBatch, Piece

PIECE = 8_192
"""How many records are scored, and sent to the database, at once."""

_AHEAD = 4
"""How many pieces are scored before the database has taken the first of them."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of some neighbouring records of a request.

    Attributes:
        rows: which, by their places among the accepted ones.
        numbers: each one's number in the request, from 1.
        probabilities: of the positive class, 0 to 1.
        decisions: 0 or 1.
        ids: under which they are kept.
    """

    rows: slice
    numbers: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    decisions: NDArray[np.int8]
    ids: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BulkAnswer:
    """What is said of a request as a whole; see ``predict.Answer``."""

    n: int
    refused: Sequence[Refusal]
    model_version: str
    created_at: datetime | None
    replayed: bool


Tell = Callable[[Records, Told], None]
"""Is given a part of the answer, and what the request's accepted records are."""


def predict_bulk(
    services: Services,
    model: Model,
    asked: Asked,
    tell: Tell,
    scoring: Executor,
    *,
    stage: Stage = unwatched,
) -> BulkAnswer:
    """Score, decide, and keep in one transaction; committed when this returns.

    Args:
        services: the contract, the policy and the database.
        model: gives every probability of the answer.
        asked: what is asked; records that are no columns yet are made columns.
        tell: is given the answer in parts, in order. None of it holds before this returns.
        scoring: where pieces are scored, each by one thread.
        stage: watches the stages, ``score`` and ``store``; most of the scoring is in the latter.

    Raises:
        IdempotencyConflict: the key was used for another request.
        DatabaseUnreachable: nothing was kept.
    """
    refused = asked.refused
    if asked.leaves_nothing:
        return BulkAnswer(0, list(refused), model.version, None, replayed=False)
    records = asked.records
    if not isinstance(records, Records):
        records = Records.of(records, services.contract)
    with stage("score"):
        matrix = model.encoded(records)
        predicted = _Predicted(services, model, matrix, scoring)
    positions = np.array(places(len(records), refused), np.int64)
    batch = BulkBatch(
        records=records,
        positions=positions,
        source=asked.source,
        model_version=model.version,
        policy_version=services.policy.version,
        key=asked.key,
        fingerprint=(
            fingerprint_of(records, source=asked.source, refused=refused) if asked.key else ""
        ),
        refused=list(refused) or None,
        run_id=asked.run_id,
        file_name=asked.file_name,
        first_row=asked.first_row,
    )

    def sent(begun: Begun, piece: Piece) -> None:
        rows = piece.rows
        tell(
            records,
            Told(rows, positions[rows] + 1, piece.probabilities, piece.decisions, begun.ids[rows]),
        )

    try:
        with stage("store"):
            stored = services.store.predictions.bulk.write(batch, predicted, sent)
    finally:
        predicted.close()
    if isinstance(stored, Stored):
        return _again(stored, services, tell)
    return BulkAnswer(len(records), list(refused), model.version, stored.created_at, replayed=False)


def _again(stored: Stored, services: Services, tell: Tell) -> BulkAnswer:
    """Tell the first answer again."""
    records = Records.of(stored.records, services.contract)
    tell(
        records,
        Told(
            slice(0, len(records)),
            np.array(stored.positions, np.int64) + 1,
            np.array(stored.probabilities, np.float64),
            np.array(stored.decisions, np.int8),
            np.array(stored.ids, np.int64),
        ),
    )
    return BulkAnswer(
        len(records),
        list(stored.refused or ()),
        stored.model_version,
        stored.created_at,
        replayed=True,
    )


class _Predicted:
    """The predictions of a request in pieces, each scored a little before it is asked for."""

    def __init__(
        self, services: Services, model: Model, matrix: NDArray[np.float64], scoring: Executor
    ) -> None:
        self._decide = services.policy.decide_all
        self._score = model.probabilities_of
        self._matrix = matrix
        self._scoring = scoring
        self._ahead: deque[tuple[slice, Future[NDArray[np.float64]]]] = deque()
        self._rest = _slices(len(matrix))
        self._look_ahead()

    def __iter__(self) -> Iterator[Piece]:
        while self._ahead:
            rows, scored = self._ahead.popleft()
            probabilities = scored.result()
            self._look_ahead()
            yield Piece(rows, probabilities, self._decide(probabilities))

    def _look_ahead(self) -> None:
        while len(self._ahead) < _AHEAD and (rows := next(self._rest, None)) is not None:
            self._ahead.append((rows, self._scoring.submit(self._score, self._matrix[rows])))

    def close(self) -> None:
        """Leave what is not wanted any more."""
        for _, scored in self._ahead:
            scored.cancel()


def _slices(count: int) -> Iterator[slice]:
    for start in range(0, count, PIECE):
        yield slice(start, min(start + PIECE, count))


def fingerprint_of(records: Records, *, source: Source, refused: Sequence[Refusal]) -> str:
    """What ``predict.fingerprint_of`` says of the same records."""
    columns = {name: records.columns[name] for name in sorted(records.columns)}
    objects = Objects(columns, lambda value: json.dumps(value).encode(), colon=b": ", comma=b", ")
    digest = hashlib.sha256(f"[{json.dumps(source)}, [".encode())
    for rows in _slices(len(records)):
        digest.update(b", " if rows.start else b"")
        digest.update(objects.of(rows))
    digest.update(f"], {json.dumps(refused, sort_keys=True)}]".encode())
    return digest.hexdigest()
