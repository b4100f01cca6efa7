"""Rows of a CSV file as canonical records: the one place where a file's text becomes values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jobchurn import files
from jobchurn.contract import Contract, Value, Violation, shown
from jobchurn.errors import DataUnusable
from jobchurn.verdict import Reason

Record = dict[str, Value]


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


def read_rows(path: Path, contract: Contract) -> Rows:
    """Read a CSV file by the contract, value by value.

    This is for files that are scored or learnt from; arriving ones are judged by ``quality``, which
    agrees with it (``tests/one_truth``).

    Raises:
        DataUnusable: the file cannot be read, or lacks a required column.
    """
    try:
        sheet = files.cut(path, contract)
    except OSError as error:
        raise DataUnusable(
            f"{path} cannot be read: {error.strerror}.", "Give the path of a CSV file."
        ) from error
    if sheet.refusal is not None:
        raise DataUnusable(f"{path.name} cannot be read: {sheet.refusal.message}")
    if sheet.missing:
        raise DataUnusable(
            f"{path.name} lacks the required column {', '.join(sheet.missing)}.",
            "Add it, with a value in every row.",
        )
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
