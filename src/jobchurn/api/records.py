"""Records of a request: canonical where the contract admits them, else refused with reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Generic, TypeVar

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

Accepted_co = TypeVar("Accepted_co", bound=Sequence[Mapping[str, Value]], covariant=True)


@dataclass(frozen=True)
class Reading(Generic[Accepted_co]):
    """What a request's records came to.

    Attributes:
        accepted: the canonical records, in order; every column is a key, absent ones are ``None``.
        refused: the others; record numbers count from 1 over all.
        errors: how many errors were found, listed or not.
    """

    accepted: Accepted_co
    refused: list[Refusal]
    errors: int

    def raise_if_refused(self, partial: str = 'send "partial": true') -> None:
        """Refuse the whole request where any of its records is refused.

        Args:
            partial: how to have the others taken, in the imperative.

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
            f"Correct them, or {partial} to have the others taken.",
            {"errors": listed, "errors_not_listed": self.errors - len(listed)},
        )


class Refusals:
    """Gathers what is refused of a request.

    Attributes:
        refused: the refused records; after :data:`DESCRIBED` errors only the first of each.
        errors: how many errors there were, listed or not.
    """

    def __init__(self) -> None:
        self.refused: list[Refusal] = []
        self.errors = 0

    @property
    def are_many(self) -> bool:
        """Whether only the first error of each further record is looked for."""
        return self.errors >= DESCRIBED

    def add(self, number: int, errors: list[Fault], uncounted: int = 0) -> None:
        """Refuse a record.

        Args:
            number: its number in the request, from 1.
            errors: what is wrong with it; at least one.
            uncounted: how many more errors it may have.
        """
        if self.are_many:
            del errors[1:]
        self.errors += len(errors) + uncounted
        self.refused.append({"record": number, "errors": errors})


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

    def read(self, records: Sequence[object]) -> Reading[list[dict[str, Value]]]:
        """Every record, accepted or refused."""
        accepted: list[dict[str, Value]] = []
        refusals = Refusals()
        for number, record in enumerate(records, start=1):
            values, errors, uncounted = self._read(record, brief=refusals.are_many)
            if errors:
                refusals.add(number, errors, uncounted)
            else:
                accepted.append(values)
        return Reading(accepted, refusals.refused, refusals.errors)

    def faults(self, record: object, *, brief: bool = False) -> tuple[list[Fault], int]:
        """What is wrong with a record, and how many of its fields were not looked at.

        Args:
            record: which.
            brief: tell only the first thing, and guess nothing: to do so takes a while.
        """
        _, errors, uncounted = self._read(record, brief=brief)
        return errors, uncounted

    def accepted(self, record: object) -> dict[str, Value] | None:
        """A record's canonical values, as :meth:`read` gives them; ``None`` where it is refused."""
        if not isinstance(record, dict) or not self._required.keys() <= record.keys():
            return None
        values = self._blank.copy()
        accept = self._accept
        try:
            for name, value in record.items():
                values[name] = accept[name](value)
        except (Violation, KeyError, TypeError):
            # Of an unknown name, or of a list or an object, which cannot be looked up.
            return None
        return values

    def _read(self, record: object, *, brief: bool) -> tuple[dict[str, Value], list[Fault], int]:
        """A record's canonical values, its errors, and how many fields were not looked at."""
        values = self._blank.copy()
        if not isinstance(record, dict):
            return values, [no_object(record)], 0
        errors: list[Fault] = []
        accept = self._accept
        most = len(accept) + UNKNOWN_FIELDS
        for name, value in islice(record.items(), most):
            if brief and errors:
                break
            if name not in accept:
                errors.append(self._unknown(name, value, brief=brief))
                continue
            try:
                values[name] = accept[name](scalar(value))
            except Violation as broken:
                errors.append(broken_rule(broken, brief=brief))
        if not (brief and errors) and not self._required.keys() <= record.keys():
            errors += [
                broken_rule(Violation(column, Rule.REQUIRED, None))
                for name, column in self._required.items()
                if name not in record
            ]
        return values, errors, max(0, len(record) - most)

    def _unknown(self, name: str, value: object, *, brief: bool) -> Fault:
        return unknown_name(
            name,
            value,
            known=self._contract.by_name,
            nearest=None if brief else self._contract.nearest_name(name),
            of=f"a {self._contract.subject}",
        )


def _accept_of(column: Column) -> Accept:
    """:meth:`Column.accept`, remembering; the values of an id do not repeat."""
    if column.role is Role.ID:
        return column.accept
    return lru_cache(maxsize=_REMEMBERED, typed=True)(column.accept)
