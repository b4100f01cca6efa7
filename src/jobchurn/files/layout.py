"""Where the cells of records lie: offsets of commas and line ends, no cell looked at by itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from jobchurn.files.scan import Offsets, Records

_LF, _CR, _COMMA = b"\n\r,"


@dataclass(frozen=True, eq=False)
class Layout:
    """A run of records, and the commas in them.

    Attributes:
        data: the bytes that hold them.
        records: where they lie.
        width: how many cells the header has.
    """

    data: bytes
    records: Records
    width: int

    @cached_property
    def octets(self) -> NDArray[np.uint8]:
        """The bytes as numbers."""
        return np.frombuffer(self.data, np.uint8)

    @cached_property
    def commas(self) -> Offsets:
        """Every comma from the first record on, those inside quotes too."""
        first = int(self.records.starts[0]) if len(self.records) else len(self.data)
        stop = max(self.records.stop, first)
        return np.flatnonzero(self.octets[first:stop] == _COMMA) + first

    @cached_property
    def fits(self) -> bool:
        """Whether every record has as many cells as the header, and none holds a quote."""
        parting = self.width - 1
        if self.records.quoted or len(self.commas) != parting * len(self.records):
            return False
        if not parting:
            return True
        # As many commas as there should be, and those of each record between its two ends.
        after = bool((self.commas[::parting] >= self.records.starts).all())
        return after and bool((self.commas[parting - 1 :: parting] < self.records.ends).all())

    @cached_property
    def counts(self) -> Offsets:
        """Of each record, its commas and one."""
        before = np.searchsorted(self.commas, self.records.starts)
        return np.diff(before, append=len(self.commas)) + 1

    @cached_property
    def stops(self) -> Offsets:
        """Of each record, the byte after its content: its own line end left out."""
        ends, octets = self.records.ends, self.octets
        last = octets[ends - 1]
        stops: Offsets = ends - ((last == _LF) | (last == _CR))
        if b"\r" in self.data:
            stops -= (last == _LF) & (octets[np.maximum(ends - 2, 0)] == _CR)
        return stops

    def of_length(self, length: int) -> list[int]:
        """The places of the records whose content has so many bytes."""
        found: list[int] = np.flatnonzero(self.stops - self.records.starts == length).tolist()
        return found

    def plain(self, faults: Collection[int]) -> Plain:
        """Where the cells lie of the records that are sound and hold no quote."""
        if self.fits and not faults:
            return Plain(self, None, self.commas)
        left_out = np.zeros(len(self.records), bool)
        left_out[[*self.records.quoted, *faults]] = True
        commas = self.commas[~np.repeat(left_out, self.counts - 1)]
        return Plain(self, np.flatnonzero(~left_out), commas)


@dataclass(frozen=True, eq=False)
class Plain:
    """Where the cells lie of records without quotes that have as many cells as the header.

    Attributes:
        layout: all records.
        places: which of them these are; ``None`` for all.
        commas: theirs alone, so many for each.
    """

    layout: Layout
    places: Offsets | None
    commas: Offsets

    def column(self, number: int) -> tuple[Offsets, Offsets]:
        """Where the cells of a column begin, and the byte after each."""
        parting = self.layout.width - 1
        starts = (
            self.commas[number - 1 :: parting] + 1
            if number
            else self._of_these(self.layout.records.starts)
        )
        stops = (
            self.commas[number::parting] if number < parting else self._of_these(self.layout.stops)
        )
        return starts, stops

    def _of_these(self, offsets: Offsets) -> Offsets:
        return offsets if self.places is None else offsets[self.places]


def content_of(data: bytes, records: Records, place: int) -> bytes:
    """A record's bytes without its line end."""
    return data[records.starts[place] : records.ends[place]].rstrip(b"\r\n")
