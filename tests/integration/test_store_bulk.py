"""Blocks of rows are what the driver's COPY writes, row for row."""

from datetime import UTC, datetime

import numpy as np
import psycopg
import pytest
import sqlalchemy as sa

from jobchurn.columnar import Coded, Numbers
from jobchurn.store.blocks import HEAD, TAIL, Blocks
from jobchurn.store.engine import engine_of

KINDS = {
    "big": sa.BigInteger,
    "middle": sa.Integer,
    "small": sa.SmallInteger,
    "real": sa.Double,
    "words": sa.Text,
    "moment": lambda: sa.DateTime(timezone=True),
}
TABLE = sa.Table("t", sa.MetaData(), *(sa.Column(name, kind()) for name, kind in KINDS.items()))


@pytest.fixture
def connection(empty_database):
    TABLE.create(engine_of(empty_database))
    with psycopg.connect(empty_database) as connection:
        yield connection


def copied(connection, blocks, pieces):
    command = f"COPY t ({', '.join(blocks.columns)}) FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        for written in (HEAD, *pieces, TAIL):
            copy.write(written)
    return connection.execute(f"SELECT {', '.join(KINDS)} FROM t").fetchall()


MOMENT = datetime(1999, 12, 31, 23, 59, 59, 999_999, UTC)


def test_every_type_and_null_arrive_as_they_were(connection):
    codes = np.array([0, 1, 2, 1], np.int32)
    blocks = Blocks(
        TABLE,
        same={"moment": MOMENT},
        series={
            "words": Coded(["", "é\U0001f600", None], codes),
            "middle": Coded([-(2**31), None, 2**31 - 1], codes),
            "real": Coded([1e-300, -0.5, None], codes),
            "big": Numbers(np.array([-(2**63), 2**63 - 1, 0, 5])),
        },
        numbers=["small"],
    )
    small = np.array([-(2**15), 2**15 - 1, 0, 1])
    pieces = [blocks.block(rows, {"small": small[rows]}) for rows in (slice(0, 3), slice(3, 4))]
    assert copied(connection, blocks, pieces) == [
        (-(2**63), -(2**31), -(2**15), 1e-300, "", MOMENT),
        (2**63 - 1, None, 2**15 - 1, -0.5, "é\U0001f600", MOMENT),
        (0, 2**31 - 1, 0, None, None, MOMENT),
        (5, None, 1, -0.5, "é\U0001f600", MOMENT),
    ]


def test_columns_that_are_all_the_same_may_be_null(connection):
    blocks = Blocks(
        TABLE, same={"words": None, "big": 7, "real": None}, series={}, numbers=["middle"]
    )
    rows = slice(0, 2)
    assert copied(connection, blocks, [blocks.block(rows, {"middle": np.array([1, 2])})]) == [
        (7, 1, None, None, None, None),
        (7, 2, None, None, None, None),
    ]


def test_no_rows_are_a_block_too(connection):
    blocks = Blocks(TABLE, same={"big": 1}, series={}, numbers=["small"])
    assert copied(connection, blocks, [blocks.block(slice(0, 0), {"small": np.array([])})]) == []
