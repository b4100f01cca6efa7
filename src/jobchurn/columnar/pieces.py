"""Pieces: what rows are written of, each a look-up in a table of texts, then one join of all.

A join costs by its pieces, however short they are. So neighbouring columns whose values have few
combinations are written as one column of those combinations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from jobchurn.columnar.series import Codes

MOST_COMBINATIONS = 4_096
"""Of how many texts the table of joined columns may be made; writing one takes under 0.1 µs."""


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """A column's pieces.

    Attributes:
        texts: of the column's values.
        codes: of each row, the place of its text.
    """

    texts: NDArray[np.object_]
    codes: Codes

    @classmethod
    def of(cls, texts: Sequence[bytes], codes: Codes) -> Pieces:
        """Pieces whose texts are a list."""
        table = np.empty(len(texts), object)
        table[:] = texts
        return cls(table, codes)

    @classmethod
    def same(cls, text: bytes, count: int) -> Pieces:
        """One piece, the same in so many rows."""
        return cls.of([text], np.zeros(count, np.int32))

    def followed_by(self, other: Pieces) -> Pieces:
        """Each row's two pieces as one."""
        texts = np.add.outer(self.texts, other.texts).ravel()
        return Pieces(texts, self.codes * np.int32(len(other.texts)) + other.codes)

    def written(self, rows: slice) -> list[bytes]:
        """Some rows' pieces."""
        return cast("list[bytes]", self.texts[self.codes[rows]].tolist())


def joined(columns: Iterable[Pieces]) -> list[Pieces]:
    """The same pieces in fewer columns: neighbours are joined where that needs few texts."""
    found: list[Pieces] = []
    for column in columns:
        most = min(MOST_COMBINATIONS, len(column.codes))
        if found and len(found[-1].texts) * len(column.texts) <= most:
            found[-1] = found[-1].followed_by(column)
        else:
            found.append(column)
    return found


def interleaved(columns: Sequence[Sequence[bytes]]) -> bytes:
    """The first pieces of all columns, then the second ones, and so on, as one text."""
    width = len(columns)
    pieces = [b""] * (width * len(columns[0]))
    for place, column in enumerate(columns):
        pieces[place::width] = column
    return b"".join(pieces)
