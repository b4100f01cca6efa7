"""Models: which versions are registered, and which one is in charge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.postgresql import insert

from jobchurn.contract import Contract
from jobchurn.errors import ModelCorrupt, NotFound
from jobchurn.store.engine import transaction
from jobchurn.store.names import decoded_json, encoded, encoded_json
from jobchurn.store.tables import Tables

_NOW = sa.func.clock_timestamp()

_CHANGING_CHAMPION = 7_310_586_213_021_468_214
"""The advisory lock for it; any number that nobody else uses."""


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

    def __init__(self, engine: Engine, tables: Tables, contract: Contract) -> None:
        self._engine = engine
        self._models = tables.models
        self._baselines = tables.baselines
        self._contract = contract

    def add(self, version: str, sha256: str, card_sha256: str, card: Mapping[str, Any]) -> None:
        """Register a version, with the baselines that its card holds; a repeat changes nothing.

        Raises:
            ModelCorrupt: the version is registered with other files.
        """
        models = self._models
        added = (
            insert(models)
            .values(
                version=version,
                sha256=sha256,
                card_sha256=card_sha256,
                card=encoded_json(card),
                created_at=_NOW,
                champion=False,
            )
            .on_conflict_do_nothing()
            .returning(models.c.version)
        )
        with transaction(self._engine) as connection:
            if connection.scalar(added) is None:
                known = self._get(connection, version)
                if (known.sha256, known.card_sha256) != (sha256, card_sha256):
                    raise ModelCorrupt(
                        f"{version} is registered with other files than these.",
                        "A version is never changed: train again, which makes another one.",
                    )
            elif baselines := self._baselines_of(version, card):
                connection.execute(sa.insert(self._baselines), baselines)

    def champion(self) -> str | None:
        """The version in charge."""
        with transaction(self._engine) as connection:
            return connection.scalar(
                sa.select(self._models.c.version).where(self._models.c.champion)
            )

    def promote(self, version: str) -> None:
        """Put a version in charge.

        Raises:
            NotFound: no such version is registered.
        """
        with transaction(self._engine) as connection:
            _one_at_a_time(connection)
            if not self._get(connection, version).champion:
                self._put_in_charge(connection, version, promoted_at=_NOW)

    def rollback(self) -> str:
        """Put the version in charge that was promoted before the present one, and name it.

        Raises:
            NotFound: there is none.
        """
        models = self._models
        present = sa.select(models.c.promoted_at).where(models.c.champion).scalar_subquery()
        before = (
            sa.select(models.c.version)
            .where(models.c.promoted_at < present)
            .order_by(models.c.promoted_at.desc())
            .limit(1)
        )
        with transaction(self._engine) as connection:
            _one_at_a_time(connection)
            version = connection.scalar(before)
            if version is None:
                raise NotFound(
                    "No model was in charge before the present one.",
                    "Choose one of jobchurn models list, and promote it.",
                )
            # Its place in the history stays, so that a second step back goes further back.
            self._put_in_charge(connection, version)
            return str(version)

    def list(self) -> list[RegisteredModel]:
        """Every version, the newest first."""
        newest = self._models.c.created_at.desc(), self._models.c.version
        with transaction(self._engine) as connection:
            rows = connection.execute(sa.select(self._models).order_by(*newest))
            return [_registered(row) for row in rows]

    def get(self, version: str) -> RegisteredModel:
        """One version.

        Raises:
            NotFound: no such version is registered.
        """
        with transaction(self._engine) as connection:
            return self._get(connection, version)

    def _get(self, connection: Connection, version: str) -> RegisteredModel:
        row = connection.execute(
            sa.select(self._models).where(self._models.c.version == version)
        ).first()
        if row is None:
            raise NotFound(
                f"No model {version} is registered.", "Choose one of jobchurn models list."
            )
        return _registered(row)

    def _put_in_charge(self, connection: Connection, version: str, **values: Any) -> None:
        models = self._models
        connection.execute(sa.update(models).where(models.c.champion).values(champion=False))
        connection.execute(
            sa.update(models).where(models.c.version == version).values(champion=True, **values)
        )

    def _baselines_of(self, version: str, card: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
        """What the training data and the scores looked like, as the card has it."""
        baseline = card.get("baseline") or {}
        kinds = {name: str(column.kind) for name, column in self._contract.by_name.items()}
        found = [
            (feature, kinds.get(feature, "unknown"), distribution)
            for feature, distribution in baseline.get("columns", {}).items()
        ]
        if "score" in baseline:
            found.append(("score", "score", baseline["score"]))
        return [
            {
                "model_version": version,
                "feature": encoded(feature),
                "kind": kind,
                "baseline": encoded_json(distribution),
            }
            for feature, kind, distribution in found
        ]


def _one_at_a_time(connection: Connection) -> None:
    """Let changes of the champion follow each other, so that each sees the one before it."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CHANGING_CHAMPION)))


def _registered(row: sa.Row[Any]) -> RegisteredModel:
    return RegisteredModel(**dict(row._mapping) | {"card": decoded_json(row.card)})
