"""Objects: records as the text of JSON objects, each distinct value written once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from numpy.typing import NDArray

from jobchurn.columnar.pieces import Pieces, interleaved, joined
from jobchurn.columnar.series import Numbers, Series, few

Dump = Callable[[Any], bytes]
"""What writes a value, or an array of numbers as a list of them, as JSON."""

_FEW = 1_024
"""Up to how many distinct numbers of a column are written once each."""


_Part: TypeAlias = Pieces | Numbers
"""A column of texts, or of numbers that are written one by one."""


class Objects:
    """Records as JSON objects.

    Args:
        columns: which members each object has, in order; at least one.
        dump: writes values, and a list with ``comma`` between its items.
        colon, comma: what parts a name from its value, and a member from the next.
    """

    def __init__(
        self,
        columns: Mapping[str, Series],
        dump: Dump,
        *,
        colon: bytes = b":",
        comma: bytes = b",",
    ) -> None:
        self._dump, self._comma = dump, comma
        self._parts: list[_Part] = []
        texts: list[Pieces] = []
        before = b"{"
        for name, series in columns.items():
            before += json.dumps(name).encode() + colon
            coded = few(series.array, _FEW) if isinstance(series, Numbers) else series
            if coded is not None:
                texts.append(Pieces.of([before + dump(v) for v in coded.values], coded.codes))
            elif isinstance(series, Numbers):
                texts.append(Pieces.same(before, len(series)))
                self._parts += [*joined(texts), series]
                texts = []
            before = comma
        texts.append(Pieces.same(b"}" + comma, len(series)))
        self._parts += joined(texts)

    def of(self, rows: slice) -> bytes:
        """The objects of some of the rows, parted by commas."""
        columns = [
            numbers(part.array[rows], self._dump, self._comma)
            if isinstance(part, Numbers)
            else part.written(rows)
            for part in self._parts
        ]
        return interleaved(columns)[: -len(self._comma)]


def numbers(
    array: NDArray[Any], dump: Dump, comma: bytes = b",", *, before: bytes = b"", after: bytes = b""
) -> list[bytes]:
    """The text of each number, between two others.

    Args:
        array: the numbers.
        dump: writes a list of them, with ``comma`` between its items.
        comma: see there.
        before: what stands before each; no line ends in it.
        after: what stands after each, likewise.
    """
    text = dump(array.tolist())[1:-1]
    if not before and not after:
        return text.split(comma)
    return (before + text.replace(comma, after + b"\n" + before) + after).split(b"\n")
