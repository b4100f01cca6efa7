"""How a text is told again without keeping it where it is long: a cell may have 64 KiB."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable

LONG = 256
"""Texts of more characters are told again by their digest."""

Identity = str | bytes
"""A text, or the digest of a long one."""


def identity_of(text: str) -> Identity:
    """What stands for a text in memory that has a bound; no two texts have the same."""
    if len(text) <= LONG:
        return text
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def size_of(texts: Iterable[str]) -> int:
    """How many bytes of memory texts take."""
    return sum(map(sys.getsizeof, texts))
