"""What the API answers about models and predictions, as the pages take it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
"""An object as JSON carries it."""


@dataclass(frozen=True)
class Answer:
    """What ``POST /predict`` answered.

    Attributes:
        predictions: one object per predicted record, in order.
        features: what each was predicted from, as it is stored.
        model_version: which model it was.
        refused: the records that break the contract, each with its errors.
        replayed: whether this is the first answer to the same request, given again.
    """

    predictions: list[Json]
    features: list[Json]
    model_version: str
    refused: list[Json] = field(default_factory=list)
    replayed: bool = False


@dataclass(frozen=True)
class Model:
    """The model in charge.

    Attributes:
        version: its name.
        contract: the fingerprint of the contract that it follows.
        threshold: the probability from which it answers 1.
        levels: column → the texts that it knows.
    """

    version: str
    contract: str
    threshold: float
    levels: dict[str, Sequence[str]]


@dataclass(frozen=True)
class Page:
    """Some rows of a longer list, and the cursor of what follows (``None`` at the end)."""

    rows: list[Json]
    next: str | None
