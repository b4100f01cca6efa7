"""A contract's columns in the database: each one's type and CHECK constraints, derived."""

from __future__ import annotations

import hashlib
import re
import sys
from typing import Any

import sqlalchemy as sa

from jobchurn import contract as promises
from jobchurn.contract import BIGGEST_INTEGER, Kind, Role, Rule
from jobchurn.errors import ContractUnusable

PREDICTIONS = "predictions"
"""The table that holds them."""

ID_MARK = ", id]"
"""How the comment ends of a column that tells who a person is, whichever contract it is of."""

_LONGEST_NAME = 63
"""Bytes; PostgreSQL cuts longer identifiers silently."""

_DIGEST = re.compile(r"\[([0-9a-f]{12})(?:, id)?\]$")

# As ``contract.CONTROL_PATTERN``: PostgreSQL's text holds neither NUL nor surrogates to begin with.
_CONTROL = r"[\u0001-\u001f\u007f-\u009f]"


def column_of(column: promises.Column) -> sa.Column[Any]:
    """A contract's column in the database: typed, nullable, with a CHECK for each rule.

    Nullable always: some doors let a value be absent that another requires, and the contract says
    which. Its comment ends in a digest of type and checks, by which ``adoption`` knows a column
    whose domain has changed, and in :data:`ID_MARK` where it is the id.

    Raises:
        ContractUnusable: the column cannot be stored.
    """
    kind: sa.types.TypeEngine[Any]
    match column.kind:
        case Kind.INTEGER:
            # One width for all, so that no change of bounds ever changes a column's type.
            kind = sa.BigInteger()
        case Kind.NUMBER:
            kind = sa.Double()
        case _:
            kind = sa.Text()
    checks = checks_of(column)
    written = [kind.__visit_name__, *(f"{rule}: {check}" for rule, check in checks.items())]
    digest = hashlib.sha256("\n".join(written).encode()).hexdigest()[:12]
    return sa.Column(
        column.name,
        kind,
        *(
            sa.CheckConstraint(_verbatim(check), name=_name_of_check(column.name, rule))
            for rule, check in checks.items()
        ),
        nullable=True,
        comment=f"{column.meaning} Allowed: {column.allowed}. [{digest}"
        + (ID_MARK if column.role is Role.ID else "]"),
    )


def digest_in(comment: str | None) -> str:
    """The digest at the end of a column's comment; empty where there is none."""
    found = _DIGEST.search(comment or "")
    return found[1] if found else ""


def checks_of(column: promises.Column) -> dict[Rule, str]:
    """The conditions, in SQL, that hold a column to the contract beyond what its type does.

    Raises:
        ContractUnusable: the column cannot be stored.
    """
    name = _identifier(column.name)
    if column.is_closed:
        return {Rule.DOMAIN: f"{name} IN ({', '.join(map(_quoted, column.levels))})"}
    if column.kind is Kind.TEXT:
        checks = {
            Rule.CHARACTERS: f"{name} !~ {_quoted(_CONTROL)}",
            Rule.LENGTH: f"char_length({name}) <= {column.max_length}",
        }
        return checks | ({Rule.REQUIRED: f"{name} <> ''"} if column.required else {})
    low, high = column.minimum, column.maximum
    if low is None or high is None:
        raise AssertionError("the contract refuses numbers without bounds")
    if column.kind is Kind.INTEGER:
        if low < -BIGGEST_INTEGER or high > BIGGEST_INTEGER:
            raise ContractUnusable(
                f"The integers of {column.name} are larger than the database's.",
                f"Let its bounds lie between -{BIGGEST_INTEGER} and {BIGGEST_INTEGER}.",
            )
    else:
        # PostgreSQL sorts not-a-number above all numbers: finite bounds keep it out too.
        low, high = max(low, -sys.float_info.max), min(high, sys.float_info.max)
    return {Rule.RANGE: f"{name} BETWEEN {low!r} AND {high!r}"}


def check_names_of(name: str) -> list[str]:
    """The names that a column's constraints may bear, whatever its domain is or was."""
    return [_name_of_check(name, rule) for rule in Rule]


def _name_of_check(name: str, rule: Rule) -> str:
    check = f"{PREDICTIONS}_{name}_{rule}"
    if len(check.encode()) > _LONGEST_NAME:
        raise ContractUnusable(
            f"The column name {name} is too long for the database.",
            f"Give it a name of at most {_LONGEST_NAME - len(check.encode()) + len(name.encode())}"
            " bytes in the contract.",
        )
    return check


def _identifier(name: str) -> str:
    """A name as SQL takes it, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def _quoted(value: str) -> str:
    """A text as an SQL literal (standard-conforming, as is PostgreSQL's default)."""
    return "'" + value.replace("'", "''") + "'"


def _verbatim(sql: str) -> sa.TextClause:
    """SQL in which a colon is a colon, and begins no parameter."""
    return sa.text(sql.replace(":", "\\:"))
