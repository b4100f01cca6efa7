"""Records of a request: canonical where the contract admits them, else refused with reasons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from jobchurn.api.faults import (
    LISTED,
    Fault,
    broken_rule,
    no_object,
    scalar,
    sentence,
    unknown_name,
)
from jobchurn.api.schema import asked
from jobchurn.contract import Column, Contract, Role, Rule, Value, Violation
from jobchurn.errors import InvalidRecords
from jobchurn.flow.predict import Refusal

DESCRIBED = 1_000
"""After so many errors in one request, only the first of each further record is looked for."""

UNKNOWN_FIELDS = 20
"""How many fields a record may have beyond the contract's before the rest is only counted."""

_REMEMBERED = 4_096

Accept = Callable[[object], Value]


@dataclass(frozen=True)
class Reading:
    """What a request's records came to.

    Attributes:
        accepted: the canonical records, in order; every column is a key, absent ones are ``None``.
        refused: the others; record numbers count from 1 over all.
        errors: how many errors were found, listed or not.
    """

    accepted: list[dict[str, Value]]
    refused: list[Refusal]
    errors: int

    def raise_if_refused(self) -> None:
        """Refuse the whole request where any of its records is refused.

        Raises:
            InvalidRecords: it lists the first errors and counts the rest.
        """
        if not self.refused:
            return
        listed = [
            {"record": refusal["record"], **error}
            for refusal in self.refused[:LISTED]
            for error in refusal["errors"]
        ][:LISTED]
        raise InvalidRecords(
            f"{len(self.refused):,} of {len(self.accepted) + len(self.refused):,} records are "
            "refused, and with them the whole request. "
            f"Record {listed[0]['record']}: {sentence(listed[0]['message'])}",
            'Correct them, or send "partial": true to have the others taken.',
            {"errors": listed, "errors_not_listed": self.errors - len(listed)},
        )


class Reader:
    """Reads records by a contract.

    What each column admitted lately is remembered, since most values of a request are repeats.
    """

    def __init__(self, contract: Contract) -> None:
        columns = asked(contract)
        self._contract = contract
        self._accept = {column.name: _accept_of(column) for column in columns}
        self._required = {column.name: column for column in columns if column.required}
        self._blank: dict[str, Value] = dict.fromkeys(self._accept)

    def read(self, records: Sequence[object]) -> Reading:
        """Every record, accepted or refused."""
        accepted: list[dict[str, Value]] = []
        refused: list[Refusal] = []
        count = 0
        for number, record in enumerate(records, start=1):
            values, errors, uncounted = self._read(record)
            if not errors:
                accepted.append(values)
                continue
            if count >= DESCRIBED:
                del errors[1:]
            count += len(errors) + uncounted
            refused.append({"record": number, "errors": errors})
        return Reading(accepted, refused, count)

    def _read(self, record: object) -> tuple[dict[str, Value], list[Fault], int]:
        """A record's canonical values, its errors, and how many fields were not looked at."""
        values = self._blank.copy()
        if not isinstance(record, dict):
            return values, [no_object(record)], 0
        errors: list[Fault] = []
        accept = self._accept
        most = len(accept) + UNKNOWN_FIELDS
        for name, value in islice(record.items(), most):
            if name not in accept:
                errors.append(self._unknown(name, value))
                continue
            try:
                values[name] = accept[name](scalar(value))
            except Violation as broken:
                errors.append(broken_rule(broken))
        if not self._required.keys() <= record.keys():
            errors += [
                broken_rule(Violation(column, Rule.REQUIRED, None))
                for name, column in self._required.items()
                if name not in record
            ]
        return values, errors, max(0, len(record) - most)

    def _unknown(self, name: str, value: object) -> Fault:
        return unknown_name(
            name,
            value,
            known=self._contract.by_name,
            nearest=self._contract.nearest_name(name),
            of=f"a {self._contract.subject}",
        )


def _accept_of(column: Column) -> Accept:
    """:meth:`Column.accept`, remembering; the values of an id do not repeat."""
    if column.role is Role.ID:
        return column.accept
    return lru_cache(maxsize=_REMEMBERED, typed=True)(column.accept)
