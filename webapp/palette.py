"""The colours: told apart by colour-blind eyes, and seen on light and dark ground alike.

Each stands out from both grounds (contrast 3 to 1 or better), and any two are apart in simulations
of the common kinds of colour blindness. A colour never speaks alone all the same: a word, a legend
or a place says it too.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

BLUE = "#3a86c8"
"""For the negative answer and for good rows."""
ORANGE = "#d9771e"
"""For the positive answer and for bad rows."""
GREY = "#8894a0"
"""For the ground, for what is compared with, and for the threshold; words take the page's own."""
GREEN = "#17aa69"
RED = "#bf262e"
MAGENTA = "#b21795"
LAVENDER = "#7c6bfa"
VIOLET = "#810dff"

SEVERAL = (BLUE, ORANGE, GREEN, MAGENTA, LAVENDER, RED, VIOLET, GREY)
"""For lines and bars side by side, in this order."""

TINTS = {"good": GREEN, "notice": BLUE, "warn": ORANGE, "bad": RED, "plain": GREY}
"""What a colour says → the colour."""

_ALWAYS = {
    "good": BLUE,
    "bad": ORANGE,
    **dict.fromkeys(("none", "success", "delivered", "2xx"), GREEN),
    **dict.fromkeys(("low", "pending", "3xx"), BLUE),
    **dict.fromkeys(("medium", "4xx"), ORANGE),
    **dict.fromkeys(("high", "failed", "5xx"), RED),
    **dict.fromkeys(("quiet", "skipped"), GREY),
}
_ORDER = ("good", "none", "success", "delivered", "quiet", "low", "pending", "medium")
_PARTS = re.compile(r"([0-9]{1,9})|([^0-9]+)")
_COMPARED_WITH = ("training", "hold-out", "objective", "expected")


def is_reference(name: str) -> bool:
    """Whether a line or bar is what the others are compared with."""
    return name in _COMPARED_WITH


def in_order(names: Iterable[str]) -> list[str]:
    """Names as they are listed and stacked: the better first, what is compared with last."""

    def place(name: str) -> tuple[bool, int, list[tuple[int, str]]]:
        known = name.casefold()
        rank = _ORDER.index(known) if known in _ORDER else len(_ORDER)
        # Numbers within names go by their size: 2 before 10.
        parts = [(int(digits or -1), text) for digits, text in _PARTS.findall(known)]
        return is_reference(name), rank, parts

    return sorted(set(names), key=place)


def colours_of(names: Sequence[str]) -> list[str]:
    """A colour for each line or bar: names that say something by themselves keep theirs."""
    fixed = [GREY if is_reference(name) else _ALWAYS.get(name.casefold()) for name in names]
    free = [colour for colour in SEVERAL if colour not in fixed] or list(SEVERAL)
    others = itertools.cycle(free)
    return [colour or next(others) for colour in fixed]
