"""Read a CSV file of any size as a series of sheets, in memory that has a bound.

The sheets tile the file, and are what one sheet of the whole file would be, whatever the pieces in
which it is read. What is read is hashed; nobody has to trust that a file stays as it is.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from jobchurn.contract import Contract
from jobchurn.files.cut import Sheet, first_sheet, refused_sheet, sheet_of
from jobchurn.files.folders import open_regular
from jobchurn.files.header import Header, header_of, refusal_of_bytes
from jobchurn.files.layout import content_of
from jobchurn.files.noticed import Noticed
from jobchurn.files.scan import MAX_RECORD_BYTES, Records, scan
from jobchurn.files.structure import refusal
from jobchurn.verdict import Reason, StructureRule

PIECE = 2 * 1024 * 1024
"""How many bytes are read at once: few enough for the processor's cache, which is what counts."""

_RECORDS = 65_536
"""For how many records a block is meant, as far as those before it tell: each may be bad, and what
is said of it takes a hundred times the memory of its two bytes."""

_FIRST = 128 * 1024
"""How many bytes are read at first, while nothing is known of how long records are."""

_SAMPLE = 8192
"""So many first bytes have to be known before a file can be refused for them."""

_AHEAD = 4


class Blocks:
    """A file's bytes, block by block, hashed beside the reading.

    Attributes:
        size: how many bytes have been read.
        is_over: whether none are left.
    """

    def __init__(self, file: IO[bytes], size: int = PIECE) -> None:
        self._file = file
        self._largest = size
        self._block = min(size, _FIRST)
        self._digest = hashlib.sha256()
        self._hashing = ThreadPoolExecutor(1, "hash")
        self._hashed: deque[Future[None]] = deque()
        self.size = 0
        self._next = file.read(self._block)

    @property
    def is_over(self) -> bool:
        """Whether none are left."""
        return not self._next

    def more(self, at_least: int = 0) -> bytes:
        """The next bytes; none where the file is over.

        Args:
            at_least: how many are wanted, where the file has them.
        """
        found = [self._taken()]
        while sum(map(len, found)) < at_least and not self.is_over:
            found.append(self._taken())
        return found[0] if len(found) == 1 else b"".join(found)

    def fit(self, size: int, records: int) -> None:
        """Let the next blocks be for :data:`_RECORDS`.

        Args:
            size: how many bytes the latest records have.
            records: how many there are.
        """
        self._block = min(self._largest, max(_FIRST, size * _RECORDS // max(records, 1)))

    def _taken(self) -> bytes:
        block = self._next
        self._next = self._file.read(self._block) if block else b""
        self.size += len(block)
        self._hashed.append(self._hashing.submit(self._digest.update, block))
        if len(self._hashed) > _AHEAD:
            self._hashed.popleft().result()
        return block

    def sha256(self) -> str:
        """The hash of all that was read, in hexadecimal."""
        for future in self._hashed:
            future.result()
        self._hashed.clear()
        return self._digest.hexdigest()

    def close(self) -> None:
        """End the thread that hashes."""
        self._hashing.shutdown(cancel_futures=True)


@contextmanager
def blocks_of(path: Path, size: int = PIECE) -> Iterator[Blocks]:
    """A regular file's blocks.

    Raises:
        OSError: it cannot be read.
        DataUnusable: it is no regular file.
    """
    with open_regular(path) as file:
        blocks = Blocks(file, size)
        try:
            yield blocks
        finally:
            blocks.close()


class Reading:
    """A CSV file while it is read; iterate over it, once, for its sheets.

    There is at least one; the first has the header, or is the refusal of the file.

    Attributes:
        rows: the records so far.
        noticed: what was noticed so far.
    """

    def __init__(self, blocks: Blocks, contract: Contract) -> None:
        self._blocks = blocks
        self._contract = contract
        self._header: Header | None = None
        self._head = b""
        self._offset = 0
        self.rows = 0
        self.noticed = Noticed()

    @property
    def size(self) -> int:
        """How many bytes were read."""
        return self._blocks.size

    @property
    def sha256(self) -> str:
        """The hash of the bytes that were read: of the file, once there are no more sheets."""
        return self._blocks.sha256()

    def __iter__(self) -> Iterator[Sheet]:
        rest = b""
        sample = self._blocks.more(_SAMPLE)
        data = sample
        while True:
            if self._header is None:
                sheet, rest = self._first(data, sample)
            else:
                sheet, rest = self._following(data, self._header)
            if sheet is not None:
                self.rows += sheet.rows
                self._blocks.fit(len(sheet.data), sheet.rows)
                yield sheet
                if sheet.refusal is not None:
                    self._drain()
                    return
            if self._blocks.is_over and not rest:
                return
            # By doubling, so that a long record is not read anew for each block of it.
            data = rest + self._blocks.more(len(rest))

    def _drain(self) -> None:
        while not self._blocks.is_over:
            self._blocks.more()

    def _first(self, data: bytes, sample: bytes) -> tuple[Sheet | None, bytes]:
        """The sheet with the header, and what is left for the next."""
        is_last = self._blocks.is_over
        if refused := refusal_of_bytes(sample):
            return refused_sheet(data, refused), b""
        is_first = not self._offset
        records = scan(data, is_first=is_first, is_last=is_last)
        if len(records) == 0 and not is_last:
            if len(data) < MAX_RECORD_BYTES:
                return None, data
            if records.stop == 0:
                return refused_sheet(data, self._refusal_of_endless(data, sample)), b""
            self.noticed.look_at(data, records)
            self._offset += records.stop
            return None, data[records.stop :]
        self.noticed.look_at(data, records)
        sheet, self._header = first_sheet(data, records, self._contract, sample, self.noticed)
        if self._header is not None:
            self._head = content_of(data, records, 0)
        return self._passed(dataclasses.replace(sheet, offset=self._offset), data, records)

    def _refusal_of_endless(self, data: bytes, sample: bytes) -> Reason:
        found = header_of(data, None, self._contract, sample)
        if isinstance(found, Reason):
            return found
        return refusal(
            StructureRule.TOO_MANY_COLUMNS,
            data,
            f"The first line is longer than {MAX_RECORD_BYTES:,} bytes, and no header.",
        )

    def _following(self, data: bytes, header: Header) -> tuple[Sheet | None, bytes]:
        is_last = self._blocks.is_over
        records = scan(data, is_first=False, is_last=is_last)
        if records.stop == 0 and not is_last:
            if len(data) <= MAX_RECORD_BYTES:
                return None, data
            return self._overlong(data, header)
        self.noticed.look_at(data, records)
        return self._passed(self._sheet(data, records, header), data, records)

    def _sheet(self, data: bytes, records: Records, header: Header) -> Sheet:
        return sheet_of(
            data,
            records,
            header,
            self._head,
            noticed=self.noticed,
            first_row=self.rows + 1,
            offset=self._offset,
        )

    def _passed(self, sheet: Sheet, data: bytes, records: Records) -> tuple[Sheet, bytes]:
        self._offset += records.stop
        return sheet, data[records.stop :]

    def _overlong(self, data: bytes, header: Header) -> tuple[Sheet, bytes]:
        """A record that is longer than any may be: its end is looked for, and not kept."""
        size, line_end, rest = len(data), b"\r" if data.endswith(b"\r") else b"", b""
        while not line_end and not self._blocks.is_over:
            block = self._blocks.more()
            places = [place for place in map(block.find, (b"\n", b"\r")) if place >= 0]
            stop = min(places) + 1 if places else len(block)
            line_end = block[stop - 1 : stop] if places else b""
            size, rest = size + stop, block[stop:]
        rest = rest or self._blocks.more()
        if line_end == b"\r" and rest.startswith(b"\n"):
            size, line_end, rest = size + 1, b"\r\n", rest[1:]
        self.noticed.look_at_end(line_end)
        start, end = np.array([0], np.int64), np.array([len(data)], np.int64)
        sheet = self._sheet(data, Records(start, end, (), {}, 0, len(data)), header)
        sheet = dataclasses.replace(sheet, starts=np.append(start, size))
        self._offset += size
        return sheet, rest


@contextmanager
def reading(path: Path, contract: Contract, piece: int = PIECE) -> Iterator[Reading]:
    """A CSV file, to be read sheet by sheet.

    Raises:
        OSError: it cannot be read.
        DataUnusable: it is no regular file.
    """
    with blocks_of(path, piece) as blocks:
        yield Reading(blocks, contract)
