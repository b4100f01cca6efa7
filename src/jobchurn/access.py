"""Who may ask the API for what: keys, their scopes, and how a key is told from a forged one.

A key is ``jc_ID_SECRET``. The id names it in lists, logs and commands, and is no secret; of the
secret only a hash is ever kept. The secret has 256 random bits, so that one SHA-256 is enough: a
slow hash protects what people make up, and nobody can try 2^256 secrets.

Standard library only, and no input or output.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

ID_PATTERN = r"[0-9a-z]{8}"
"""How a key's id is spelt."""

NAME_PATTERN = r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}"
"""How a key's name is spelt: it stands in terminals and logs as it is."""

SECRET_BYTES = 32
"""The random bytes of a secret."""

MOST_PER_MINUTE = 600_000
"""The most requests a minute that a key may be given: each takes a few bytes for that minute."""

_ID_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(rf"jc_({ID_PATTERN})_([0-9A-Za-z_-]{{43}})", re.ASCII)
_NOBODYS = bytes(32)


class Scope(StrEnum):
    """What a key is for. A key may have several; none includes another."""

    PREDICT = "predict"
    SCHEDULED = "scheduled"
    """To predict in the name of the scheduled job: the rows of files."""
    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Key:
    """A key as its holder has it.

    Attributes:
        id: its public part.
        secret: the rest; shown nowhere but by :attr:`text`.
    """

    id: str
    secret: str = field(repr=False)

    @classmethod
    def make(cls) -> Key:
        """A key that nobody has had before."""
        made = "".join(secrets.choice(_ID_LETTERS) for _ in range(8))
        return cls(made, secrets.token_urlsafe(SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> Key | None:
        """The key that a text spells, or ``None``."""
        found = _KEY.fullmatch(text)
        return cls(found[1], found[2]) if found else None

    @property
    def text(self) -> str:
        """The key as it is written and sent."""
        return f"jc_{self.id}_{self.secret}"

    @property
    def digest(self) -> bytes:
        """What is kept of the secret: its SHA-256."""
        return hashlib.sha256(self.secret.encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """A key as the house knows it.

    Attributes:
        id: its public part.
        name: what people call it.
        scopes: what it is for.
        secret_sha256: of the secret.
        requests_per_minute: how many it may make, or ``None`` for as many as the settings say.
        created_at: when it was made.
        expires_at: from when on it is worth nothing, or ``None``.
        revoked_at: when it was revoked, or ``None``.
        last_used_at: when it was last seen, to the hour, or ``None``.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    secret_sha256: bytes = field(repr=False)
    requests_per_minute: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def is_alive(self, now: datetime) -> bool:
        """Whether it is worth something: neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def is_genuine(key: Key, known: KnownKey | None) -> bool:
    """Whether a key has the secret of the known one of its id, if there is one.

    Takes as long for a key that nobody knows as for one whose secret is wrong.
    """
    kept = _NOBODYS if known is None else known.secret_sha256
    return hmac.compare_digest(key.digest, kept) and known is not None


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone.

    Any name but ``localhost`` counts as reached from elsewhere: what it means is not ours to say.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
