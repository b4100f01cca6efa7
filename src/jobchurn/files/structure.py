"""What is wrong with bytes and structure, as reasons that a person can read."""

from __future__ import annotations

import re

from jobchurn.contract import CONTROL_PATTERN
from jobchurn.verdict import Reason, StructureRule

SHOWN = 100
"""The most characters of an offending text that a reason shows."""

_CONTROL = re.compile(CONTROL_PATTERN)


def refusal(rule: StructureRule, raw: bytes, message: str, repair: str | None = None) -> Reason:
    """Why a whole file is refused; the message is a sentence, and a second one is the cure."""
    return Reason(None, None, rule, shown(raw), message, repair)


def fault(row: int, rule: StructureRule, raw: bytes, message: str) -> Reason:
    """Why one record is bad; the message is a clause."""
    return Reason(row, None, rule, shown(raw), message)


def missing_column(name: str) -> Reason:
    """Why every row of a file is bad that lacks a required column."""
    return Reason(
        None,
        name,
        StructureRule.MISSING_COLUMN,
        "",
        f"The required column {name} is missing. Send the file again with it.",
    )


def shown(raw: bytes) -> str:
    """Bytes as text fit to be shown: what is no UTF-8 and no character to print is escaped."""
    text = raw[: 4 * SHOWN].decode(errors="backslashreplace")
    plain = _CONTROL.sub(lambda control: f"\\x{ord(control[0]):02x}", text)
    return plain if len(plain) <= SHOWN and len(raw) <= 4 * SHOWN else f"{plain[: SHOWN - 1]}…"
