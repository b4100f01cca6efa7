"""Texts that a spreadsheet would run."""

from __future__ import annotations

import re

from jobchurn.contract import NUMBER_PATTERN

_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(NUMBER_PATTERN)


def without_formula(text: str) -> str:
    """The text with an apostrophe before it where a spreadsheet would take it for a formula.

    Source: OWASP, "CSV Injection". A negative number is no formula.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
