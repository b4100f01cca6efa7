"""The cells of one record: found, replaced or taken out, every other byte left as it is.

A record here follows the grammar of ``scan``. Its bytes may end with its line end and blank lines,
and a header's may begin with a byte order mark and blank lines.
"""

from __future__ import annotations

import re

from jobchurn.files.scan import QUOTED

_LEAD = re.compile(rb"(?:\xef\xbb\xbf)?(?:[ \t]*+(?:\r\n|\r|\n))*")
# In a header blanks may stand around the quotes; elsewhere the grammar has refused them.
_CELL = re.compile(rb"[ \t]*+" + QUOTED + rb'[ \t]*+(?=[,\r\n]|\Z)|[^",\r\n]*+')


def spans(record: bytes) -> list[tuple[int, int]] | None:
    """Where each cell lies, its quotes included; ``None`` where the grammar is broken."""
    position = _end(_LEAD, record, 0)
    found = [(position, _end(_CELL, record, position))]
    while record.startswith(b",", stop := found[-1][1]):
        found.append((stop + 1, _end(_CELL, record, stop + 1)))
    return found if record[stop : stop + 1] in (b"", b"\r", b"\n") else None


def spliced(record: bytes, index: int, text: str) -> bytes:
    """The record with another text in one cell, quoted where it was or has to be."""
    places = _spans(record)
    start, stop = places[index]
    octets = text.encode()
    alone_and_blank = len(places) == 1 and not text  # unquoted, it would be a blank line
    if record[start:stop].lstrip(b" \t").startswith(b'"') or alone_and_blank or _needs(octets):
        octets = b'"' + octets.replace(b'"', b'""') + b'"'
    return record[:start] + octets + record[stop:]


def without(record: bytes, index: int) -> bytes:
    """The record with one cell taken out, and the comma that parted it from its neighbour."""
    start, stop = _spans(record)[index]
    if index:
        return record[: start - 1] + record[stop:]
    return record[:start] + record[stop:].removeprefix(b",")


def _spans(record: bytes) -> list[tuple[int, int]]:
    found = spans(record)
    if found is None:
        raise ValueError("a record whose quotes break the grammar has no cells")
    return found


def _needs(text: bytes) -> bool:
    """Whether a cell's text cannot do without quotes."""
    return any(octet in text for octet in (b",", b'"', b"\r", b"\n"))


def _end(pattern: re.Pattern[bytes], record: bytes, position: int) -> int:
    """Where a pattern that fits anywhere stops."""
    match = pattern.match(record, position)
    return match.end() if match else position
