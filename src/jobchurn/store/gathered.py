"""Gathered requests: the predictions of many requests, in one statement and one commit.

One statement is one transaction: the server commits it before it answers. It registers the keys,
numbers the rows and stores them, so that a batch of requests costs one question and one answer. For
the few rows that arrive within a moment that is sooner than COPY, which can neither number its rows
nor tell of keys, and so needs questions before and a commit after.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from psycopg import sql
from psycopg.pq.abc import PGresult
from sqlalchemy import Engine, Table

from jobchurn.contract import Contract
from jobchurn.store.binary import (
    Type,
    array_of,
    integer_of,
    moment_of,
    text,
    type_of,
)
from jobchurn.store.engine import MOMENT_SECONDS, translated
from jobchurn.store.exchange import Exchange
from jobchurn.store.names import encoded, encoded_json
from jobchurn.store.requests import Batch, Stored
from jobchurn.store.tables import Tables

_SESSION = (
    f"SET lock_timeout = {round(1000 * MOMENT_SECONDS)};"
    # Planned once: the plan does not depend on what is stored.
    "SET plan_cache_mode = force_generic_plan"
)

_OF_ROWS = (
    *("source", "run_id", "file_name", "row_number", "position"),
    *("model_version", "policy_version", "contract", "probability", "prediction"),
)
"""The columns of a prediction that are known before it is stored, beside the contract's."""

_OF_KEYS = ("key", "fingerprint", "n", "model_version", "policy_version")
"""The columns of a request that are known before it is stored, but for what it refused."""


class GatheredRequests:
    """Stores requests together. Belongs to one event loop, and is for one call at a time.

    Args:
        engine: where the connection comes from.
        tables: where the rows go.
        contract: whose columns the predictions have.
        seconds: how long a statement may run.
    """

    def __init__(self, engine: Engine, tables: Tables, contract: Contract, seconds: float) -> None:
        self._engine = engine
        self._exchange = Exchange(engine, seconds, _SESSION)
        self._contract = contract
        rows, keys = tables.predictions.columns, tables.requests.columns
        names = (*_OF_ROWS, *(column.name for column in contract.columns))
        self._of_rows = {name: type_of(rows[name]) for name in names}
        self._of_keys = {name: type_of(keys[name]) for name in _OF_KEYS}
        self._text = text()
        self._unnamed = _unnamed(tables.predictions, self._of_rows).encode()
        self._named = _named(tables, self._of_rows, self._of_keys).encode()

    async def write(self, batches: Sequence[Batch]) -> list[Stored | None]:
        """Store requests, all or none; committed when this returns.

        It waits only for a moment where another one holds what is needed. A request whose key is
        known already stores nothing and is ``None`` in the answer: :meth:`Requests.write` gives it
        its first answer.

        Args:
            batches: each with at least one record, and no key twice.

        Raises:
            DatabaseLocked: another one holds something, perhaps one of the keys.
            DatabaseUnreachable: the database does not answer; what it did is not known.
            psycopg.Error: the database refuses a value.
        """
        of_rows, columns = self._of_rows, self._columns_of(batches)
        parameters = [array_of(of_rows[name], values) for name, values in columns.items()]
        named = any(batch.key is not None for batch in batches)
        with translated(self._engine):
            if not named:
                result = await self._exchange.ask(b"unnamed", self._unnamed, parameters)
            else:
                parameters += self._keys_of(batches)
                result = await self._exchange.ask(b"named", self._named, parameters)
        return list(_answers(batches, result))

    def close(self) -> None:
        """Close the connection; what is being stored fails, or is stored and not told of."""
        self._exchange.close()

    def _columns_of(self, batches: Sequence[Batch]) -> dict[str, Sequence[Any]]:
        """Column → one value for each row, in the order of the requests and of their records."""
        rows = [batch for batch in batches for _ in batch.records]
        records = [record for batch in batches for record in batch.records]
        columns: dict[str, Sequence[Any]] = {
            "source": [row.source for row in rows],
            "run_id": [row.run_id for row in rows],
            "file_name": [row.file_name and encoded(row.file_name) for row in rows],
            "row_number": [number for batch in batches for number in _row_numbers_of(batch)],
            "position": [position for batch in batches for position in positions_of(batch)],
            "model_version": [row.model_version for row in rows],
            "policy_version": [row.policy_version for row in rows],
            "contract": [self._contract.fingerprint] * len(rows),
            "probability": [p for batch in batches for p in batch.probabilities],
            "prediction": [decision for batch in batches for decision in batch.decisions],
        }
        for column in self._contract.columns:
            name = column.name
            columns[name] = [record.get(name) for record in records]
        return columns

    def _keys_of(self, batches: Sequence[Batch]) -> Iterator[bytes]:
        """Which row bears which key, and what is registered of each.

        In the order of the keys: of two processes that register the same ones, one waits for the
        other, and not each for the other.
        """
        keys = [None if batch.key is None else encoded(batch.key) for batch in batches]
        yield array_of(
            self._text,
            [key for key, batch in zip(keys, batches, strict=True) for _ in batch.records],
        )
        named = [(key, b) for key, b in zip(keys, batches, strict=True) if key is not None]
        named.sort(key=lambda pair: pair[0])
        of_keys = self._of_keys
        yield array_of(of_keys["key"], [key for key, _ in named])
        yield array_of(of_keys["fingerprint"], [encoded(b.fingerprint) for _, b in named])
        yield array_of(of_keys["n"], [len(b.records) for _, b in named])
        yield array_of(of_keys["model_version"], [b.model_version for _, b in named])
        yield array_of(of_keys["policy_version"], [b.policy_version for _, b in named])
        yield array_of(self._text, [_written(b.refused) for _, b in named])


