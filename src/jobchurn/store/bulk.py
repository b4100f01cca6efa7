"""Large requests: stored in pieces as they are predicted, in one transaction all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import Connection, Engine

from jobchurn.columnar import Records
from jobchurn.contract import Contract
from jobchurn.store.blocks import HEAD, TAIL, Blocks
from jobchurn.store.columns import PREDICTIONS
from jobchurn.store.engine import driver_of, transaction
from jobchurn.store.names import encoded
from jobchurn.store.requests import Requests, Stored
from jobchurn.store.tables import Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkBatch:
    """A large request, to be stored as a whole or not at all.

    Attributes:
        records: canonical.
        positions: each record's place in the request, from 0.
        source: which door asked.
        model_version, policy_version: what decides.
        key: the idempotency key, or ``None``.
        fingerprint: of the request's content; two requests with one key must agree in it.
        refused: what was refused of the request, made of JSON's types; part of the answer.
        run_id, file_name: the lineage, where the records come from a file.
        first_row: the row of the request's first record in that file.
    """

    records: Records
    positions: NDArray[np.int64]
    source: str
    model_version: str
    policy_version: str
    key: str | None = None
    fingerprint: str = ""
    refused: Any = None
    run_id: str | None = None
    file_name: str | None = None
    first_row: int | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Some neighbouring records of a request, predicted.

    Attributes:
        rows: which, by their places among the accepted ones.
        probabilities: of the positive class, 0 to 1.
        decisions: 0 or 1.
    """

    rows: slice
    probabilities: NDArray[np.float64]
    decisions: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Begun:
    """What is known of a request that is about to be stored.

    Attributes:
        created_at: the database's time, one for the whole request.
        ids: one for each record.
    """

    created_at: datetime
    ids: NDArray[np.int64]


class BulkRequests:
    """The named queries about large requests."""

    def __init__(
        self, engine: Engine, tables: Tables, contract: Contract, requests: Requests
    ) -> None:
        self._engine = engine
        self._predictions = tables.predictions
        self._contract = contract
        self._requests = requests

    def write(
        self,
        batch: BulkBatch,
        predicted: Iterable[Piece],
        sent: Callable[[Begun, Piece], None],
    ) -> Begun | Stored:
        """Store a request in one transaction; committed when this returns.

        Args:
            batch: the request.
            predicted: its predictions in pieces, in order; taken one by one, and not at all where
                the request is known.
            sent: is told of each piece when it has been sent to the database, which is at work on
                it meanwhile. Nothing is kept for good before this returns.

        Returns:
            What was stored, or the first answer where the key was known.

        Raises:
            IdempotencyConflict: the key was used for a request of another fingerprint.
            InvalidRequest: the key is too long.
        """
        with transaction(self._engine) as connection:
            registered = self._requests.registered(connection, batch)
            if isinstance(registered, Stored):
                return registered
            begun = _begin(connection, len(batch.records))
            request = None
            if registered is not None:
                request, begun = registered.id, Begun(registered.created_at, begun.ids)
            blocks = self._blocks(batch, begun, request)
            command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
                sql.Identifier(PREDICTIONS), sql.SQL(", ").join(map(sql.Identifier, blocks.columns))
            )
            with driver_of(connection).cursor() as cursor, cursor.copy(command) as copy:
                copy.write(HEAD)
                for piece in predicted:
                    copy.write(blocks.block(piece.rows, _numbers(batch, begun, piece)))
                    sent(begun, piece)
                copy.write(TAIL)
            return begun

    def _blocks(self, batch: BulkBatch, begun: Begun, request: int | None) -> Blocks:
        rows = {} if batch.first_row is not None else {"row_number": None}
        return Blocks(
            self._predictions,
            same={
                "created_at": begun.created_at,
                "source": batch.source,
                "run_id": batch.run_id,
                "file_name": batch.file_name and encoded(batch.file_name),
                "request_id": request,
                "model_version": batch.model_version,
                "policy_version": batch.policy_version,
                "contract": self._contract.fingerprint,
                **rows,
            },
            series=batch.records.columns,
            numbers=_NUMBERS if rows else (*_NUMBERS, "row_number"),
        )


_NUMBERS = ("id", "position", "probability", "prediction")


def _numbers(batch: BulkBatch, begun: Begun, piece: Piece) -> dict[str, NDArray[Any]]:
    positions = batch.positions[piece.rows]
    numbers: dict[str, NDArray[Any]] = {
        "id": begun.ids[piece.rows],
        "position": positions,
        "probability": piece.probabilities,
        "prediction": piece.decisions,
    }
    if batch.first_row is not None:
        numbers["row_number"] = positions + batch.first_row
    return numbers


def _begin(connection: Connection, count: int) -> Begun:
    """The database's time, and numbers for rows to come, as one text of 8 bytes each.

    The sequence is looked for once: to do so for each number took ten times as long as all else.
    """
    with driver_of(connection).cursor(binary=True) as cursor:
        row = cursor.execute(
            "SELECT clock_timestamp(), coalesce(string_agg(int8send(nextval("
            "(SELECT pg_get_serial_sequence(%s, 'id')::regclass))), ''), '')"
            " FROM generate_series(1, %s)",
            [PREDICTIONS, count],
        ).fetchone()
    if row is None:
        raise AssertionError("an aggregate has a row")
    now, numbers = row
    return Begun(now, np.frombuffer(numbers, ">i8").astype(np.int64))
