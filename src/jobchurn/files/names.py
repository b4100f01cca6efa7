"""Names of files: short enough for the file system, not taken, and fit to be shown.

A file's name is any bytes but ``/`` and NUL. Python carries those that are no UTF-8 as lone
surrogates, which no database and no web page takes: see :func:`printable`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from itertools import count
from pathlib import PurePath

from jobchurn.contract import CONTROL_PATTERN

LONGEST_SUFFIX = ".reasons.jsonl"
"""What is appended to a routed file's name, at most."""

LONGEST_NAME = 255 - len(LONGEST_SUFFIX) - len(".0123456789abcdef.tmp")
"""The most bytes of a name that still takes a suffix and one of a temporary file (NAME_MAX 255)."""

_LONGEST_EXTENSION = 16
_ESCAPED = re.compile(rf"{CONTROL_PATTERN}|\\")
_ESCAPE = re.compile(r"\\\\|\\x([0-9a-f]{2})|\\u([0-9a-f]{4})")


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

    What is no UTF-8 is written as ``\xff``, a control character as ``\u000a``, a backslash as two.
    """

    def escaped(found: re.Match[str]) -> str:
        character = found[0]
        if character == "\\":
            return "\\\\"
        code = ord(character)
        return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"

    return _ESCAPED.sub(escaped, name)


def from_printable(text: str) -> str:
    """The name that :func:`printable` showed."""

    def unescaped(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16) + 0xDC00)
        return chr(int(found[2], 16)) if found[2] else "\\"

    return _ESCAPE.sub(unescaped, text)