def positions_of(batch: Batch) -> Sequence[int]:
    """Each record's place in its request, from 0."""
    return range(len(batch.records)) if batch.positions is None else batch.positions


def _row_numbers_of(batch: Batch) -> Iterable[int | None]:
    return [None] * len(batch.records) if batch.row_numbers is None else batch.row_numbers


def _written(refused: Any) -> str | None:
    return None if refused is None else json.dumps(encoded_json(refused))


def _answers(batches: Sequence[Batch], result: PGresult) -> Iterator[Stored | None]:
    """What is stored of each request, from the rows ``(place, id, created_at)`` of all."""
    found: dict[int, int] = {}
    for row in range(result.ntuples):
        place, number = result.get_value(row, 0), result.get_value(row, 1)
        found[integer_of(place or b"")] = integer_of(number or b"")
    now = moment_of(result.get_value(0, 2) or b"") if found else None
    first = 1
    for batch in batches:
        following = first + len(batch.records)
        if now is None or first not in found:
            yield None
        else:
            yield Stored(
                replayed=False,
                created_at=now,
                ids=[found[place] for place in range(first, following)],
                positions=list(positions_of(batch)),
                records=list(batch.records),
                probabilities=list(batch.probabilities),
                decisions=list(batch.decisions),
                model_version=batch.model_version,
                policy_version=batch.policy_version,
                refused=batch.refused,
            )
        first = following


_NUMBER = sql.SQL("nextval((SELECT pg_get_serial_sequence({table}, 'id'))::regclass)")

_UNNAMED = sql.SQL("""
WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS now),
kept AS MATERIALIZED (SELECT {number} AS id, given.* FROM {given}),
stored AS (
    INSERT INTO {table} (created_at, id, {columns}) OVERRIDING SYSTEM VALUE
    SELECT now, id, {values} FROM kept, moment
)
SELECT place, id, now FROM kept, moment
""")

# A key that is known is registered no second time, and its rows find no request to belong to.
_NAMED = sql.SQL("""
WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS now),
registered AS (
    INSERT INTO {requests} (created_at, {of_keys}, refused)
    SELECT now, {keys}, refused::jsonb FROM {named}, moment
    ON CONFLICT DO NOTHING RETURNING id, key
),
ordered AS (
    SELECT registered.id AS request, given.* FROM {given}
    LEFT JOIN registered ON registered.key = given.name
    WHERE given.name IS NULL OR registered.id IS NOT NULL
    ORDER BY place
),
kept AS MATERIALIZED (SELECT {number} AS id, ordered.* FROM ordered),
stored AS (
    INSERT INTO {table} (created_at, id, request_id, {columns}) OVERRIDING SYSTEM VALUE
    SELECT now, id, request, {values} FROM kept, moment
)
SELECT place, id, now FROM kept, moment
""")


def _unnamed(predictions: Table, of_rows: Mapping[str, Type]) -> str:
    """The statement that stores rows of requests without keys."""
    return _UNNAMED.format(
        table=sql.Identifier(predictions.name),
        number=_NUMBER.format(table=sql.Literal(predictions.name)),
        given=_unnested("given", of_rows.values(), first=1, further=["place"], numbered=True),
        columns=_listed(of_rows),
        values=_listed(_aliases(len(of_rows))),
    ).as_string()


def _named(tables: Tables, of_rows: Mapping[str, Type], of_keys: Mapping[str, Type]) -> str:
    """The statement that also registers the keys that some of the requests bear."""
    text_ = text()
    following = len(of_rows) + 2
    return _NAMED.format(
        requests=sql.Identifier(tables.requests.name),
        table=sql.Identifier(tables.predictions.name),
        number=_NUMBER.format(table=sql.Literal(tables.predictions.name)),
        of_keys=_listed(of_keys),
        keys=_listed(_aliases(len(of_keys))),
        named=_unnested("named", [*of_keys.values(), text_], first=following, further=["refused"]),
        given=_unnested(
            "given", [*of_rows.values(), text_], first=1, further=["name", "place"], numbered=True
        ),
        columns=_listed(of_rows),
        values=_listed(_aliases(len(of_rows))),
    ).as_string()


def _unnested(
    name: str, types: Iterable[Type], *, first: int, further: Sequence[str], numbered: bool = False
) -> sql.Composable:
    """Array parameters as a table: columns ``c0``, ``c1`` … and, at its end, ``further`` ones.

    A contract may name its columns as it likes; here none of its names is used.
    """
    arrays = [f"${number}::{kind.name}[]" for number, kind in enumerate(types, start=first)]
    plain = len(arrays) - len(further) + (1 if numbered else 0)
    return sql.SQL("unnest({arrays}){numbered} AS {name}({columns})").format(
        arrays=sql.SQL(", ").join(map(_sql, arrays)),
        numbered=sql.SQL(" WITH ORDINALITY") if numbered else sql.SQL(""),
        name=sql.Identifier(name),
        columns=_listed([*_aliases(plain), *further]),
    )


def _sql(words: str) -> sql.SQL:
    """Words of SQL that hold nothing but our own types and numbers."""
    return sql.SQL(words)


def _aliases(count: int) -> list[str]:
    return [f"c{number}" for number in range(count)]


def _listed(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
