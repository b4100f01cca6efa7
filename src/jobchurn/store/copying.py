"""Bulk writing: rows go in through PostgreSQL's binary COPY."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from psycopg import sql
from sqlalchemy import Connection, Table

from jobchurn.store.engine import driver_of

_TYPES = {
    sa.BigInteger: "int8",
    sa.Integer: "int4",
    sa.SmallInteger: "int2",
    sa.Double: "float8",
    sa.Text: "text",
    sa.DateTime: "timestamptz",
}
"""SQLAlchemy's type → PostgreSQL's: binary COPY casts nothing, so each value needs its own."""


def copy_rows(connection: Connection, table: Table, columns: Mapping[str, Iterable[Any]]) -> None:
    """Write rows, given column by column, inside the connection's transaction.

    Args:
        connection: in a transaction.
        table: where.
        columns: column name → one value per row; all of one length.

    Raises:
        ValueError: the columns are of different lengths.
    """
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with driver_of(connection).cursor() as cursor, cursor.copy(command) as copy:
        copy.set_types([_TYPES[type(table.columns[name].type)] for name in columns])
        for row in zip(*columns.values(), strict=True):
            copy.write_row(row)
