"""How often numbers of 64 bits recur, in memory that has a bound.

Half a million are held; of more, sorted runs lie in a temporary file that has no name and goes with
the process. At the end they are merged, one range of numbers after the other.
"""

from __future__ import annotations

import heapq
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]

HELD = 500_000
"""How many are held at once."""

FIRST = 10
"""The most places that are told."""

_BYTES = 8
_NOWHERE = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Recurring:
    """What occurs more than once.

    Attributes:
        distinct: how many different numbers there are.
        values: how many of them occur more than once.
        occurrences: how often these occur together.
        first: the places of the first of those occurrences, in order, at most :data:`FIRST`.
    """

    distinct: int
    values: int
    occurrences: int
    first: tuple[int, ...] = ()


class Repeats:
    """Numbers, each with its place, and which of them recur."""

    def __init__(self, folder: Path | None = None, held: int = HELD, *, places: bool) -> None:
        """Begin with none.

        Args:
            folder: where temporary files lie.
            held: how many are held in memory.
            places: whether it is asked where they recur.
        """
        self._folder = folder
        self._limit = held
        self._keeps_places = places
        self._held: list[tuple[NDArray[np.int64], Keys]] = []
        self._count = 0
        self._runs: list[int] = []
        self._sorted: IO[bytes] | None = None
        self._arrived: IO[bytes] | None = None

    def add(self, keys: Keys, places: NDArray[np.int64]) -> None:
        """Take more numbers, and where they occur, from the lowest place to the highest.

        Where nobody asks where they recur, there need not be places.
        """
        # Ids lie close together: scrambled, so many of them fall into one range as into another.
        self._held.append((places, scrambled(keys)))
        self._count += len(keys)
        if self._count >= self._limit:
            self._spill()

    def close(self) -> None:
        """Give the temporary files back."""
        for file in (self._sorted, self._arrived):
            if file is not None:
                file.close()

    @property
    def total(self) -> int:
        """How many were taken."""
        return sum(self._runs) + self._count

    def recurring(self) -> Recurring:
        """What occurs more than once, of all that was taken.

        Raises:
            OSError: a temporary file cannot be read.
        """
        distinct = values = occurrences = 0
        first: list[int] = []
        for keys in self._ranges():
            keys.sort()
            starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
            counts = np.diff(starts, append=len(keys))
            again = counts > 1
            distinct += len(starts)
            values += int(again.sum())
            occurrences += int(counts[again].sum())
            if self._keeps_places and again.any():
                found = self._first_of(keys[starts[again]], first)
                first = heapq.nsmallest(FIRST, [*first, *found])
        return Recurring(distinct, values, occurrences, tuple(first))

    def _ranges(self) -> Iterator[Keys]:
        """All numbers, those of one range after those of another."""
        held = np.concatenate([keys for _, keys in self._held] or [np.zeros(0, np.uint64)])
        if not self._runs:
            yield held
            return
        held.sort()
        bounds = [(part << 64) // (len(self._runs) + 1) for part in range(1, len(self._runs) + 1)]
        starts = [0] * (len(self._runs) + 1)
        for bound in [*bounds, None]:
            pieces, stops = [], []
            for number, size in enumerate(self._runs):
                stop = size if bound is None else self._place(number, bound)
                pieces.append(self._read(number, starts[number], stop))
                stops.append(stop)
            last = len(held) if bound is None else int(np.searchsorted(held, np.uint64(bound)))
            pieces.append(held[starts[-1] : last])
            starts = [*stops, last]
            yield np.concatenate(pieces)

    def _place(self, number: int, bound: int) -> int:
        """How many of a sorted run are below a bound."""
        low, high = 0, self._runs[number]
        while low < high:
            middle = (low + high) // 2
            if int(self._read(number, middle, middle + 1)[0]) < bound:
                low = middle + 1
            else:
                high = middle
        return low

    def _read(self, number: int, start: int, stop: int) -> Keys:
        """Some of a sorted run; read, as pages of a map would count as this process's memory."""
        first = sum(self._runs[:number]) + start
        descriptor = self._sorted.fileno() if self._sorted else -1
        found = os.pread(descriptor, (stop - start) * _BYTES, first * _BYTES)
        return np.frombuffer(found, np.uint64)

    def _first_of(self, recurring: Keys, known: list[int]) -> list[int]:
        """The first places of numbers that recur, below those that are known."""
        found: list[int] = []
        for places, keys in self._in_order():
            if len(known) == FIRST and len(places) and places[0] > known[-1]:
                break
            near = np.minimum(np.searchsorted(recurring, keys), len(recurring) - 1)
            found += places[np.flatnonzero(recurring[near] == keys)[:FIRST]].tolist()
            if len(found) >= FIRST:
                break
        return found[:FIRST]

    def _in_order(self) -> Iterator[tuple[NDArray[np.int64], Keys]]:
        """Everything as it came."""
        if self._arrived is not None:
            self._arrived.seek(0)
            for size in self._runs:
                places = np.frombuffer(self._arrived.read(size * _BYTES), np.int64)
                yield places, np.frombuffer(self._arrived.read(size * _BYTES), np.uint64)
        yield from self._held

    def _spill(self) -> None:
        places, keys = (np.concatenate(parts) for parts in zip(*self._held, strict=True))
        if self._keeps_places:
            self._arrived = self._arrived or _nameless(self._folder)
            self._arrived.write(places.tobytes() + keys.tobytes())
        keys.sort()
        self._sorted = self._sorted or _nameless(self._folder)
        self._sorted.write(keys.tobytes())
        self._sorted.flush()
        self._runs.append(len(keys))
        self._held, self._count = [], 0


class Rows:
    """How many rows are the same as another, by the number that each has for all its bytes.

    Rows that are the same have the same id. So where no id occurs twice only rows without one are
    compared; the numbers of all others are put down as they come, and sorted only if one does.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Begin with none; temporary files lie in the folder."""
        self._folder = folder
        self._without = Repeats(folder, places=False)
        self._with = _nameless(folder)

    def add(self, keys: Keys, has_id: NDArray[np.bool_]) -> None:
        """Take the numbers of more rows, and which of them have an id."""
        self._with.write(keys[has_id].tobytes())
        self._without.add(keys[~has_id], _NOWHERE)

    def repeated(self, *, ids_recur: bool) -> int:
        """How many are the same as another, the first of each kind left out.

        Args:
            ids_recur: whether an id occurs more than once.

        Raises:
            OSError: a temporary file cannot be read.
        """
        return _again(self._without) + (self._again_with() if ids_recur else 0)

    def _again_with(self) -> int:
        """How many of those with an id are the same as another of them."""
        self._with.seek(0)
        with closing(Repeats(self._folder, places=False)) as repeats:
            while found := self._with.read(HELD * _BYTES):
                repeats.add(np.frombuffer(found, np.uint64), _NOWHERE)
            return _again(repeats)

    def close(self) -> None:
        """Give the temporary files back."""
        self._without.close()
        self._with.close()


def _nameless(folder: Path | None) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=folder)  # closed by `close`


def _again(repeats: Repeats) -> int:
    return repeats.total - repeats.recurring().distinct


def scrambled(values: Keys) -> Keys:
    """Each number as another one of which every bit depends on all of its own.

    Source: the finaliser of SplitMix64 (G. Steele et al., 2014).
    """
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
