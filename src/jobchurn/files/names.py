"""Names of files: short enough for the file system, not taken, and fit to be shown.

A file's name is any bytes but ``/`` and NUL. Python carries those that are no UTF-8 as lone
surrogates, which no database and no web page takes: see :func:`printable`.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Callable
from itertools import count
from pathlib import PurePath

LONGEST_SUFFIX = ".reasons.jsonl"
"""What is appended to a routed file's name, at most."""

LONGEST_NAME = 255 - len(LONGEST_SUFFIX) - len(".0123456789abcdef.tmp")
"""The most bytes of a name that still takes a suffix and one of a temporary file (NAME_MAX 255)."""

_LONGEST_EXTENSION = 16
_ESCAPE = re.compile(r"\\\\|\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")
_RAW_BYTES = range(0xDC80, 0xDD00)


def shortened(name: str, suffix: str = "") -> str:
    """A name with ``suffix`` before its extension, at most :data:`LONGEST_NAME` bytes long.

    What had to be cut is told apart by 8 hexadecimal digits of the whole name's hash.
    """
    path = PurePath(name)
    extension = path.suffix if len(os.fsencode(path.suffix)) <= _LONGEST_EXTENSION else ""
    stem = name.removesuffix(extension)
    if len(os.fsencode(stem + suffix + extension)) <= LONGEST_NAME:
        return stem + suffix + extension
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    tail = f"-{digest}{suffix}{extension}"
    # Character by character, so that none is cut in two.
    while len(os.fsencode(stem + tail)) > LONGEST_NAME:
        stem = stem[:-1]
    return stem + tail


def free_name(name: str, taken: Callable[[str], bool]) -> str:
    """The first of ``name.csv``, ``name-2.csv``, ``name-3.csv`` … that is not taken."""
    for number in count(1):
        candidate = shortened(name, "" if number == 1 else f"-{number}")
        if not taken(candidate):
            return candidate
    raise AssertionError


def printable(name: str) -> str:
    r"""A name as text for people and databases, from which :func:`from_printable` makes it again.

    It is one line that turns and steers nothing: what is no UTF-8 is written as ``\xff``; controls,
    and whatever else cannot be seen, as ``\u202e``; a backslash as two.
    """
    return "".join(map(_visible, name))


def _visible(character: str) -> str:
    code = ord(character)
    if character == "\\":
        return "\\\\"
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    if code in _RAW_BYTES:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def from_printable(text: str) -> str:
    """The name that :func:`printable` showed."""

    def unescaped(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16) + 0xDC00)
        code = found[2] or found[3]
        return chr(int(code, 16)) if code else "\\"

    return _ESCAPE.sub(unescaped, text)
