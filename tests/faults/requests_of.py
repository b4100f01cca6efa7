"""Requests made from the OpenAPI document: sound ones, and ones with something wrong; by seed."""

from __future__ import annotations

import json
import random
import string
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
    b'{"records": [' + b"[" * 500 + b"]" * 500 + b"]}",
    b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    b"[" * 100_000,
    b'{"records": [' + b"1" * 10_000 + b"]}",
]


@dataclass
class Asked:
    """A request.

    Attributes:
        method, path: as the document has them; the path with its parameters still in braces.
        address: what is asked for.
        headers: names and values, as bytes: clients would refuse to send some of them as texts.
        body: the bytes, or ``None``.
    """

    method: str
    path: str
    address: str
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes | None = None


class Requests:
    """Makes requests to the endpoints that a document describes."""

    def __init__(self, document, names_of_reports=()) -> None:
        self._document = document
        self._reports = list(names_of_reports)
        self._operations = [
            (method.upper(), path, operation)
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
        ]
        # Where much can be sent, much is tried.
        self._weights = [
            12 if "requestBody" in operation else 1 + 2 * len(operation.get("parameters", []))
            for _, _, operation in self._operations
        ]

    def of(self, seed: int) -> Asked:
        """The request of a seed."""
        chance = random.Random(seed)
        [(method, path, operation)] = chance.choices(self._operations, self._weights)
        asked = Asked(method, path, path)
        self._fill_in(asked, operation.get("parameters", []), chance)
        if "requestBody" in operation:
            self._add_body(asked, operation, chance)
        if chance.random() < 0.03:
            asked.method = chance.choice(
                ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]
            )
        if chance.random() < 0.02:
            asked.address = f"{asked.address}/{quote(chance.choice(STRANGE_TEXTS[5:]))}"
        return asked

    def _fill_in(self, asked, parameters, chance) -> None:
        query = []
        for parameter in parameters:
            name, where = parameter["name"], parameter["in"]
            if not parameter.get("required") and chance.random() < 0.5:
                continue
            if chance.random() < 0.2:
                value = chance.choice(STRANGE_TEXTS)
            else:
                value = self.value_of(parameter["schema"], chance)
            text = quote(str(value).encode(errors="surrogatepass"), safe="")
            if where == "query":
                query.append(f"{name}={text}")
            elif where == "path":
                asked.address = asked.address.replace(f"{{{name}}}", text or "%20")
            else:
                asked.headers[name.encode()] = text.encode()
        if chance.random() < 0.03:
            query.append(f"{quote(chance.choice(STRANGE_TEXTS[6:]))}=1")
        if query:
            asked.address += "?" + "&".join(query)

    def _add_body(self, asked, operation, chance) -> None:
        asked.headers[b"content-type"] = b"application/json"
        if chance.random() < 0.03:
            asked.headers[b"content-type"] = chance.choice([b"", b"text/plain", b"\xff", b";;"])
        if chance.random() < 0.01:
            asked.headers[b"content-encoding"] = chance.choice([b"gzip", b"\xe9"])
        if chance.random() < 0.1:
            asked.body = chance.choice(STRANGE_BODIES)
            return
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        body = self.value_of(schema, chance)
        for _ in range(chance.choice([0, 0, 0, 1, 1, 2])):
            _damage(body, chance)
        octets = bytearray(json.dumps(body).encode())
        if chance.random() < 0.05:
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        asked.body = bytes(octets)

    def value_of(self, schema, chance):
        """A value that a schema admits, as far as this knows the language."""
        schema = self._resolved(schema)
        if "anyOf" in schema:
            return self.value_of(chance.choice(schema["anyOf"]), chance)
        if "enum" in schema:
            return chance.choice(schema["enum"])
        if "const" in schema:
            return schema["const"]
        if schema.get("examples") and schema.get("type") != "object" and chance.random() < 0.5:
            return chance.choice(schema["examples"])
        make = getattr(self, f"_{schema.get('type', 'null')}")
        return make(schema, chance)

    def _resolved(self, schema):
        while "$ref" in schema:
            found = self._document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        return schema

    def _object(self, schema, chance):
        required = schema.get("required", [])
        return {
            name: self.value_of(part, chance)
            for name, part in schema.get("properties", {}).items()
            if name in required or chance.random() < 0.6
        }

    def _array(self, schema, chance):
        count = chance.choice([0, 1, 1, 2, 3])
        return [self.value_of(schema.get("items", {}), chance) for _ in range(count)]

    def _string(self, schema, chance):
        if schema.get("format") == "date":
            return f"2026-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}"
        if self._reports and chance.random() < 0.2:
            return chance.choice(self._reports)
        longest = min(schema.get("maxLength", 20), 20)
        length = chance.randint(max(schema.get("minLength", 1), 1), longest)
        return "".join(chance.choices(string.ascii_letters + string.digits, k=length))

    def _integer(self, schema, chance):
        least = schema.get("minimum", 0)
        most = schema.get("maximum", 2**31)
        return chance.choice([int(least), int(most), chance.randint(int(least), int(most))])

    def _number(self, schema, chance):
        return chance.uniform(schema.get("minimum", 0), schema.get("maximum", 1))

    def _boolean(self, _schema, chance):
        return chance.random() < 0.5

    def _null(self, _schema, _chance):
        return None


def _damage(body, chance) -> None:
    """Change something somewhere below a value."""
    holder = body
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            break
        key = chance.choice(keys)
        if isinstance(holder[key], dict | list) and chance.random() < 0.8:
            holder = holder[key]
            continue
        if isinstance(holder, dict) and chance.random() < 0.3:
            del holder[key]
        else:
            holder[key] = chance.choice(STRANGE_VALUES)
        return
    if isinstance(holder, list):
        holder.append(chance.choice(STRANGE_VALUES))
    else:
        holder[chance.choice(STRANGE_TEXTS)] = chance.choice(STRANGE_VALUES)
