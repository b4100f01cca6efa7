"""Whose data are to be removed, and how they are recognised in what is kept."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from jobchurn.contract import Column, Contract, Value, Violation
from jobchurn.errors import InvalidRequest
from jobchurn.files import Sheet, StructureRule
from jobchurn.files.cells import spans


@dataclass(frozen=True)
class Person:
    """Somebody, by their id.

    Attributes:
        contract: says which column the id is.
        column: that column.
        text: the id, as it was asked for.
        value: the same as the database has it; ``None`` where the contract does not admit it, so
            that only files can hold it.
    """

    contract: Contract
    column: Column
    text: str
    value: Value

    @classmethod
    def of(cls, contract: Contract, text: str) -> Self:
        """The person of this id.

        Raises:
            InvalidRequest: it is blank, or the contract knows no ids.
        """
        text = text.strip()
        if contract.id is None:
            raise InvalidRequest("The contract has no id: nobody can be told from others.")
        if not text:
            raise InvalidRequest("The id is blank.", f"Give a {contract.id.name}.")
        try:
            value = contract.id.read(text)
        except Violation:
            value = None
        return cls(contract, contract.id, text, value)

    @cached_property
    def mentions(self) -> tuple[str, ...]:
        """What a text holds that mentions them: the id as it was asked for, and as it is written.

        Other ways to spell it are not looked for but where the id belongs.
        """
        return tuple(dict.fromkeys((self.text, self.column.write(self.value) or self.text)))

    def is_named_by(self, cell: str) -> bool:
        """Whether a cell of the id's column names the person, however it spells the id."""
        if cell.strip() == self.text:
            return True
        try:
            return self.value is not None and self.column.read(cell) == self.value
        except Violation:
            return False

    def is_likely_named_by(self, cell: str) -> bool:
        """Whether a damaged cell of the id's column likely meant the person."""
        try:
            self.column.read(cell)
        except Violation as broken:
            return broken.repair is not None and self.is_named_by(broken.repair)
        return False

    def is_mentioned_in(self, text: str | bytes) -> bool:
        """Whether a text holds the id as a word of its own: see :attr:`mentions`."""
        if isinstance(text, bytes):
            # Text of two bytes a character holds NULs where ours holds none.
            text = text.replace(b"\0", b"").decode(errors="replace")
        words = "|".join(map(re.escape, self.mentions))
        return re.search(rf"(?<!\w)(?:{words})(?!\w)", text) is not None

    def absent_from(self, refused: Any) -> Any:
        """What was refused of a request, without what it holds of the person."""
        if not isinstance(refused, list):
            return refused
        return [
            {**one, "errors": [_without_value(error) for error in one["errors"]]}
            if any(self._is_about(error) for error in one["errors"])
            else one
            for one in refused
        ]

    def _is_about(self, error: Mapping[str, Any]) -> bool:
        """Whether an error shows the id: under its own name, a misspelt one, or none at all."""
        others = self.contract.by_name.keys() - {self.column.name}
        shown = f"{error.get('value')}\n{error.get('message')}"
        return error.get("field") not in others and self.is_mentioned_in(shown)


def _without_value(error: Mapping[str, Any]) -> dict[str, Any]:
    removed = {"value": None, "nearest": None, "message": "removed on request"}
    return {**error, **{name: text for name, text in removed.items() if name in error}}


@dataclass(frozen=True)
class Trace:
    """What a file holds of a person.

    Attributes:
        rows: theirs.
        doubtful: rows that may be theirs, with why that cannot be told.
        unreadable: why nothing can be told of a file that may hold them; empty where it can.
    """

    rows: tuple[int, ...] = ()
    doubtful: Mapping[int, str] = field(default_factory=dict)
    unreadable: str = ""


def trace_in(sheet: Sheet, person: Person, *, run_together: bool = False) -> Trace:
    """Look for a person in a file that was cut.

    Args:
        sheet: the file.
        person: who.
        run_together: its broken records may have taken in lines of others.
    """
    if sheet.refusal is not None:
        return Trace(unreadable=_unreadable(sheet, person))
    name = person.column.name
    if name not in sheet.columns:
        return Trace()
    rows: list[int] = []
    doubtful: dict[int, str] = {}
    for row, cell in enumerate(sheet.columns[name], start=1):
        if run_together and _holds_lines(sheet.record(row)):
            if person.is_mentioned_in(sheet.record(row)):
                doubtful[row] = "broken quotes have run several records into one, theirs among them"
        elif row in sheet.faults:
            _look_at_broken(sheet, row, person, rows, doubtful)
        elif person.is_named_by(cell):
            rows.append(row)
        elif person.is_likely_named_by(cell):
            doubtful[row] = "the id is damaged, and was likely theirs"
    return Trace(tuple(rows), doubtful)


def _look_at_broken(
    sheet: Sheet, row: int, person: Person, rows: list[int], doubtful: dict[int, str]
) -> None:
    record = sheet.record(row)
    found = _cells(record)
    place = sheet.header.index(person.column.name)
    if place < len(found) and person.is_named_by(found[place]):
        rows.append(row)
    elif person.is_mentioned_in(record):
        doubtful[row] = "the record is broken, and mentions the id where another value belongs"


def _holds_lines(record: bytes) -> bool:
    inside = record.strip(b" \t\r\n")
    return b"\n" in inside or b"\r" in inside


def _cells(record: bytes) -> Sequence[str]:
    """The cells of a record as far as it can be parted; where its quotes are broken, by commas."""
    raw = record.strip(b" \t\r\n")
    places = spans(raw)
    parts = raw.split(b",") if places is None else [raw[start:stop] for start, stop in places]
    return [part.decode(errors="replace").strip(' \t"') for part in parts]


def _unreadable(sheet: Sheet, person: Person) -> str:
    if sheet.refusal is not None and sheet.refusal.rule == StructureRule.COMPRESSED:
        return "the file is compressed: whom it holds cannot be told"
    if person.is_mentioned_in(sheet.data):
        return "the file cannot be cut into records, and mentions the id"
    return ""


def open_texts(sheet: Sheet, rows: Iterable[int], contract: Contract) -> set[str]:
    """What these rows hold in columns of which any text is admitted."""
    names = [c.name for c in contract.columns if not c.is_closed and not c.is_numeric]
    columns = [sheet.columns[name] for name in names if name in sheet.columns]
    return {cells[row - 1] for cells in columns for row in rows} - {""}


def others_texts(sheet: Sheet, rows: Container[int], contract: Contract) -> set[str]:
    """What all but these rows hold in such columns."""
    others = [row for row in range(1, sheet.rows + 1) if row not in rows]
    return open_texts(sheet, others, contract)


def all_texts(sheet: Sheet, rows: Sequence[int]) -> set[str]:
    """Every text that these rows hold."""
    return {cells[row - 1] for cells in sheet.columns.values() for row in rows} - {""}
