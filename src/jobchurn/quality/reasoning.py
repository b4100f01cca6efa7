"""Why a column refuses a text, in words fit to be shown."""

from __future__ import annotations

from collections.abc import Collection

from jobchurn.contract import Column, Role, Rule, Violation, shown
from jobchurn.quality import suite
from jobchurn.quality.identity import LONG, Identity, identity_of

TEXT_LIMIT = 200
"""The most characters of an offending text that a verdict keeps."""

_REPAIRS = 10_000
"""For how many distinct texts of a column a repair is looked for: each costs up to 50 µs."""

Why = tuple[str, str, str, str | None]
"""A reason's rule, text, message and repair."""


class Reasoning:
    """The reasons for which a column refuses texts, each found once."""

    def __init__(self, column: Column) -> None:
        self._column = column
        self._found: dict[Identity, Why | None] = {}

    def why(self, text: str, rule: Rule) -> Why:
        """Why the text is refused, which breaks the rule.

        Raises:
            JudgementFailed: by the contract it does not.
        """
        identity = identity_of(text)
        if identity in self._found:
            return self._found[identity] or self._explained(text, rule, repair=True)
        found = self._explained(text, rule, repair=len(self._found) < _REPAIRS)
        # A repair may be as long as its text, and is then rather found anew.
        self._found[identity] = None if len(found[3] or "") > LONG else found
        return found

    def forget(self, but: Collection[Identity]) -> None:
        """Forget all texts but those."""
        self._found = {text: why for text, why in self._found.items() if text in but}

    def kept(self, text: str) -> str:
        """What a verdict holds of a text: its beginning; of an id, no more than its length."""
        if self._column.role is not Role.ID or not text:
            return text if len(text) <= TEXT_LIMIT else f"{text[: TEXT_LIMIT - 1]}…"
        return f"text of {counted(len(text), 'character')}"

    def violation(self, text: str, rule: Rule) -> Violation:
        """What the contract says of a text that Great Expectations refused.

        Raises:
            JudgementFailed: it says something else.
        """
        try:
            self._column.read(text)
        except Violation as violation:
            if violation.rule is rule:
                return violation
            found = f"it breaks the rule {violation.rule!r}"
        else:
            found = "it is admitted"
        raise suite.JudgementFailed(
            f"{self._column.name}: by Great Expectations {self.kept(text)!r} breaks the rule "
            f"{rule!r}; by the contract {found}"
        )

    def _explained(self, text: str, rule: Rule, *, repair: bool) -> Why:
        column = self._column
        violation = self.violation(text, rule) if repair else Violation(column, rule, text)
        message, kept = str(violation), self.kept(text)
        if column.role is not Role.ID:
            return str(rule), kept, message, violation.repair
        subject = f"{column.name} is "
        message = f"{subject}{kept}{message.removeprefix(subject + shown(text))}"
        return str(rule), kept, message, None


def counted(number: int, noun: str) -> str:
    """So many of something, in words."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
