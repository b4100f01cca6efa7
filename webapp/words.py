"""Predictions and their reasons as sentences, in the contract's words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobchurn.contract import Column, Contract

_CLOSE_CALL = 0.05
_CLEAR = 0.20
_MOST_DECIMALS = 6


def capitalised(text: str) -> str:
    """The text with a capital first letter, the others left as they are."""
    return text[:1].upper() + text[1:]


def percent(share: float) -> str:
    """A share as whole per cent; never 0% or 100% for what is not quite that."""
    if 0 < share < 0.01:
        return "under 1%"
    if 0.99 < share < 1:
        return "over 99%"
    return f"{share:.0%}"


def answer(contract: Contract, decision: int) -> str:
    """What the prediction says, as a sentence."""
    says = contract.positive if decision else contract.negative
    return f"This {contract.subject} {says}."


def sureness(probability: float, threshold: float) -> str:
    """How far the probability lies from where the answer would turn."""
    distance = abs(probability - threshold)
    if distance < _CLOSE_CALL:
        return "A close call"
    return "A clear case" if distance >= _CLEAR else "A fairly clear case"


def chance(contract: Contract, probability: float, threshold: float) -> str:
    """The probability, and the one from which the answer is yes, as a sentence."""
    chance, turn = percent(probability), percent(threshold)
    for decimals in range(1, _MOST_DECIMALS + 1):
        if chance != turn or probability >= threshold:
            break
        # Rounded alike, the two would say that the answer is yes, and it is no.
        chance, turn = f"{probability:.{decimals}%}", f"{threshold:.{decimals}%}"
    return (
        f"{sureness(probability, threshold)}: the chance that this {contract.subject} "
        f"{contract.positive} is **{chance}**. "
        f"From {turn} on, the answer is yes."
    )


def value_in_words(column: Column, value: Any) -> str:
    """A value as a person reads it, with its unit where it is an amount."""
    words = column.words(value)
    if not column.unit or not any(character.isdigit() for character in words):
        return words
    unit = column.unit.removesuffix("s") if words.split()[-1] == "1" else column.unit
    return f"{words} {unit}"


def cell_in_words(column: Column, value: Any) -> str:
    """A value as it stands alone in a cell; an open text is left as it is."""
    words = value_in_words(column, value)
    return capitalised(words) if column.is_closed or value is None else words


@dataclass(frozen=True)
class Reason:
    """What one column did to a prediction.

    Attributes:
        label: the column, as people read it.
        value: its value in words.
        weight: what it added to the model's score: positive makes a yes likelier.
    """

    label: str
    value: str
    weight: float

    @property
    def effect(self) -> str:
        """What it did, in words."""
        return "makes it more likely" if self.weight > 0 else "makes it less likely"


def reasons(
    contract: Contract, record: Mapping[str, Any], contributions: Mapping[str, float]
) -> list[Reason]:
    """Every column's part in a prediction, the strongest first; those without any left out."""
    found = [
        Reason(contract[name].label, value_in_words(contract[name], record.get(name)), weight)
        for name, weight in contributions.items()
        if name in contract.by_name and weight
    ]
    return sorted(found, key=lambda reason: -abs(reason.weight))


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural where it is not one."""
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def escaped(text: str) -> str:
    """Text that Markdown shows as it stands: no markup, no directives, no formulas, no links.

    An address is made a link even where its signs are escaped: an invisible mark parts it.
    """
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    parted = _ADDRESS.sub("\N{WORD JOINER}", plain)
    return "".join(f"\\{c}" if c in _MARKUP else c for c in parted)


def prose(text: str) -> str:
    """Text of our own in Markdown: escaped, save that what stands in backticks is code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escaped(text)
    return "".join(
        f"`{part}`" if place % 2 and part.isprintable() else escaped(part)
        for place, part in enumerate(parts)
    )


_ADDRESS = re.compile(r"(?<=//)(?=.)|(?<=www)(?=\.)|(?<=@)(?=.)", re.IGNORECASE)
_MARKUP = frozenset(r"""\`*_{}[]()<>#+-.!|~$:&"'=^@/""")


def listed(lines: Sequence[str]) -> str:
    """Lines as a Markdown list."""
    return "\n".join(f"- {line}" for line in lines)
