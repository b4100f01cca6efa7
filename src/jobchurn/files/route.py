"""Route: a cut file's records go to good or bad, byte for byte as they came."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator
from itertools import groupby
from pathlib import Path

from jobchurn.files.atomic import pieces, write_atomically
from jobchurn.files.cut import Sheet


def route(
    sheet: Sheet,
    bad: Container[int],
    good: Path | None,
    bad_path: Path | None,
    staging: Path | None = None,
) -> None:
    """Write the header and the good records to one file, the header and the bad ones to another.

    Each record goes to exactly one of them, in the order of the file, its bytes untouched. Written
    one after the other, each atomically: to repeat it does no harm.

    Args:
        sheet: the cut file.
        bad: the rows that are bad, from 1.
        good: where good records belong; ``None`` where there are none.
        bad_path: where bad records belong; ``None`` where there are none.
        staging: where files lie until they are whole; see :func:`~jobchurn.files.write_atomically`.

    Raises:
        ValueError: a record would go nowhere, or the file is refused as a whole.
        OSError: a file cannot be written.
    """
    if sheet.refusal is not None:
        raise ValueError("a refused file has no records to route")
    rows = range(1, sheet.rows + 1)
    for place, is_bad in ((good, False), (bad_path, True)):
        if place is None and any((row in bad) is is_bad for row in rows):
            raise ValueError(f"{'bad' if is_bad else 'good'} records have nowhere to go")
    for place, is_bad in ((good, False), (bad_path, True)):
        if place is not None:
            write_atomically(place, _pieces(sheet, bad, is_bad), staging)


def refuse(source: Path, sha256: str, bad_path: Path, staging: Path | None = None) -> bool:
    """Write a whole file to bad, byte for byte, without looking at what it holds.

    Args:
        source: the file.
        sha256: the hash of what is to be written, in hexadecimal.
        bad_path: where it belongs.
        staging: as for :func:`route`.

    Returns:
        Whether it is written; it is not where the file's content is another by now.

    Raises:
        OSError: a file cannot be read or written.
    """

    def checked() -> Iterator[bytes]:
        digest = hashlib.sha256()
        for piece in pieces(source):
            digest.update(piece)
            yield piece
        if digest.hexdigest() != sha256:
            raise _Changed

    try:
        write_atomically(bad_path, checked(), staging)
    except _Changed:
        return False
    return True


class _Changed(Exception):
    """The file is no longer what was to be written."""


def _pieces(sheet: Sheet, bad: Container[int], wanted: bool) -> Iterator[bytes]:
    """The header, then each run of neighbouring records in one piece."""
    yield sheet.head
    for is_bad, run in groupby(range(1, sheet.rows + 1), key=lambda row: row in bad):
        if is_bad is wanted:
            rows = list(run)
            yield sheet.data[sheet.starts[rows[0] - 1] : sheet.starts[rows[-1]]]
