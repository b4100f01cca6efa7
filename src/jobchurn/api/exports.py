"""Many stored predictions at once: streamed as CSV or Parquet, in bounded memory."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import closing
from importlib import import_module
from typing import Any

from anyio import CancelScope, to_thread
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from jobchurn.contract import Contract, Kind
from jobchurn.errors import NotInstalled, Overloaded
from jobchurn.store.exports import exported_names

MOST = 4
"""How many exports run at once: each holds a database connection until its client has all."""

Lines = Generator[bytes, None, None]
"""Whole lines of stored predictions, in blocks; an open transaction stands behind them until they
are exhausted or closed."""

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
        self._ahead: asyncio.Task[bytes | None] | None = None
        super().__init__(
            self._all(),
            media_type=media_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    async def _all(self) -> AsyncIterator[bytes]:
        chunk: bytes | None = self._first
        while chunk is not None:
            # The next one is made while this one is sent.
            self._ahead = asyncio.create_task(to_thread.run_sync(next, self._chunks, None))
            yield chunk
            chunk = await asyncio.shield(self._ahead)  # whoever leaves does not end the making

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                if self._ahead is not None:  # what is being made cannot be closed
                    await asyncio.gather(self._ahead, return_exceptions=True)
                await to_thread.run_sync(self._chunks.close)
            self._at_end()


def as_csv(lines: Lines, contract: Contract) -> Chunks:
    """A CSV file with one header line.

    Args:
        lines: as :meth:`jobchurn.store.Predictions.csv` gives them.
        contract: whose columns they have.
    """
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(exported_names(contract))
    with closing(lines):
        # Together with the first lines: what fails before them is answered as a failure.
        yield header.getvalue().encode() + next(lines, b"")
        yield from lines


def as_parquet(lines: Lines, contract: Contract) -> Chunks:
    """A Parquet file, one group of rows for each block of lines.

    Args:
        lines: as :meth:`jobchurn.store.Predictions.typed_csv` gives them.
        contract: whose columns they have.

    Raises:
        NotInstalled: the library pyarrow is absent.
    """
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
        read_csv = import_module("pyarrow.csv")
    except ImportError:
        lines.close()
        raise NotInstalled(
            "Parquet needs the library pyarrow, which is not installed here.",
            "Ask for format=csv, or install it beside the API: pip install 'jobchurn[arrow]'.",
        ) from None
    types = {Kind.INTEGER: arrow.int64(), Kind.NUMBER: arrow.float64()}
    of_inputs = {c.name: types.get(c.kind, arrow.string()) for c in contract.inputs}
    of_ours = {
        "id": arrow.int64(),
        "created_at": arrow.timestamp("us", tz="UTC"),
        "prediction": arrow.int8(),
        "probability": arrow.float64(),
    }
    names = exported_names(contract)
    schema = arrow.schema(
        [(name, of_inputs.get(name) or of_ours.get(name, arrow.string())) for name in names]
    )
    as_written = {
        "parse_options": read_csv.ParseOptions(newlines_in_values=True),
        "convert_options": read_csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    }
    sink = _Sink()
    with closing(lines), parquet.ParquetWriter(sink, schema) as writer:
        for block in lines:
            # One thread, and one block: the machine has others to serve.
            reading = read_csv.ReadOptions(
                column_names=names, use_threads=False, block_size=len(block)
            )
            writer.write_table(
                read_csv.read_csv(io.BytesIO(block), read_options=reading, **as_written)
            )
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
