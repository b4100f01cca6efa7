"""Values in PostgreSQL's binary form, column by column, as parameters of a statement.

The forms are those of the types' ``send`` and ``recv`` functions: numbers big-endian, text in
UTF-8, an array as its dimensions, its element type and then each element after its length.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

_HEADER = struct.Struct("!iiIii")
_NULL = struct.pack("!i", -1)
_REMEMBERED = 4_096
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

Values = Sequence[Any]


class Type(NamedTuple):
    """A type of values as the server knows it.

    Attributes:
        name: in SQL.
        oid: its number, see ``pg_type``.
        element: a value, not ``None``, after its length.
    """

    name: str
    oid: int
    element: Callable[[Any], bytes]


class _Texts(dict[str, bytes]):
    """Text → element; what is met again and again is encoded once."""

    def __missing__(self, text: str) -> bytes:
        written = text.encode()
        element = struct.pack("!i", len(written)) + written
        if len(self) < _REMEMBERED:
            self[text] = element
        return element


def _number(form: str) -> Callable[[Any], bytes]:
    number = struct.Struct(f"!i{form}")
    length, pack = struct.calcsize(f"!{form}"), number.pack
    return lambda value: pack(length, value)


def text() -> Type:
    """Texts, of which those that repeat are remembered."""
    return Type("text", 25, _Texts().__getitem__)


BIGINT = Type("int8", 20, _number("q"))
INTEGER = Type("int4", 23, _number("i"))
SMALLINT = Type("int2", 21, _number("h"))
DOUBLE = Type("float8", 701, _number("d"))


def type_of(column: sa.Column[Any]) -> Type:
    """The type of a table's column.

    Raises:
        TypeError: it is one that no statement here is given.
    """
    match column.type:
        case sa.BigInteger():
            return BIGINT
        case sa.SmallInteger():
            return SMALLINT
        case sa.Integer():
            return INTEGER
        case sa.Double():
            return DOUBLE
        case sa.Text():
            return text()
    raise TypeError(f"{column.name} is of a type that is not written here")


def array_of(kind: Type, values: Values) -> bytes:
    """An array of values; ``None`` is NULL."""
    element = kind.element
    if None in values:
        elements = [_NULL if value is None else element(value) for value in values]
    else:
        elements = list(map(element, values))
    return _HEADER.pack(1, 1, kind.oid, len(elements), 1) + b"".join(elements)


def nulls_of(kind: Type, count: int) -> bytes:
    """An array of so many NULLs."""
    return _HEADER.pack(1, 1, kind.oid, count, 1) + _NULL * count


def moment_of(binary: bytes) -> datetime:
    """A ``timestamptz``: microseconds since 2000, in UTC."""
    return _EPOCH + timedelta(microseconds=int.from_bytes(binary, "big", signed=True))


def integer_of(binary: bytes) -> int:
    """An integer of any width."""
    return int.from_bytes(binary, "big", signed=True)
