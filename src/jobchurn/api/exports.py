"""Many stored predictions at once: streamed as CSV or Parquet, in bounded memory."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import closing
from importlib import import_module
from itertools import islice
from typing import Any

from anyio import CancelScope, to_thread
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from jobchurn.contract import Contract, Kind, Value
from jobchurn.errors import NotInstalled, Overloaded
from jobchurn.files import without_formula
from jobchurn.store import Prediction

MOST = 4
"""How many exports run at once: each holds a database connection until its client has all."""

_CSV_ROWS = 1_000
_PARQUET_ROWS = 20_000

Rows = Generator[Prediction, None, None]
"""Stored predictions, in order; an open database cursor stands behind them until it is closed."""

Chunks = Generator[bytes, None, None]
"""The bytes of a file, in order, at least one chunk; closing it closes what stands behind it."""


class Exports:
    """Streams files to clients, a bounded number at once."""

    def __init__(self) -> None:
        self._free = MOST

    async def stream(self, chunks: Chunks, *, media_type: str, name: str) -> Response:
        """The answer that sends ``chunks`` as a file called ``name``.

        The first chunk is made before anything is answered, so that a failure up to there is
        answered as one; after it, a failure cuts the connection and the client sees a torn file.

        Raises:
            Overloaded: as many exports are under way as may be.
        """
        if not self._free:
            raise Overloaded(
                "Other exports are still under way.", "Ask again when one of them has ended."
            )
        self._free -= 1
        try:
            first = await to_thread.run_sync(next, chunks)
        except BaseException:
            self._release()
            raise
        return _Export(first, chunks, self._release, media_type=media_type, name=name)

    def _release(self) -> None:
        self._free += 1


class _Export(StreamingResponse):
    """Sends chunks, and whatever becomes of the client closes what stands behind them."""

    def __init__(
        self,
        first: bytes,
        chunks: Chunks,
        at_end: Callable[[], None],
        *,
        media_type: str,
        name: str,
    ) -> None:
        self._first = first
        self._chunks = chunks
        self._at_end = at_end
        super().__init__(
            self._all(),
            media_type=media_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    async def _all(self) -> AsyncIterator[bytes]:
        chunk: bytes | None = self._first
        while chunk is not None:
            yield chunk
            chunk = await to_thread.run_sync(next, self._chunks, None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(self._chunks.close)
            self._at_end()


def as_csv(rows: Rows, contract: Contract) -> Chunks:
    """A CSV file with one header line.

    A text that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    names = [column.name for column in contract.inputs]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "created_at", "source", "model_version", *names, *_DECIDED])
    for some in _in_chunks(rows, _CSV_ROWS):
        writer.writerows(
            [
                row.id,
                row.created_at.isoformat(),
                row.source,
                row.model_version,
                *(_cell(row.record.get(name)) for name in names),
                row.prediction,
                row.probability,
            ]
            for row in some
        )
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    if text.tell():
        yield text.getvalue().encode()


_DECIDED = ("prediction", "probability")


def _cell(value: Value) -> Value:
    return without_formula(value) if isinstance(value, str) else value


def as_parquet(rows: Rows, contract: Contract) -> Chunks:
    """A Parquet file, one group of rows after the other.

    Raises:
        NotInstalled: the library pyarrow is absent.
    """
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise NotInstalled(
            "Parquet needs the library pyarrow, which is not installed here.",
            "Ask for format=csv, or install pyarrow beside the API.",
        ) from None
    types = {Kind.INTEGER: arrow.int64(), Kind.NUMBER: arrow.float64()}
    schema = arrow.schema(
        [
            ("id", arrow.int64()),
            ("created_at", arrow.timestamp("us", tz="UTC")),
            ("source", arrow.string()),
            ("model_version", arrow.string()),
            *((c.name, types.get(c.kind, arrow.string())) for c in contract.inputs),
            ("prediction", arrow.int8()),
            ("probability", arrow.float64()),
        ]
    )
    sink = _Sink()
    with parquet.ParquetWriter(sink, schema) as writer:
        for some in _in_chunks(rows, _PARQUET_ROWS):
            flat = [
                {
                    **row.record,
                    "id": row.id,
                    "created_at": row.created_at,
                    "source": row.source,
                    "model_version": row.model_version,
                    "prediction": row.prediction,
                    "probability": row.probability,
                }
                for row in some
            ]
            writer.write_table(arrow.Table.from_pylist(flat, schema=schema))
            yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """A file that is written here and taken away there; it never holds more than one group."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._written += len(part)
        return len(part)

    def taken(self) -> bytes:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _in_chunks(rows: Rows, size: int) -> Iterator[list[Prediction]]:
    with closing(rows):
        while some := list(islice(rows, size)):
            yield some
