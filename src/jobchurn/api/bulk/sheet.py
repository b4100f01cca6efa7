"""Records that came as CSV, read as files are: a header, and one record a line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from jobchurn.api.body import refuse_values
from jobchurn.api.bulk.columns import refuse_columns
from jobchurn.api.bulk.submission import Described, Submission
from jobchurn.api.envelope import most_values_of, refuse_many
from jobchurn.api.faults import Fault, broken_rule, echoed, sentence
from jobchurn.api.schema import asked
from jobchurn.contract import Contract, Violation
from jobchurn.errors import InvalidRequest
from jobchurn.files import Sheet, cut_bytes, scan
from jobchurn.flow.rows import judged_columns
from jobchurn.verdict import Reason


def submitted(body: bytes, contract: Contract, most_records: int) -> Submission:
    """The records of a CSV text, judged by columns.

    Raises:
        InvalidRequest: it cannot be read, or has other columns than the contract.
        TooLarge: there are more records, or more values, than are taken at once.
    """
    most_values = most_values_of(most_records)
    refuse_values(body, most_values, (b",", b"\n", b"\r"))
    refuse_values(body, 2 * most_values, (b'"',))  # a value may stand between two
    contract = replace(contract, columns=asked(contract))
    # Before they are looked into: what is wrong with a record takes far more memory than it does.
    records = scan(body)
    refuse_many(len(records) - 1, most_records)
    sheet = cut_bytes(body, contract, records)
    if sheet.refusal is not None:
        message, _, cure = sheet.refusal.message.partition(". ")
        raise InvalidRequest(
            sentence(message.removesuffix(".")),
            cure or "Send a header with the names of columns, and below it one record a line.",
            {"errors": [_fault(sheet.refusal)]},
        )
    refuse_columns(sheet.header, contract)
    unfit = None
    if sheet.faults:
        unfit = np.zeros(sheet.rows, bool)
        unfit[np.fromiter(sheet.faults, int) - 1] = True

    def describe(place: int, brief: bool) -> Described:
        return _faults(sheet, contract, place, brief=brief), 0

    return Submission(
        count=sheet.rows,
        columns=judged_columns(sheet, contract),
        unfit=unfit,
        describe=describe,
    )


def _faults(sheet: Sheet, contract: Contract, place: int, *, brief: bool) -> list[Fault]:
    if (reason := sheet.faults.get(place + 1)) is not None:
        return [_fault(reason)]
    faults = []
    for name, texts in sheet.columns.items():
        try:
            contract[name].read(texts[place])
        except Violation as broken:
            faults.append(broken_rule(broken, brief=brief))
            if brief:
                break
    return faults


def _fault(reason: Reason) -> Fault:
    """What is wrong with the structure of a record, or of the whole text."""
    return {
        "field": reason.column,
        "value": echoed(reason.text),
        "rule": str(reason.rule),
        "allowed": None,
        "nearest": reason.repair,
        "message": reason.message,
    }
