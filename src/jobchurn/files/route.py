"""Route: a file's records go to good or bad, byte for byte as they came, in one reading."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from jobchurn.files.atomic import pieces, write_atomically, written_atomically
from jobchurn.files.reading import Blocks, blocks_of

Run = tuple[int, int]
"""Neighbouring records: the first byte, and the one after the last."""


@dataclass(frozen=True)
class Split:
    """Which bytes of a file are bad records.

    Attributes:
        sha256: the hash of the file of which this holds, in hexadecimal.
        head: where its first record begins, and the header ends.
        bad: the runs of bad records, in order; all other records are good.
    """

    sha256: str
    head: int
    bad: Iterable[Run]


def route(
    source: Path,
    split: Split,
    good: Path | None,
    bad: Path | None,
    staging: Path | None = None,
) -> bool:
    """Write the header and the good records to one file, the header and the bad ones to another.

    Each record goes to exactly one of them, in the order of the file, its bytes untouched. Each
    file is written atomically, the good one first: to repeat it does no harm.

    Args:
        source: the file.
        split: which of its records are bad.
        good: where good records belong; ``None`` where there are none.
        bad: where bad records belong; ``None`` where there are none.
        staging: where files lie until they are whole; see :func:`~jobchurn.files.write_atomically`.

    Returns:
        Whether they are written; they are not where the file's content is another by now.

    Raises:
        ValueError: a record would go nowhere.
        OSError: a file cannot be read or written.
    """
    try:
        with ExitStack() as written:
            # The last to be begun is the first to be whole.
            outs = [
                written.enter_context(written_atomically(place, staging)) if place else None
                for place in (bad, good)
            ]
            with blocks_of(source) as blocks:
                _write(blocks, split, bad=outs[0], good=outs[1])
                _check(blocks, split)
    except _Changed:
        return False
    return True


def _write(blocks: Blocks, split: Split, *, good: IO[bytes] | None, bad: IO[bytes] | None) -> None:
    places = {
        _Side.BOTH: [file for file in (good, bad) if file],
        _Side.GOOD: [good] if good else [],
        _Side.BAD: [bad] if bad else [],
    }
    stretches = _stretches(split)
    stop, side = next(stretches)
    offset = 0
    while not blocks.is_over:
        block = memoryview(blocks.more())
        place = 0
        while place < len(block):
            if offset + place >= stop:
                stop, side = next(stretches)
                continue
            piece = block[place : stop - offset]
            if not places[side] and side is not _Side.BOTH:
                raise ValueError(f"{side} records have nowhere to go")
            for file in places[side]:
                file.write(piece)
            place += len(piece)
        offset += len(block)


def _check(blocks: Blocks, split: Split) -> None:
    if blocks.sha256() != split.sha256:
        raise _Changed


class _Side(StrEnum):
    BOTH = "header"
    GOOD = "good"
    BAD = "bad"


def _stretches(split: Split) -> Iterator[tuple[int, _Side]]:
    """The byte after each stretch of a file, and where the stretch goes."""
    yield split.head, _Side.BOTH
    at = split.head
    for start, stop in split.bad:
        if start > at:
            yield start, _Side.GOOD
        yield stop, _Side.BAD
        at = stop
    yield sys.maxsize, _Side.GOOD


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
