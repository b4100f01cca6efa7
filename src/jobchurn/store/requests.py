"""Requests: the predictions of one request, stored once, whatever is retried.

A request may bear an idempotency key. The key is registered first, in the transaction that stores
the predictions: a second request of the same key waits for the first one's end, and is then given
its answer, made again from the stored rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.postgresql import REGCLASS, insert

from jobchurn.contract import Contract, Value
from jobchurn.errors import IdempotencyConflict, InvalidRequest
from jobchurn.store.columns import PREDICTIONS
from jobchurn.store.copying import copy_rows
from jobchurn.store.engine import transaction
from jobchurn.store.names import decoded, decoded_json, encoded, encoded_json
from jobchurn.store.tables import Tables, record_of

FORGOTTEN = ""
"""In the place of a request's fingerprint where something of the request was removed since."""

_LONGEST_KEY = 512
"""More than a client may send: the name of who it is stands before it."""

_NOW = sa.func.clock_timestamp()


class Keyed(Protocol):
    """What is registered of a request: see :class:`Batch`."""

    @property
    def records(self) -> Sequence[Mapping[str, Value]]: ...  # noqa: D102
    @property
    def key(self) -> str | None: ...  # noqa: D102
    @property
    def fingerprint(self) -> str: ...  # noqa: D102
    @property
    def model_version(self) -> str: ...  # noqa: D102
    @property
    def policy_version(self) -> str: ...  # noqa: D102
    @property
    def refused(self) -> Any: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The predictions of one request, to be stored together or not at all.

    Attributes:
        records: one mapping of canonical values per record; an absent column is blank.
        probabilities: of the positive class, 0 to 1.
        decisions: 0 or 1.
        source: which door asked.
        model_version, policy_version: what decided.
        key: the idempotency key, or ``None``.
        fingerprint: of the request's content; two requests with one key must agree in it.
        positions: each record's place in the request, from 0; by default 0, 1, 2, …
        refused: what was refused of the request, made of JSON's types; part of the answer.
        run_id, file_name, row_numbers: the lineage, where the records come from a file.
    """

    records: Sequence[Mapping[str, Value]]
    probabilities: Sequence[float]
    decisions: Sequence[int]
    source: str
    model_version: str
    policy_version: str
    key: str | None = None
    fingerprint: str = ""
    positions: Sequence[int] | None = None
    refused: Any = None
    run_id: str | None = None
    file_name: str | None = None
    row_numbers: Sequence[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is stored of a request: the answer to it, and to each retry of it.

    Attributes:
        replayed: the request had been stored before; all else here is the first answer's.
        created_at: the database's time of storing, one for the whole request.
        ids: one per stored record, in order of position.
        positions, records, probabilities, decisions: in order of position.
        model_version, policy_version: what decided.
        refused: as the batch gave it.
    """

    replayed: bool
    created_at: datetime
    ids: list[int]
    positions: list[int]
    records: list[Mapping[str, Value]]
    probabilities: list[float]
    decisions: list[int]
    model_version: str
    policy_version: str
    refused: Any = None


