"""The API's keys: which there are, what each is for, and that one is worth nothing any more.

Of a secret the database holds a hash alone. The API reads keys, notes that they are used, and
revokes; making them is for whoever has the command line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.postgresql import insert

from jobchurn.access import Key, KnownKey, Scope
from jobchurn.errors import InvalidRequest, NotFound
from jobchurn.store.engine import transaction
from jobchurn.store.tables import Tables

_NOW = sa.func.clock_timestamp()


class ApiKeys:
    """The named queries about the API's keys."""

    def __init__(self, engine: Engine, tables: Tables) -> None:
        self._engine = engine
        self._keys = tables.api_keys

    def add(
        self,
        key: Key,
        name: str,
        scopes: Collection[Scope],
        *,
        requests_per_minute: int | None = None,
        lasts: timedelta | None = None,
    ) -> None:
        """Let ``key`` be one of ours from now on.

        Args:
            key: the key; its secret is not kept.
            name: what people call it.
            scopes: what it is for; at least one.
            requests_per_minute: how many it may make, where not as many as the settings say.
            lasts: after how long it expires, where it does.

        Raises:
            InvalidRequest: another key that was not revoked has this name.
        """
        with transaction(self._engine) as connection:
            if self._insert(connection, key, name, scopes, requests_per_minute, lasts):
                return
        raise InvalidRequest(
            f"There is a key {name} already.",
            f"Choose another name, or revoke that one: jobchurn keys revoke {name}.",
        )

    def replace(self, key: Key, name: str, scopes: Collection[Scope]) -> bool:
        """Let ``key`` be the one key of this name; the one before it is revoked.

        A repeat changes nothing but what the key is for.

        Returns:
            whether the key is worth something: it is not where it was revoked before.
        """
        keys = self._keys
        former = (
            sa.update(keys)
            .where(keys.c.name == name, keys.c.id != key.id, keys.c.revoked_at.is_(None))
            .values(revoked_at=_NOW)
        )
        known = (
            sa.update(keys)
            .where(keys.c.id == key.id, keys.c.secret_sha256 == key.digest)
            .values(scopes=sorted(scopes))
            .returning(keys.c.revoked_at.is_(None))
        )
        with transaction(self._engine) as connection:
            found = connection.scalar(known)
            if found is not None:
                return bool(found)
            connection.execute(former)
            return self._insert(connection, key, name, scopes, None, None)

    def alive(self) -> list[KnownKey]:
        """Every key that is worth something now."""
        keys = self._keys
        lasting = keys.c.expires_at.is_(None) | (keys.c.expires_at > _NOW)
        with transaction(self._engine) as connection:
            return _known_of(
                connection.execute(sa.select(keys).where(keys.c.revoked_at.is_(None), lasting))
            )

    def list(self) -> list[KnownKey]:
        """Every key there ever was, the newest first."""
        keys = self._keys
        newest = keys.c.created_at.desc(), keys.c.id
        with transaction(self._engine) as connection:
            return _known_of(connection.execute(sa.select(keys).order_by(*newest)))

    def revoke(self, wanted: str) -> KnownKey:
        """Let a key be worth nothing any more; revoking it again changes nothing.

        Args:
            wanted: its id, or the name of one that was not revoked.

        Raises:
            NotFound: there is no such key.
        """
        keys = self._keys
        alive = keys.c.revoked_at.is_(None)
        with transaction(self._engine) as connection:
            found = connection.execute(
                sa.select(keys)
                .where((keys.c.id == wanted) | ((keys.c.name == wanted) & alive))
                # Where one's name is another's id, the id is meant.
                .order_by((keys.c.id == wanted).desc())
                .limit(1)
            ).first()
            if found is None:
                raise NotFound(f"There is no key {wanted!r}.", "jobchurn keys list names them.")
            connection.execute(
                sa.update(keys).where(keys.c.id == found.id, alive).values(revoked_at=_NOW)
            )
            return _known(connection.execute(sa.select(keys).where(keys.c.id == found.id)).one())

    def note_use(self, ids: Iterable[str]) -> None:
        """Note that keys are in use, to the hour: most of the time nothing is written."""
        keys = self._keys
        hour = sa.func.date_trunc("hour", _NOW)
        stale = keys.c.last_used_at.is_(None) | (keys.c.last_used_at < hour)
        with transaction(self._engine) as connection:
            connection.execute(
                sa.update(keys).where(keys.c.id.in_(list(ids)), stale).values(last_used_at=hour)
            )

    def _insert(
        self,
        connection: Connection,
        key: Key,
        name: str,
        scopes: Collection[Scope],
        requests_per_minute: int | None,
        lasts: timedelta | None,
    ) -> bool:
        """Whether it was added; it was not where its id or name is taken."""
        added = connection.execute(
            insert(self._keys)
            .values(
                id=key.id,
                name=name,
                scopes=sorted(scopes),
                secret_sha256=key.digest,
                requests_per_minute=requests_per_minute,
                created_at=_NOW,
                expires_at=None if lasts is None else _NOW + lasts,
            )
            .on_conflict_do_nothing()
            .returning(self._keys.c.id)
        )
        return added.first() is not None


def _known_of(rows: Iterable[sa.Row[Any]]) -> list[KnownKey]:
    return [_known(row) for row in rows]


def _known(row: sa.Row[Any]) -> KnownKey:
    found = dict(row._mapping)
    scopes = frozenset(Scope(scope) for scope in found["scopes"])
    return KnownKey(**found | {"scopes": scopes, "secret_sha256": bytes(found["secret_sha256"])})
