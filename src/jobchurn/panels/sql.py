"""SQL that panels and rules share: names and texts of the contract safely written, and more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from textwrap import dedent, indent

from jobchurn.contract import Contract

CHAMPION = "(SELECT version FROM models WHERE champion)"
"""The version in charge; NULL where there is none."""

BASELINES = "feature_baseline JOIN models ON models.version = model_version AND models.champion"
"""What the champion's training looked like, by ``feature`` and ``kind``."""

SCORE = "score"
"""The kind under which baselines and drift keep the probability."""

TO = "$__timeTo()::timestamptz"
"""The end of the time range; of a rule, the moment at which it is asked."""


def written(sql: str, /, **parts: str) -> str:
    """A query as it is kept: without the indentation that its place in the source gives it.

    Args:
        sql: the query, in which a line that is ``<name>`` stands for a part.
        parts: name → SQL of any number of lines; it is indented as the line that stands for it.
    """
    text = dedent(sql).strip()
    for name, part in parts.items():
        text = re.sub(
            rf"^( *)<{name}>$",
            lambda found, part=part: indent(part, found[1]),  # type: ignore[misc]
            text,
            flags=re.MULTILINE,
        )
    return text


def identifier(name: str) -> str:
    """A column's name as SQL takes it, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL takes it (standard-conforming, as is PostgreSQL's default)."""
    quoted = "'" + text.replace("'", "''") + "'"
    # A dollar sign may begin a macro or a variable, between quotes too.
    return quoted.replace("$", "' || chr(36) || '") if "$" in text else quoted


_HIDDEN = (
    r"\u0001-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\U000e0000-\U000e0fff"
)
"""Controls, and what cannot be seen or turns the direction of writing, for a regular expression."""


def visible(text: str) -> str:
    """A text of others as a table may show it: what cannot be seen of it gives way to a mark.

    Args:
        text: SQL for it.
    """
    return f"regexp_replace({text}, '[{_HIDDEN}]', '\N{REPLACEMENT CHARACTER}', 'g')"


def constants(rows: Iterable[Sequence[str]]) -> str:
    """The rows of a VALUES list, each cell being SQL already."""
    return ", ".join(f"({', '.join(row)})" for row in rows)


def binned(moment: str) -> str:
    """A moment, rounded down to the interval that suits the time range, as the column ``time``.

    What ``$__timeGroupAlias`` makes, in the arithmetic of moments: that of numbers, which the macro
    writes, takes several times as long as all else that is asked of a row.

    Args:
        moment: SQL for a timestamp with time zone.
    """
    return f"date_bin('$__interval', {moment}, 'epoch') AS time"


def label_of(contract: Contract, feature: str, kind: str) -> str:
    """How people read a feature that drift has judged.

    Args:
        contract: has the labels.
        feature: SQL for its name, as drift keeps it.
        kind: SQL for its kind.
    """
    cases = " ".join(
        f"WHEN {literal(column.name)} THEN {literal(column.label)}" for column in contract.inputs
    )
    return (
        f"CASE WHEN {kind} = '{SCORE}' THEN 'Probability' "
        f"ELSE CASE {feature} {cases} ELSE {feature} END END"
    )


def answer(value: str, rows: str) -> str:
    """A rule's query, as both readers of rules take it.

    Args:
        value: SQL for its number.
        rows: SQL for what the number is about, from FROM on.
    """
    return f"SELECT {TO} AS time,\n  {value} AS value\n{rows}"
