"""Strange requests: what no generator of JSON by a schema makes, put into every place there is.

NUL and lone surrogates, names that stand twice, NaN and numbers beyond all bounds, nesting, bytes
that are no text, types and encodings that are none: each into each parameter, header, field and
body that the OpenAPI document has.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from urllib.parse import quote

STRANGE_TEXTS = [
    "",
    " ",
    "\0",
    "\ud800",
    "a\ud800b",
    "\x7f\x85",
    "\u2028",
    "\U0001f600" * 40,
    "x" * 5_000,
    "NaN",
    "-0.0",
    "1e400",
    "0x1F",
    "٣",
    "%00",
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "'; DROP TABLE predictions; --",
    "2026-02-30",
    "9999-12-31",
    "0001-01-01",
    "AAAAAAAAAAAAAAAAAAAAAA==",
    "f" * 64 + ".html",
]
STRANGE_VALUES = [
    None,
    True,
    False,
    0,
    -1,
    2**31,
    2**63,
    2**64,
    -(2**63) - 1,
    10**400,
    0.1,
    -0.0,
    1e308,
    5e-324,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    {"": None},
    {"a": [{"b": {}}]},
    *STRANGE_TEXTS,
]
STRANGE_BODIES = [
    b"",
    b" ",
    b"null",
    b"[]",
    b"{}",
    b"0",
    b'"records"',
    b"{",
    b'{"records"',
    b'{"records": [}',
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\0}\0",
    b'{"records": [], "records": []}',
    b'{"records": [{"a": 1, "a": 2}]}',
    b'{"records": [NaN]}',
    b'{"records": ["\\ud800"]}',
    b'{"records": [1e999]}',
    b'{"records": [Infinity]}',
    b"\xff\xff",
    b'{"records": ["\xed\xa0\x80"]}',
    b'{"records": ["\0"]}',
    b'{"records": [' + b"[" * 500 + b"]" * 500 + b"]}",
    b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    b"[" * 100_000,
    b'{"records": [' + b"1" * 10_000 + b"]}",
]


TYPES = ["", "text/plain", "\xff", ";;", "application/json;charset=utf-16", "application/jso\xf1"]
ENCODINGS = ["gzip", "\xe9", "identity, br", "x" * 5_000]
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"]


@dataclass(frozen=True)
class Asked:
    """A request.

    Attributes:
        method, path: as the document has them; the path with its parameters still in braces.
        address: what is asked for.
        headers: names and values, as bytes: clients would refuse to send some of them as texts.
        body: the bytes, or ``None``.
        is_refused: whether nothing but a refusal will do.
    """

    method: str
    path: str
    address: str
    headers: tuple[tuple[bytes, bytes], ...] = field(default=())
    body: bytes | None = None
    is_refused: bool = False


def strange_requests(document, sound) -> Iterator[Asked]:
    """Every strange request to the endpoints that a document describes.

    Args:
        document: the OpenAPI document.
        sound: a path → sound bodies for it, of all paths that take one.
    """
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield from _by_parameters(method.upper(), path, operation.get("parameters", []))
        for method in METHODS:
            yield Asked(method, path, _filled(path))
    for path, bodies in sound.items():
        octets = json.dumps(bodies[0]).encode()
        yield from _by_bodies(path)
        yield from _by_forms(path, octets)
        yield from _by_bytes(path, octets)
        for body in bodies:
            yield from _by_fields(path, body, is_refused=not body.get("partial"))


def _by_parameters(method, path, parameters) -> Iterator[Asked]:
    if any(parameter["in"] == "query" for parameter in parameters):
        parameters = [*parameters, *({"in": "query", "name": name} for name in STRANGE_TEXTS)]
    for parameter in parameters:
        for text in STRANGE_TEXTS:
            value = _quoted(text)
            match parameter["in"]:
                case "query":
                    yield Asked(
                        method, path, f"{_filled(path)}?{_quoted(parameter['name'])}={value}"
                    )
                case "path":
                    yield Asked(method, path, _filled(path, value or "%20"))
                case "header" if method == "GET":
                    name = parameter["name"].encode()
                    octets = text.encode("utf-8", "surrogatepass")
                    yield Asked(method, path, _filled(path), ((name, _one_line(octets)),))


def _by_bodies(path) -> Iterator[Asked]:
    for body in STRANGE_BODIES:
        yield Asked("POST", path, path, _JSON, body, is_refused=True)


def _by_forms(path, body) -> Iterator[Asked]:
    for kind in TYPES:
        headers = ((b"content-type", kind.encode("latin-1")),)
        yield Asked("POST", path, path, headers, body)
    for encoding in ENCODINGS:
        headers = (*_JSON, (b"content-encoding", encoding.encode("latin-1")))
        yield Asked("POST", path, path, headers, body, is_refused=True)
    for text in STRANGE_TEXTS:
        octets = _one_line(text.encode("utf-8", "surrogatepass"))
        yield Asked("POST", path, path, (*_JSON, (b"idempotency-key", octets)), body)


def _by_fields(path, body, *, is_refused) -> Iterator[Asked]:
    """Each strange value in the place of each value, each strange name beside each name."""
    for place in _places(body):
        for value in STRANGE_VALUES:
            yield Asked("POST", path, path, _JSON, _encoded(_with(body, place, value)))
        if isinstance(_at(body, place), dict):
            for name in STRANGE_TEXTS:
                changed = _with(body, (*place, name), 1)
                yield Asked("POST", path, path, _JSON, _encoded(changed), is_refused=is_refused)


def _by_bytes(path, body) -> Iterator[Asked]:
    """One byte changed, by chance that is the same every time."""
    chance = random.Random(0)
    for _ in range(200):
        octets = bytearray(body)
        octets[chance.randrange(len(octets))] = chance.randrange(256)
        yield Asked("POST", path, path, _JSON, bytes(octets))


_JSON = ((b"content-type", b"application/json"),)


def _places(value, place=()) -> Iterator[tuple]:
    yield place
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from _places(value[key], (*place, key))


def _at(value, place):
    for key in place:
        value = value[key]
    return value


def _with(body, place, value):
    """A copy of a body with another value at a place."""
    if not place:
        return value
    changed = deepcopy(body)
    _at(changed, place[:-1])[place[-1]] = value
    return changed


def _encoded(value) -> bytes:
    """JSON as Python writes it: NaN, infinities and lone surrogates included."""
    return json.dumps(value).encode()


def _quoted(text) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def _one_line(octets) -> bytes:
    """What a header's value may be at all."""
    return bytes(octet for octet in octets if octet not in b"\0\r\n")


def _filled(path, value="x") -> str:
    """The path with a value for its parameter."""
    before, brace, after = path.partition("{")
    return f"{before}{value}{after.partition('}')[2]}" if brace else path
