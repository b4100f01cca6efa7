"""The registry: model versions on disk, and which of them is in charge by the database.

A version's folder is written once and never changed; the database holds the hashes of its files,
and a model whose bytes are not those is never loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from jobchurn.contract import Contract
from jobchurn.errors import NoChampion, NotFound
from jobchurn.model import Model
from jobchurn.model.artifact import save, sha256_of
from jobchurn.model.card import written


class Registered(Protocol):
    """What the database knows of a version."""

    @property
    def version(self) -> str:
        """Its name."""

    @property
    def sha256(self) -> str:
        """Of the file with the trees, hexadecimal."""

    @property
    def card_sha256(self) -> str:
        """Of the card's file, hexadecimal."""

    @property
    def card(self) -> dict[str, Any]:
        """The card."""

    @property
    def created_at(self) -> datetime:
        """When it was registered."""

    @property
    def champion(self) -> bool:
        """Whether it is in charge."""


class Models(Protocol):
    """The database's side: ``jobchurn.store.Models``, or a test's."""

    def add(self, version: str, sha256: str, card_sha256: str, card: Mapping[str, Any]) -> None:
        """Register a version; a repeat changes nothing."""

    def champion(self) -> str | None:
        """The version in charge."""

    def promote(self, version: str) -> None:
        """Put a version in charge."""

    def rollback(self) -> str:
        """Put the version before the present one in charge, and name it."""

    def list(self) -> Sequence[Registered]:
        """Every version, the newest first."""

    def get(self, version: str) -> Registered:
        """One version; ``NotFound`` where there is none."""


class Registry:
    """Keeps model versions: ``<folder>/<version>/`` holds the files, ``models`` the facts.

    Args:
        folder: where the versions lie.
        models: the named queries of the database.
        contract: what the models are to follow.
    """

    def __init__(self, folder: Path, models: Models, contract: Contract) -> None:
        self._folder = folder
        self._models = models
        self._contract = contract
        self._champion: Model | None = None

    def add(self, model: Model) -> str:
        """Keep a model and register its version, which is not put in charge; return the version.

        Repeatable, whatever was killed in between: files come first, so that a registered version
        has its files. The same model again changes nothing, and brings lost files back.

        Raises:
            ModelCorrupt: the version's folder holds other files.
            OSError: the files cannot be written.
        """
        folder = self._folder / model.version
        card = model.card.to_dict()
        with suppress(NotFound):
            # The card of the same model trained again differs in its time stamp: the first counts.
            card = self._models.get(model.version).card
        with suppress(FileExistsError):
            save(folder, model.text, written(card))
        kept = Model.load(folder, self._contract)
        self._models.add(
            kept.version,
            sha256_of(kept.text),
            sha256_of(kept.card.to_json()),
            kept.card.to_dict(),
        )
        return kept.version

    def load(self, version: str) -> Model:
        """A version, its files held against the hashes in the database.

        Raises:
            NotFound: no such version is registered.
            ModelCorrupt: a file is missing, or not the one that was registered.
            ContractMismatch: the version follows another contract.
        """
        known = self._models.get(version)
        return Model.load(
            self._folder / known.version,
            self._contract,
            sha256=known.sha256,
            card_sha256=known.card_sha256,
        )

    def champion(self) -> Model:
        """The version in charge at this moment, loaded anew only where it is another.

        Raises:
            NoChampion: there is none.
            ModelCorrupt, ContractMismatch: see :meth:`load`.
        """
        version = self._models.champion()
        if version is None:
            raise NoChampion(
                "No model is in charge yet.",
                "Train one (`jobchurn train`) or promote one (`jobchurn models promote VERSION`).",
            )
        # Read once: another thread may exchange it, and a version never changes.
        model = self._champion
        if model is None or model.version != version:
            model = self._champion = self.load(version)
        return model

    def known_levels(self) -> dict[str, frozenset[str]]:
        """Open text column → the values that the version in charge has seen; empty without one."""
        version = self._models.champion()
        if version is None:
            return {}
        levels: dict[str, list[str]] = self._models.get(version).card["levels"]
        return {name: frozenset(seen) for name, seen in levels.items()}

    def promote(self, version: str) -> None:
        """Put a version in charge, once it is seen to load.

        Raises:
            NotFound, ModelCorrupt, ContractMismatch: see :meth:`load`.
        """
        self.load(version)
        self._models.promote(version)

    def rollback(self) -> str:
        """Put the version in charge that was so before the present one; return it.

        Raises:
            NotFound: there is none.
        """
        return self._models.rollback()

    def list(self) -> Sequence[Registered]:
        """Every registered version, the newest first."""
        return self._models.list()
