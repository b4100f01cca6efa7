"""What is noticed about a file's bytes and accepted, summed over its sheets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from jobchurn.files.scan import Records


@dataclass
class Noticed:
    """What was noticed so far.

    Attributes:
        of_header: notes about the header.
        has_mark: the file begins with a byte order mark.
        blank_lines: how many lines hold nothing but spaces and tabs.
        line_ends: kind of line end → how many records end with it; of nothing where one has none.
        is_ended: whether the last line has a line end.
    """

    of_header: tuple[str, ...] = ()
    has_mark: bool = False
    blank_lines: int = 0
    line_ends: Counter[str] = field(default_factory=Counter)
    is_ended: bool = True

    def look_at(self, data: bytes, records: Records) -> None:
        """Learn of the next bytes, and the records in them, of which the header is one."""
        self.blank_lines += records.blank_lines
        self.line_ends.update(_line_ends(data, records))
        if records.stop:
            self.is_ended = data[records.stop - 1 : records.stop] in (b"\n", b"\r")

    def look_at_end(self, line_end: bytes) -> None:
        """Learn of a record by its line end alone, which it may lack."""
        kind = {b"\r\n": "CR LF", b"\n": "LF", b"\r": "CR"}.get(line_end)
        if kind:
            self.line_ends[kind] += 1
        self.is_ended = bool(line_end)

    def notes(self, *, repeats: int) -> tuple[str, ...]:
        """All of it in words.

        Args:
            repeats: how many rows are byte for byte the same as another.
        """
        return (*self.of_header, *self._noted(repeats))

    def _noted(self, repeats: int) -> Iterator[str]:
        if self.has_mark:
            yield "The file begins with a byte order mark."
        if self.blank_lines:
            yield f"{_counted(self.blank_lines, 'blank line')}, counted as no row."
        kinds = {kind: self.line_ends[kind] for kind in ("CR LF", "LF", "CR")}
        found = {kind: count for kind, count in kinds.items() if count}
        if found.keys() - {"LF"}:
            yield f"Lines end with {', '.join(f'{kind} ({n:,})' for kind, n in found.items())}."
        if not self.is_ended:
            yield "The last line has no line end: the file may have been cut off."
        if repeats:
            yield f"Byte for byte the same as another: {_counted(repeats, 'row')}."


def _line_ends(data: bytes, records: Records) -> dict[str, int]:
    octets = np.frombuffer(data, np.uint8)
    last, before = octets[records.ends - 1], octets[np.maximum(records.ends - 2, 0)]
    line_feed, both = last == ord("\n"), (last == ord("\n")) & (before == ord("\r"))
    return {
        "CR LF": int(both.sum()),
        "LF": int((line_feed & ~both).sum()),
        "CR": int((last == ord("\r")).sum()),
    }


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
