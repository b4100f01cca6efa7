"""Redact: records leave a cut file, every other byte stays as it is."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Container, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from jobchurn.files.cut import Sheet


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Be the only one who rewrites or removes what lies in a folder already, until the block ends.

    Waits for whoever holds it. The kernel lets go for a process that dies.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def emptied(sheet: Sheet, rows: Container[int]) -> Iterator[bytes]:
    """The file's bytes, nothing but blank cells in these rows.

    A row keeps its place and its line end, so that the numbers of all others stay theirs, whatever
    was wrong with it.
    """
    yield sheet.head
    for is_theirs, run in _runs(sheet, rows):
        if is_theirs:
            yield from (_blank(sheet.record(row), len(sheet.header)) for row in run)
        else:
            yield _between(sheet, run)


def dropped(sheet: Sheet, rows: Container[int]) -> Iterator[bytes]:
    """The file's bytes without these rows."""
    yield sheet.head
    for is_theirs, run in _runs(sheet, rows):
        if not is_theirs:
            yield _between(sheet, run)


def _runs(sheet: Sheet, rows: Container[int]) -> Iterator[tuple[bool, list[int]]]:
    """Each run of neighbouring rows that are, or are not, among ``rows``."""
    for is_theirs, run in groupby(range(1, sheet.rows + 1), key=lambda row: row in rows):
        yield is_theirs, list(run)


def _between(sheet: Sheet, run: list[int]) -> bytes:
    return sheet.data[sheet.starts[run[0] - 1] : sheet.starts[run[-1]]]


def _blank(record: bytes, width: int) -> bytes:
    """As many blank cells as the header has, and the record's line end with the blank lines."""
    after = record[len(record.rstrip(b" \t\r\n")) :].lstrip(b" \t")
    # A single one has to be quoted: a blank line would be no record.
    return (b"," * (width - 1) or b'""') + after
