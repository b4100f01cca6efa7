"""The columns that a table names: those of the contract, each once, and the required ones all."""

from __future__ import annotations

from collections.abc import Sequence

from jobchurn.api.faults import LISTED, Fault, broken_rule, sentence, unknown_name
from jobchurn.contract import Contract, Rule, Violation
from jobchurn.errors import InvalidRequest


def refuse_columns(names: Sequence[str], contract: Contract) -> None:
    """Refuse a table for the names of its columns.

    Args:
        names: as the table has them; none stands twice.
        contract: with the columns as a request is asked for them.

    Raises:
        InvalidRequest: a column is unknown, or a required one is not there.
    """
    unknown = [name for name in names if name not in contract.by_name]
    absent = [column for column in contract.required if column.name not in names]
    # Of millions only those are described that are told.
    faults: list[Fault] = [
        unknown_name(
            name,
            None,
            known=contract.by_name,
            nearest=contract.nearest_name(name[:200]),
            of=f"a {contract.subject}",
        )
        for name in unknown[:LISTED]
    ]
    faults += [broken_rule(Violation(column, Rule.REQUIRED, None)) for column in absent]
    if faults:
        raise InvalidRequest(
            sentence(faults[0]["message"]),
            f"Name the columns {', '.join(contract.by_name)}, or those of them that are known.",
            {
                "errors": faults[:LISTED],
                "errors_not_listed": max(0, len(unknown) + len(absent) - LISTED),
            },
        )
