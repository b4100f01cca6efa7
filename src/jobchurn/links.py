"""Links that open one thing without a key, until they expire.

Who reads an alert holds no key of the API, and a browser sends none. Such a link carries its right
in its query: when it expires, and a signature over all of it that only this house can make. It
opens what it names and nothing else, to whoever has it, so its address is a secret of its kind.

A signature is HMAC-SHA256 (RFC 2104) over the path, the query in its order, and the moment, both
path and query as they are once decoded: a mail reader that spells an address anew breaks nothing.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode

from jobchurn.errors import InvalidSettings

EXPIRES, SIGNATURE, FOLDER = "expires", "signature", "folder"
"""The parameters that a signed link adds: the first two to every one, the third to a folder's."""

SHORTEST_SECRET = 32
"""The fewest characters of a secret: as many as 128 bits take in hexadecimal digits."""

_MOMENT = re.compile(r"[0-9]{1,11}")
_PURPOSE = "jobchurn link 1"


class Opened(NamedTuple):
    """What a link that is admitted opens.

    Attributes:
        path: as it came.
        query: what is asked, without the link's own parameters.
    """

    path: str
    query: str


class Links:
    """Signs links and admits those that it signed.

    A *target* is the path and the query of an address, as a request carries them: the path
    percent-encoded, and after a question mark the query where there is one.

    Args:
        secret: what signatures are made with; whoever has it can make them.

    Raises:
        InvalidSettings: the secret is too short to be one.
    """

    def __init__(self, secret: str) -> None:
        if len(secret) < SHORTEST_SECRET:
            raise InvalidSettings(
                f"The secret of links has {len(secret)} characters.",
                f"Let LINK_SECRET, or the file links.key, have {SHORTEST_SECRET} or more.",
            )
        self._secret = secret.encode()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def sign(self, target: str, expires_at: datetime) -> str:
        """The target with a signature that holds until ``expires_at``.

        Raises:
            ValueError: the target is signed already, or no path.
        """
        path, query = _parted(target)
        if not path.startswith("/") or is_signed(target):
            raise ValueError("only a path that is not signed can be signed")
        moment = str(int(expires_at.timestamp()))
        signature = self._signature(unquote(path), _pairs(query), moment)
        return f"{target}{'&' if '?' in target else '?'}{_own(moment, signature)}"

    def sign_folder(self, folder: str, expires_at: datetime) -> str:
        """A query that opens every path in a folder until ``expires_at``, without further query.

        Args:
            folder: a path that ends with a slash.
            expires_at: until when.
        """
        if not (folder.startswith("/") and folder.endswith("/")):
            raise ValueError("a folder's path begins and ends with a slash")
        moment = str(int(expires_at.timestamp()))
        own = [(FOLDER, folder)]
        signature = self._signature(None, own, moment)
        return f"{urlencode(own)}&{_own(moment, signature)}"

    def admits(self, target: str, now: datetime) -> bool:
        """Whether the target carries a signature that holds now."""
        return self.opens(target, now) is not None

    def opens(self, target: str, now: datetime) -> Opened | None:
        """What the target opens now; ``None`` where its signature does not hold, or it has none.

        It says nothing of the method: whoever asks admits reading alone.
        """
        path, query = _parted(target)
        pairs = _pairs(query)
        rest, own = pairs[:-2], pairs[-2:]
        if [name for name, _ in own] != [EXPIRES, SIGNATURE]:
            return None
        moment, signature = (value for _, value in own)
        if not _MOMENT.fullmatch(moment) or now.timestamp() >= int(moment):
            return None
        plain = unquote(path)
        folder = [name for name, _ in rest] == [FOLDER]
        right = self._signature(None if folder else plain, rest, moment)
        # On bytes: texts are compared in constant time where they are ASCII alone, else refused.
        if not hmac.compare_digest(right.encode(), signature.encode("utf-8", "replace")):
            return None
        if folder:
            return Opened(path, "") if _lies_in(plain, rest[0][1]) else None
        return Opened(path, urlencode(rest))

    def _signature(self, path: str | None, pairs: Sequence[tuple[str, str]], moment: str) -> str:
        # JSON keeps the parts apart; without a path, the pairs name a folder.
        said = json.dumps([_PURPOSE, path, pairs, moment]).encode()
        digest = hmac.digest(self._secret, said, "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def is_signed(target: str) -> bool:
    """Whether the target carries a signature, whatever it is worth."""
    return any(name == SIGNATURE for name, _ in _pairs(_parted(target)[1]))


def secret_in(path: Path) -> str:
    """The secret that a file holds, made where there is none; only the file's owner may read it.

    Several processes may come first: one makes it, and all read what that one wrote.

    Raises:
        OSError: the file cannot be made or read.
    """
    with suppress(FileNotFoundError):
        return path.read_text(encoding="ascii").strip()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first
            os.link(fresh, path)
    finally:
        fresh.unlink()
    return path.read_text(encoding="ascii").strip()


def _parted(target: str) -> tuple[str, str]:
    path, _, query = target.partition("?")
    return path, query


def _pairs(query: str) -> list[tuple[str, str]]:
    """As the endpoints will read them."""
    return parse_qsl(query, keep_blank_values=True)


def _own(moment: str, signature: str) -> str:
    return urlencode({EXPIRES: moment, SIGNATURE: signature})


def _lies_in(path: str, folder: str) -> bool:
    """Whether a path names something right in a folder; nothing leads out of it again."""
    name = path.removeprefix(folder)
    return name != path and bool(name) and "/" not in name and name not in (".", "..")
