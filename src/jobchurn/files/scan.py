r"""Where records begin and end: a CSV file's bytes, scanned for offsets and nothing else.

The grammar is RFC 4180's, with any line end (``\n``, ``\r\n``, a lone ``\r``, mixed): a quote
opens a quoted cell only where a cell begins, a doubled quote inside it stands for one, and line
ends inside it belong to the record. Where the grammar is broken (text after a closing quote, a
quote inside an unquoted cell, a quote that is never closed) nothing is guessed: the record ends
with the line in which the grammar broke, it is bad, and the next line is read afresh. So one stray
quote costs one record, not the rest of the file.

A record's bytes reach to the next record's first byte: blank lines after it belong to it, blank
lines before the header to the header. The pieces tile the file, whatever it holds.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchurn.verdict import StructureRule

BOM = b"\xef\xbb\xbf"
"""UTF-8's byte order mark, which may stand before the header."""

MAX_COLUMNS = 1000
"""The most columns of a file; a record with quotes is read up to as many cells."""

MAX_RECORD_BYTES = 16 * 1024 * 1024
"""The most bytes of a record. A quote that is not closed within as many counts as never closed."""

Offsets = NDArray[np.int64]

_LF, _CR, _SPACE, _TAB, _COMMA, _QUOTE = b'\n\r \t,"'

# Possessive, so that neither time nor memory grows with what is inside the quotes.
QUOTED = rb'"[^"]*+(?:""[^"]*+)*+"'
_CELL = rb"(?:" + QUOTED + rb'(?=[,\r\n]|\Z)|[^",\r\n]*+)'
_RECORD = re.compile(_CELL + rb"(?:," + _CELL + rb"){0,%d}" % (MAX_COLUMNS - 1))
_QUOTED = re.compile(QUOTED)
_QUOTED_ON_ITS_LINE = re.compile(rb'"[^"\r\n]*+(?:""[^"\r\n]*+)*+"')


@dataclass(frozen=True)
class Records:
    """Where a file's records lie, the header counted as the first.

    Attributes:
        starts: of each record, its first byte.
        ends: of each record, the byte after its own line end (blank lines may follow).
        quoted: the records that hold a quote.
        broken: the record → the rule of quotes (or of cells) that it breaks.
        blank_lines: how many lines hold nothing but spaces and tabs.
        stop: the byte after all that is told of: what follows is decided by bytes still to come.
    """

    starts: Offsets
    ends: Offsets
    quoted: tuple[int, ...]
    broken: dict[int, StructureRule]
    blank_lines: int
    stop: int

    def __len__(self) -> int:
        return len(self.starts)

    def at(self, offsets: Offsets) -> list[int]:
        """The records that hold the bytes at ``offsets``, each once, in order.

        What follows the records is no part of the last one.
        """
        return _holding(self.starts, offsets[: np.searchsorted(offsets, self.stop)])

    def without_first(self) -> Records:
        """All but the first."""
        return Records(
            starts=self.starts[1:],
            ends=self.ends[1:],
            quoted=tuple(place - 1 for place in self.quoted if place),
            broken={place - 1: rule for place, rule in self.broken.items() if place},
            blank_lines=self.blank_lines,
            stop=self.stop,
        )


def scan(data: bytes, *, is_first: bool = True, is_last: bool = True) -> Records:
    """Find the records of a file's bytes, in time and memory linear in their number.

    Args:
        data: the bytes, from the beginning of a line on.
        is_first: whether they are the file's first, which may begin with a byte order mark.
        is_last: whether nothing follows them. Else the records that more bytes could change are
            left out; see :attr:`Records.stop`.
    """
    origin = len(BOM) if is_first and data.startswith(BOM) else 0
    octets = np.frombuffer(data, np.uint8)
    line_ends = _line_ends(data, octets, origin, is_last=is_last)
    line_starts = np.concatenate(([origin], line_ends[:-1])) if len(line_ends) else line_ends
    is_start = np.ones(len(line_ends), bool)
    ends = line_ends.copy()
    quoted_lines: list[int] = []
    broken_lines: dict[int, StructureRule] = {}
    if b'"' in data:
        quotes = np.flatnonzero(octets == _QUOTE)
        lines = _holding(line_starts, quotes[: np.searchsorted(quotes, _stop(line_ends, origin))])
        for first, last, rule in _read_quoted(data, lines, origin, line_ends.tolist(), is_last):
            if last is None:  # what this record is, is not decided yet
                is_start, line_starts = is_start[:first], line_starts[:first]
                ends, line_ends = ends[:first], line_ends[:first]
                break
            is_start[first + 1 : last + 1] = False
            ends[first] = line_ends[last]
            quoted_lines.append(first)
            if rule is not None:
                broken_lines[first] = rule
    blank = _blank(data, octets, line_starts, line_ends) & is_start
    is_start &= ~blank
    number = np.cumsum(is_start) - 1
    return Records(
        starts=line_starts[is_start],
        ends=ends[is_start],
        quoted=tuple(number[quoted_lines].tolist()) if quoted_lines else (),
        broken={int(number[line]): rule for line, rule in broken_lines.items()},
        blank_lines=int(blank.sum()),
        stop=_stop(line_ends, origin),
    )