class Requests:
    """The named queries about requests."""

    def __init__(self, engine: Engine, tables: Tables, contract: Contract) -> None:
        self._engine = engine
        self._requests = tables.requests
        self._predictions = tables.predictions
        self._contract = contract

    def write(self, batch: Batch) -> Stored:
        """Store a request's predictions in one transaction; committed when this returns.

        A request whose key is known stores nothing, and is given the first answer.

        Raises:
            IdempotencyConflict: the key was used for a request of another fingerprint.
            InvalidRequest: the key is too long.
        """
        with transaction(self._engine) as connection:
            registered = self.registered(connection, batch)
            if isinstance(registered, Stored):
                return registered
            return self._stored(connection, batch, registered)

    def registered(self, connection: Connection, batch: Keyed) -> sa.Row[Any] | Stored | None:
        """Register the request's key: its number and time, or the first answer where it was known.

        ``None`` where it bears none. Waits for a request of the same key that is about to be
        committed.

        Raises:
            IdempotencyConflict: the key was used for another request, or something of that one was
                removed since.
            InvalidRequest: the key is too long.
        """
        while batch.key is not None:
            registered = self._register(connection, batch)
            if registered is not None:
                return registered
            wanted = self._requests.c.key == encoded(batch.key)
            first = connection.execute(sa.select(self._requests).where(wanted)).first()
            if first is not None:
                return self._first_answer(connection, batch, first)
            # It had been kept for long enough, and was removed this moment: the key is free.
        return None

    def _register(self, connection: Connection, batch: Keyed) -> sa.Row[Any] | None:
        if len(batch.key or "") > _LONGEST_KEY:
            raise InvalidRequest(
                f"The idempotency key is longer than {_LONGEST_KEY} characters.",
                "Give a shorter one; a UUID does.",
            )
        requests = self._requests
        return connection.execute(
            insert(requests)
            .values(
                key=encoded(batch.key or ""),
                fingerprint=encoded(batch.fingerprint),
                created_at=_NOW,
                n=len(batch.records),
                model_version=batch.model_version,
                policy_version=batch.policy_version,
                refused=sa.null() if batch.refused is None else encoded_json(batch.refused),
            )
            .on_conflict_do_nothing()
            .returning(requests.c.id, requests.c.created_at)
        ).first()

    def _first_answer(self, connection: Connection, batch: Keyed, first: sa.Row[Any]) -> Stored:
        if FORGOTTEN != decoded(first.fingerprint) != batch.fingerprint:
            raise IdempotencyConflict(
                "This idempotency key was used for another request.",
                "Send a retry with the same body as the first time, or use a new key.",
            )
        predictions = self._predictions
        rows = connection.execute(
            sa.select(predictions)
            .where(predictions.c.created_at == first.created_at)
            .where(predictions.c.request_id == first.id)
            .order_by(predictions.c.position)
        ).all()
        # Also where they go just now: the request may be seen as it was before.
        if len(rows) != first.n or first.fingerprint == FORGOTTEN != batch.fingerprint:
            raise IdempotencyConflict(
                "Records of the request with this idempotency key were removed since, on request "
                "or as they had been kept for long enough.",
                "It is done, and is not repeated; use a new key for a new request.",
            )
        return Stored(
            replayed=True,
            created_at=first.created_at,
            ids=[row.id for row in rows],
            positions=[row.position for row in rows],
            records=[record_of(row, self._contract) for row in rows],
            probabilities=[row.probability for row in rows],
            decisions=[row.prediction for row in rows],
            model_version=first.model_version,
            policy_version=first.policy_version,
            refused=decoded_json(first.refused),
        )

    def _stored(
        self, connection: Connection, batch: Batch, registered: sa.Row[Any] | None
    ) -> Stored:
        count = len(batch.records)
        now, ids = _now_and_numbers(connection, count)
        request = None
        if registered is not None:
            request, now = registered.id, registered.created_at
        positions = range(count) if batch.positions is None else batch.positions
        columns: dict[str, Iterable[Any]] = {
            "created_at": repeat(now, count),
            "id": ids,
            "source": repeat(batch.source, count),
            "run_id": repeat(batch.run_id, count),
            "file_name": repeat(batch.file_name and encoded(batch.file_name), count),
            "row_number": repeat(None, count) if batch.row_numbers is None else batch.row_numbers,
            "request_id": repeat(request, count),
            "position": positions,
            "model_version": repeat(batch.model_version, count),
            "policy_version": repeat(batch.policy_version, count),
            "contract": repeat(self._contract.fingerprint, count),
            "probability": map(float, batch.probabilities),
            "prediction": map(int, batch.decisions),
        }
        for column in self._contract.columns:
            columns[column.name] = [record.get(column.name) for record in batch.records]
        copy_rows(connection, self._predictions, columns)
        return Stored(
            replayed=False,
            created_at=now,
            ids=ids,
            positions=list(positions),
            records=list(batch.records),
            probabilities=list(map(float, batch.probabilities)),
            decisions=list(map(int, batch.decisions)),
            model_version=batch.model_version,
            policy_version=batch.policy_version,
            refused=batch.refused,
        )


def _now_and_numbers(connection: Connection, count: int) -> tuple[datetime, list[int]]:
    """The database's time, and numbers for rows to come: COPY answers with neither."""
    rows = sa.func.generate_series(1, count).table_valued("n")
    # By itself, so that it is looked for once, and not for each number.
    sequence = sa.select(sa.cast(sa.func.pg_get_serial_sequence(PREDICTIONS, "id"), REGCLASS))
    following = sa.func.nextval(sequence.scalar_subquery())
    numbers = sa.func.array(sa.select(following).select_from(rows).scalar_subquery())
    now, ids = connection.execute(sa.select(_NOW, numbers)).one()
    return now, ids
