"""Exports: rows as the lines of a CSV file, written by the server and handed on as they come.

The server's COPY spells the cells, a hundred times as fast as a loop over rows here could. What it
spells otherwise than our files do is put right in the query: see :func:`shown_cells`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine

from jobchurn.contract import FORMULA_STARTS, NUMBER_PATTERN, Contract
from jobchurn.store.engine import STATEMENT_SECONDS, driver_of, transaction

_LONGEST_SECONDS = 6 * 3600
"""How long an export may take, whoever reads it: for as long it holds rows that are removed."""

_BLOCK_BYTES = 1024 * 1024
"""How much is handed on at once, at least: each time is a wait, on a busy machine."""

_MOMENT = 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'
_FIXED = 1e15
"""Numbers from here on are written with an exponent by the server, and later by Python."""

Cells = list[sa.ColumnElement[Any]]


def exported_names(contract: Contract) -> list[str]:
    """The columns of an export, in order."""
    inputs = [column.name for column in contract.inputs]
    return ["id", "created_at", "source", "model_version", *inputs, "prediction", "probability"]


def shown_cells(predictions: sa.Table, contract: Contract) -> Cells:
    """The columns of an export as people's programs read them.

    A moment is written as ISO 8601 has it, a number as Python's ``repr`` (up to 10^15), nothing for
    a blank and for an empty text, and an apostrophe before what a spreadsheet would take for a
    formula, as :func:`jobchurn.files.without_formula` puts it.
    """
    inputs = {column.name for column in contract.inputs}
    return [
        _shown(column, outside=column.name in inputs) for column in _exported(predictions, contract)
    ]


def typed_cells(predictions: sa.Table, contract: Contract) -> Cells:
    """The columns of an export as programs of ours read them: as the server writes each type."""
    return _exported(predictions, contract)


def copied(
    engine: Engine, wanted: sa.Select[Any], block_bytes: int = _BLOCK_BYTES
) -> Generator[bytes, None, None]:
    """The lines that a query answers, as CSV without a header: whole lines, in blocks.

    All are from one snapshot. Holds a connection until it is exhausted or closed; nothing of the
    answer is kept here but the block that is gathered.

    Args:
        engine: where.
        wanted: the query.
        block_bytes: how large each block is, at least, but the last.
    """
    compiled = wanted.compile(engine, compile_kwargs={"render_postcompile": True})
    command = f"COPY ({compiled}) TO STDOUT (FORMAT csv, ENCODING 'UTF8')"
    lines: list[Any] = []
    size = 0
    # However long the whole may take, the next line comes at once.
    bounds = {"seconds": _LONGEST_SECONDS, "part_seconds": STATEMENT_SECONDS}
    with transaction(engine, **bounds) as connection:
        cursor = driver_of(connection).cursor()
        with cursor, cursor.copy(command.encode(), compiled.params) as copy:
            for some in copy:
                lines.append(some)
                size += len(some)
                if size >= block_bytes:
                    yield b"".join(lines)
                    lines.clear()
                    size = 0
        if lines:
            yield b"".join(lines)


def _exported(predictions: sa.Table, contract: Contract) -> Cells:
    return [predictions.c[name] for name in exported_names(contract)]


def _shown(column: sa.ColumnElement[Any], *, outside: bool) -> sa.ColumnElement[Any]:
    """A cell of a column, whose texts may come from outside."""
    if isinstance(column.type, sa.DateTime):
        written = sa.func.to_char(sa.func.timezone("UTC", column), _MOMENT)
        return sa.func.replace(written, ".000000+", "+")
    if isinstance(column.type, sa.Double):
        text = sa.cast(column, sa.Text)
        is_whole = (column == sa.func.trunc(column)) & (sa.func.abs(column) < _FIXED)
        return sa.case((is_whole, text + ".0"), else_=text)
    if outside and isinstance(column.type, sa.Text):
        return _without_formula(column)
    return column


def _without_formula(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """One look at the first character, 0 of an empty text, spares most cells anything else."""
    suspicious = sa.func.ascii(column).in_([0, *_codes(FORMULA_STARTS)])
    looked_at = sa.case(
        (column == "", sa.null()),
        (column.regexp_match(f"^({NUMBER_PATTERN})$"), column),
        else_=sa.literal("'") + column,
    )
    return sa.case((suspicious, looked_at), else_=column)


def _codes(characters: str) -> Iterable[int]:
    return map(ord, characters)
