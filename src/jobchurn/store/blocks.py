"""Blocks of rows in the form of PostgreSQL's binary COPY, written column by column.

Each row is the number of its fields, and each field its length and its bytes, -1 for NULL
(https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"). What is of one width in
all rows lies in one array, which is filled by columns and parted into rows; what is not is encoded
once for each distinct value, or combination of them. Joining a row's few pieces is all that is done
for each row.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Table

from jobchurn.columnar import Coded, Numbers, Pieces, Series, interleaved, joined

HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""What stands before the first block."""

TAIL = struct.pack("!h", -1)
"""What stands after the last one."""

_NULL = struct.pack("!i", -1)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

_FORMS = {sa.BigInteger: "q", sa.Integer: "i", sa.SmallInteger: "h", sa.Double: "d"}
"""SQLAlchemy's type of a number → struct's and numpy's: binary COPY casts nothing."""


class Blocks:
    """Writes rows of a table as blocks.

    Args:
        table: whose rows they are.
        same: column → the value that all rows have.
        series: column → its values.
        numbers: the columns whose numbers each block is given.
    """

    def __init__(
        self,
        table: Table,
        *,
        same: Mapping[str, object],
        series: Mapping[str, Series],
        numbers: Sequence[str],
    ) -> None:
        arrays = {name: s.array for name, s in series.items() if isinstance(s, Numbers)}
        self._arrays = arrays
        several = {name: s for name, s in series.items() if isinstance(s, Coded)}
        self._several = joined(
            Pieces.of(_elements(table, name, s.values), s.codes) for name, s in several.items()
        )
        self.columns = (*same, *numbers, *arrays, *several)
        """In what order a row's fields stand."""
        head = struct.pack("!h", len(self.columns))
        head += b"".join(_element(table, name, value) for name, value in same.items())
        self._head = np.void(head)
        # A length and a number for each column, told apart by a letter before the column's name.
        fields = [("head", f"V{len(head)}")]
        for name in (*numbers, *arrays):
            fields += [(f"l{name}", ">i4"), (f"n{name}", f">{_form(table, name)}")]
        self._form = np.dtype(fields)

    def block(self, rows: slice, numbers: Mapping[str, NDArray[Any]]) -> bytes:
        """Some of the rows.

        Args:
            rows: which.
            numbers: of each column that was said to come with a block, one number for each row.
        """
        arrays = dict(numbers) | {name: array[rows] for name, array in self._arrays.items()}
        count = rows.stop - rows.start
        fixed = np.empty(count, self._form)
        fixed["head"] = self._head
        for name, array in arrays.items():
            fixed[f"l{name}"] = self._form[f"n{name}"].itemsize
            fixed[f"n{name}"] = array
        columns = [fixed.view(f"V{self._form.itemsize}").tolist()]
        columns += [pieces.written(rows) for pieces in self._several]
        return interleaved(columns)


def _elements(table: Table, name: str, values: Sequence[object]) -> list[bytes]:
    write = _writer(table, name)
    return [_NULL if value is None else write(value) for value in values]


def _element(table: Table, name: str, value: object) -> bytes:
    return _NULL if value is None else _writer(table, name)(value)


def _writer(table: Table, name: str) -> Callable[[Any], bytes]:
    """What makes a field of a value: its length, and its bytes."""
    kind = table.columns[name].type
    if isinstance(kind, sa.Text):
        return _text
    if isinstance(kind, sa.DateTime):
        return _moment
    form = f"!i{_form(table, name)}"
    return partial(struct.Struct(form).pack, struct.calcsize(form) - 4)


def _form(table: Table, name: str) -> str:
    return _FORMS[type(table.columns[name].type)]


def _text(text: str) -> bytes:
    written = text.encode()
    return struct.pack("!i", len(written)) + written


def _moment(moment: datetime) -> bytes:
    """A ``timestamptz``: microseconds since 2000."""
    return struct.pack("!iq", 8, (moment - _EPOCH) // timedelta(microseconds=1))
