"""Models: which versions are registered, and which one is in charge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """One registered version.

    Attributes:
        version: its name, derived from its content.
        sha256, card_sha256: of the model's and the card's file, hexadecimal.
        card: the card.
        created_at: when it was registered.
        promoted_at: when it was last put in charge, or ``None``.
        champion: whether it is in charge.
    """

    version: str
    sha256: str
    card_sha256: str
    card: dict[str, Any]
    created_at: datetime
    promoted_at: datetime | None
    champion: bool


class Models:
    """The named queries about models."""

    def add(self, version: str, sha256: str, card_sha256: str, card: Mapping[str, Any]) -> None:
        """Register a version; a repeat changes nothing.

        Raises:
            ModelCorrupt: the version is registered with other files.
        """
        raise NotImplementedError

    def champion(self) -> str | None:
        """The version in charge."""
        raise NotImplementedError

    def promote(self, version: str) -> None:
        """Put a version in charge.

        Raises:
            NotFound: no such version is registered.
        """
        raise NotImplementedError

    def rollback(self) -> str:
        """Put the version in charge that was promoted before the present one, and name it.

        Raises:
            NotFound: there is none.
        """
        raise NotImplementedError

    def list(self) -> list[RegisteredModel]:
        """Every version, the newest first."""
        raise NotImplementedError

    def get(self, version: str) -> RegisteredModel:
        """One version.

        Raises:
            NotFound: no such version is registered.
        """
        raise NotImplementedError