def _stop(line_ends: Offsets, origin: int) -> int:
    return int(line_ends[-1]) if len(line_ends) else origin


def _holding(starts: Offsets, offsets: Offsets) -> list[int]:
    """Of the pieces that begin at ``starts``, those that hold a byte at one of ``offsets``."""
    before = np.searchsorted(offsets, starts)
    held: list[int] = np.flatnonzero(np.diff(before, append=len(offsets))).tolist()
    return held


def _line_ends(data: bytes, octets: NDArray[np.uint8], origin: int, *, is_last: bool) -> Offsets:
    """Of each line, the byte after its end; a last one without is a line where nothing follows."""
    last = octets == _LF
    if b"\r" in data:
        lone = octets == _CR
        lone[:-1] &= octets[1:] != _LF
        last |= lone
    ends = np.flatnonzero(last) + 1
    if not is_last:
        # A line feed may follow a carriage return, and belong to it.
        return ends[:-1] if len(ends) and data.endswith(b"\r") else ends
    if len(data) > origin and not data.endswith((b"\n", b"\r")):
        ends = np.append(ends, len(data))
    return ends


def _read_quoted(
    data: bytes, lines: list[int], origin: int, ends: list[int], is_last: bool
) -> Iterator[tuple[int, int | None, StructureRule | None]]:
    """Read the records that hold quotes: first line, last line, and the rule that is broken.

    Linear: a quoted cell that is not closed properly is read to the next odd run of quotes, and no
    two such readings overlap. Where the last line depends on bytes that are still to come, it is
    ``None``, and nothing comes after it.
    """
    resume = 0
    for line in lines:
        if line < resume:
            continue
        start = ends[line - 1] if line else origin
        reach = min(start + MAX_RECORD_BYTES, len(data))
        stop = _RECORD.match(data, start, reach).end()  # type: ignore[union-attr]
        if not is_last and _is_undecided(data, stop, reach, ends[-1]):
            yield line, None, None
            return
        last = line if stop < ends[line] else min(bisect_right(ends, stop, line), len(ends) - 1)
        resume = last + 1
        yield line, last, _broken_rule(data, stop)


def _is_undecided(data: bytes, stop: int, reach: int, lines_end: int) -> bool:
    """Whether bytes after ``data`` could change where a record ends whose reading has stopped."""
    if stop >= lines_end:
        return True
    if reach < len(data) or not _opens_a_cell(data, stop):
        return False
    run = _QUOTED.match(data, stop)
    return run is None or run.end() == len(data)


def _opens_a_cell(data: bytes, place: int) -> bool:
    """Whether a quote is where a cell begins."""
    before = data[max(place - len(BOM), 0) : place]
    return data[place] == _QUOTE and (before in (b"", BOM) or before[-1] in (_COMMA, _LF, _CR))


def _broken_rule(data: bytes, stop: int) -> StructureRule | None:
    """What is wrong where reading a record stopped; nothing at a line end."""
    if data[stop : stop + 1] in (b"", b"\n", b"\r"):
        return None
    if data[stop] == _COMMA:
        return StructureRule.TOO_MANY_CELLS
    if data[stop] != _QUOTE:  # it was read no further
        return StructureRule.CELL_SIZE
    if _opens_a_cell(data, stop) and not _QUOTED_ON_ITS_LINE.match(data, stop):
        return StructureRule.UNCLOSED_QUOTE
    return StructureRule.STRAY_QUOTE


def _blank(
    data: bytes, octets: NDArray[np.uint8], starts: Offsets, ends: Offsets
) -> NDArray[np.bool_]:
    """Which lines hold nothing but spaces and tabs."""
    first = octets[starts]
    blank: NDArray[np.bool_] = (first == _LF) | (first == _CR)
    for line in np.flatnonzero((first == _SPACE) | (first == _TAB)).tolist():
        blank[line] = not data[starts[line] : ends[line]].strip(b" \t\r\n")
    return blank
