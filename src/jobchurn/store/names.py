r"""Text that PostgreSQL cannot hold, written so that it can, and read back as it was.

A file's name is any sequence of bytes; Python shows the bytes that are not UTF-8 as lone
surrogates (``surrogateescape``). PostgreSQL's ``text`` and ``jsonb`` hold neither surrogates nor
NUL. They are stored as a backslash escape, as a terminal would show them: the byte 0xE9 as
``\xe9``, NUL as ``\x00``, any other lone surrogate as ``\ud800``. A backslash that would read as
such an escape is itself written ``\x5c``, so that :func:`decoded` undoes :func:`encoded` exactly;
every other text is stored as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_CODES = r"x(?:00|5c|[89a-f][0-9a-f])|ud[89a-f][0-9a-f]{2}"
_UNSTORABLE = re.compile(rf"[\x00\ud800-\udfff]|\\(?={_CODES})")
_ESCAPE = re.compile(rf"\\({_CODES})")

_ESCAPED_BYTES = range(0xDC80, 0xDD00)
"""The lone surrogates that stand for the bytes 0x80 to 0xFF."""


def encoded(text: str) -> str:
    """The text as PostgreSQL can hold it."""
    return _UNSTORABLE.sub(_escape, text)


def decoded(text: str) -> str:
    """The text that :func:`encoded` was given."""
    return _ESCAPE.sub(_unescape, text)


def encoded_json(value: Any) -> Any:
    """A value made of JSON's types, every text in it encoded, names of members included."""
    return _mapped(value, encoded)


def decoded_json(value: Any) -> Any:
    """The value that :func:`encoded_json` was given."""
    return _mapped(value, decoded)


def _mapped(value: Any, text_of: Callable[[str], str]) -> Any:
    match value:
        case str():
            return text_of(value)
        case dict():
            return {text_of(key): _mapped(item, text_of) for key, item in value.items()}
        case list() | tuple():
            return [_mapped(item, text_of) for item in value]
    return value


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code in _ESCAPED_BYTES:
        code -= 0xDC00
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def _unescape(found: re.Match[str]) -> str:
    code = int(found[1][1:], 16)
    return chr(code + 0xDC00 if 0x80 <= code <= 0xFF else code)
