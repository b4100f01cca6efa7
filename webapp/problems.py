"""What goes wrong in front of a person: one sentence, and what to do about it."""

from __future__ import annotations


class Problem(Exception):
    """Something foreseen went wrong.

    Attributes:
        sentence: what is wrong.
        cure: what to do about it.
        details: further lines that help, may be empty.
    """

    def __init__(self, sentence: str, cure: str, details: tuple[str, ...] = ()) -> None:
        super().__init__(f"{sentence} {cure}")
        self.sentence = sentence
        self.cure = cure
        self.details = details
