"""What checking a file found, as plain data that survives a process boundary.

``files`` adds what is wrong with bytes and structure, ``quality`` what is wrong with values;
``report`` shows it, ``store`` keeps its statistics, ``files`` routes the rows by it.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self


class StructureRule(StrEnum):
    """The rules of bytes and structure; ``contract.Rule`` has those of values.

    Whoever breaks one of the first block is refused as a whole file; of the second, all rows are
    bad; of the third, one record is.
    """

    EMPTY = "empty file"
    COMPRESSED = "compressed"
    BINARY = "binary"
    NO_HEADER = "no header"
    HEADER_CASE = "header case"
    DELIMITER = "delimiter"
    REPEATED_NAME = "repeated name"
    TOO_MANY_COLUMNS = "too many columns"
    ATTEMPTS = "attempts"
    """It was never judged: too many workers have ended over it."""

    MISSING_COLUMN = "missing column"

    NUL = "nul"
    TOO_FEW_CELLS = "too few cells"
    TOO_MANY_CELLS = "too many cells"
    CELL_SIZE = "cell size"
    REPEATED_HEADER = "repeated header"

    ENCODING = "encoding"
    """Of a record, or, where it is the header's, of the whole file; so with the quotes."""
    UNCLOSED_QUOTE = "unclosed quote"
    STRAY_QUOTE = "stray quote"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a row, or a whole file, is bad.

    Attributes:
        row: the record's number in the file, from 1, the header not counted; ``None`` where the
            reason holds for the whole file.
        column: the column's name, or ``None`` where the reason is about the record's structure.
        rule: the rule that is broken: one of ``contract.Rule`` or :class:`StructureRule`.
        text: the offending text as it came, cut to a length fit to be shown.
        message: what is wrong, in words.
        repair: the text that was likely meant, or ``None``.
    """

    row: int | None
    column: str | None
    rule: str
    text: str
    message: str
    repair: str | None = None


@dataclass(frozen=True, slots=True)
class RuleResult:
    """How one rule of one column fared over a file.

    Attributes:
        column: the column's name, or ``None`` for a rule about structure.
        rule: the rule.
        expectation: the Great Expectations class that judged it, or ``None`` for structure.
        rows: how many rows were judged.
        failed: how many rows broke the rule.
        examples: a few of the texts that broke it, each with how often it did.
    """

    column: str | None
    rule: str
    expectation: str | None
    rows: int
    failed: int
    examples: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What checking one file found.

    Attributes:
        rows_total: records in the file; 0 where it could not be read.
        bad: for bad rows their reasons, in order of rows: of each kind of reason at least the
            first ones. Where ``unlisted`` is 0, a row without any is good.
        refusal: why the whole file is refused (it cannot be read), or ``None``.
        missing: required columns that the file lacks; then every row is bad.
        results: one per rule that was judged.
        notes: what was noticed and accepted, in words: unknown levels, repeated ids and the like.
        unlisted: how many more rows are bad, of which nothing new is to be said.
    """

    rows_total: int
    bad: dict[int, tuple[Reason, ...]] = field(default_factory=dict)
    refusal: Reason | None = None
    missing: tuple[str, ...] = ()
    results: tuple[RuleResult, ...] = ()
    notes: tuple[str, ...] = ()
    unlisted: int = 0

    @property
    def rows_invalid(self) -> int:
        """Records that are bad."""
        return self.rows_total if self.missing or self.refusal else self.rows_with_reasons

    @property
    def rows_with_reasons(self) -> int:
        """Records that are bad for what they hold themselves."""
        return len(self.bad) + self.unlisted

    @property
    def broken(self) -> dict[tuple[str | None, str], int]:
        """Column, ``None`` for the structure, and rule → how many rows broke it."""
        if self.unlisted:
            failed = [found for found in self.results if found.failed]
            return {(found.column, found.rule): found.failed for found in failed}
        rows: Counter[tuple[str | None, str]] = Counter()
        for reasons in self.bad.values():
            rows.update({(reason.column, reason.rule): None for reason in reasons}.keys())
        return dict(rows)

    @property
    def rows_valid(self) -> int:
        """Records that are good."""
        return self.rows_total - self.rows_invalid

    @property
    def invalid_ratio(self) -> float:
        """The share of bad records, from 0 to 1; 1 for a refused file, 0 for an empty one."""
        if self.refusal is not None:
            return 1.0
        return self.rows_invalid / self.rows_total if self.rows_total else 0.0

    def to_json(self) -> str:
        """The verdict as JSON text; :meth:`from_json` reads it back."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The verdict that :meth:`to_json` wrote."""
        raw: dict[str, Any] = json.loads(text)
        return cls(
            rows_total=raw["rows_total"],
            bad={
                int(row): tuple(Reason(**reason) for reason in reasons)
                for row, reasons in raw["bad"].items()
            },
            refusal=Reason(**raw["refusal"]) if raw["refusal"] else None,
            missing=tuple(raw["missing"]),
            results=tuple(
                RuleResult(**result | {"examples": tuple(map(tuple, result["examples"]))})
                for result in raw["results"]
            ),
            notes=tuple(raw["notes"]),
            unlisted=raw["unlisted"],
        )
