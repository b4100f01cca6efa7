"""Rows of a CSV file as canonical records: the one place where a file's text becomes values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jobchurn import files
from jobchurn.coded import NUMBER
from jobchurn.coded import Coded as Cells
from jobchurn.columnar import Coded, Judged, Numbers, Records, Series, judged, judged_texts
from jobchurn.contract import Column, Contract, Value, Violation, shown
from jobchurn.errors import DataUnusable
from jobchurn.verdict import Reason

Record = dict[str, Value]

LEARNT_FROM = 4_000
"""Of how many rows the texts are gathered first, where there are many."""


@dataclass(frozen=True)
class Rows:
    """A file's rows.

    Attributes:
        sheet: the file, cut into records.
        records: row number → canonical record, for every row that the contract admits.
        refused: row number → why it is refused; every other row.
    """

    sheet: files.Sheet
    records: dict[int, Record]
    refused: dict[int, tuple[Reason, ...]]


@dataclass(frozen=True)
class Admitted:
    """The rows of a file that the contract admits.

    Attributes:
        sheet: the file, cut into records.
        records: the canonical records, by columns.
        rows: each one's row number.
    """

    sheet: files.Sheet
    records: Records
    rows: NDArray[np.int64]


def read_admitted(path: Path, contract: Contract) -> Admitted:
    """Read a CSV file by the contract, column by column, and leave out what it refuses.

    Raises:
        DataUnusable: the file cannot be read, or lacks a required column.
    """
    sheet = readable_sheet(path, contract)
    refused = np.zeros(sheet.rows, bool)
    refused[np.fromiter(sheet.faults, int, len(sheet.faults)) - 1] = True
    found = judged_columns(sheet, contract)
    columns: dict[str, Series] = {}
    for name in contract.by_name:
        if name not in found:
            columns[name] = Coded([None], np.zeros(sheet.rows, np.int32))
            continue
        columns[name] = found[name].series
        if (bad := found[name].refused) is not None:
            refused |= bad
    records = Records(columns, sheet.rows).taken(~refused).compact()
    return Admitted(sheet, records, np.flatnonzero(~refused) + 1)


def judged_columns(sheet: files.Sheet, contract: Contract) -> dict[str, Judged]:
    """The columns of a sheet that the contract knows, each distinct cell judged once.

    Where a row's structure is bad its cells count as blank.
    """
    coder = files.Coder(contract)
    if sheet.rows > 2 * LEARNT_FROM:
        # What it has met in the first rows it finds in all others without looking at each.
        coder.coded(files.cut_bytes(sheet.data[: sheet.starts[LEARNT_FROM]], contract))
    cells, _ = coder.coded(sheet)
    return {name: _judged(contract[name], column) for name, column in cells.items()}


def _judged(column: Column, cells: Cells) -> Judged:
    if column.is_numeric and len(cells.numbers) == len(cells.codes):
        return judged(column, Numbers(cells.numbers))
    texts = [*cells.texts, ""]
    codes = np.where(cells.codes < 0, len(cells.texts), cells.codes).astype(np.int32)
    if len(cells.numbers):
        numbers, places = np.unique(cells.numbers, return_inverse=True)
        codes[cells.codes == NUMBER] = places + len(texts)
        texts += map(str, numbers.tolist())
    return judged_texts(column, Coded(texts, codes))


def read_rows(path: Path, contract: Contract) -> Rows:
    """Read a CSV file by the contract, value by value.

    This is for files that are scored or learnt from; arriving ones are judged by ``quality``, which
    agrees with it (``tests/one_truth``).

    Raises:
        DataUnusable: the file cannot be read, or lacks a required column.
    """
    sheet = readable_sheet(path, contract)
    records: dict[int, Record] = {}
    refused: dict[int, tuple[Reason, ...]] = {}
    names = list(sheet.columns)
    for row, cells in enumerate(zip(*sheet.columns.values(), strict=True), start=1):
        if row in sheet.faults:
            refused[row] = (sheet.faults[row],)
            continue
        record: Record = {}
        reasons: list[Reason] = []
        for name, text in zip(names, cells, strict=True):
            try:
                record[name] = contract[name].read(text)
            except Violation as broken:
                reasons.append(
                    Reason(row, name, broken.rule, shown(text), str(broken), broken.repair)
                )
        if reasons:
            refused[row] = tuple(reasons)
        else:
            records[row] = record
    return Rows(sheet, records, refused)


def readable_sheet(path: Path, contract: Contract) -> files.Sheet:
    """A CSV file cut into records, for whoever needs it whole and sound.

    Raises:
        DataUnusable: it cannot be read, or lacks a required column.
    """
    try:
        sheet = files.cut(path, contract)
    except OSError as error:
        raise DataUnusable(
            f"{path} cannot be read: {error.strerror}.", "Give the path of a CSV file."
        ) from error
    if sheet.refusal is not None:
        raise DataUnusable(
            f"{path.name} cannot be read: {sheet.refusal.message}",
            "Give a CSV file in UTF-8 whose header has the contract's names, parted by commas.",
        )
    if sheet.missing:
        raise DataUnusable(
            f"{path.name} lacks the required column {', '.join(sheet.missing)}.",
            "Add it, with a value in every row.",
        )
    return sheet
