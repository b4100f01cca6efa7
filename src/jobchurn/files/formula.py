"""Texts that a spreadsheet would run."""

from __future__ import annotations

import re

from jobchurn.contract import FORMULA_STARTS, NUMBER_PATTERN

_STARTS = tuple(FORMULA_STARTS)
_NUMBER = re.compile(NUMBER_PATTERN)


def without_formula(text: str) -> str:
    """The text with an apostrophe before it where a spreadsheet would take it for a formula.

    A negative number is none.
    """
    return f"'{text}" if text.startswith(_STARTS) and not _NUMBER.fullmatch(text) else text
