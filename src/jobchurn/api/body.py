"""Request bodies: bounded in bytes and in time while they arrive, then parsed strictly."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import orjson
from starlette.requests import Request

from jobchurn.contract import shown
from jobchurn.errors import (
    InvalidRequest,
    Overloaded,
    TooLarge,
    TooSlow,
    UnsupportedMediaType,
)

DEEPEST = 32
"""How deeply JSON may be nested: the answer to a record is three deep, and nothing needs more."""

LONGEST_SILENCE = 30.0
"""Seconds after which a client that has stopped sending is given up."""

SLOWEST = 50_000
"""Bytes a second that a body must come with on average, past its first :data:`LONGEST_SILENCE`."""

LARGE = 1024 * 1024
"""Bytes from which on a body is large: its records take a multiple of it in memory."""

LARGE_AT_ONCE = 2
"""How many large bodies are worked on at a time; others wait, read but not parsed."""

TURN_SECONDS = 30.0
"""How long a large body waits for its turn before whoever sent it is told to come again."""

VALUES_PER_RECORD = 32
"""How many values a body may hold for each record that one may: a contract's columns, doubled."""

_BODIES_AT_ONCE = 4
"""How many bodies of the greatest size are held in memory at once, over all requests."""


class Bodies:
    """Takes request bodies in, within bounds on each and on all together.

    Args:
        largest: the most bytes of one body.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._free = largest * _BODIES_AT_ONCE
        self._turns = asyncio.Semaphore(LARGE_AT_ONCE)

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """The body of a request, counted as held for as long as the block runs.

        Raises:
            UnsupportedMediaType: it is not plain JSON.
            TooLarge: it is larger than one body may be.
            Overloaded: all bodies together would be too large, or large ones take too long.
            TooSlow: the client stopped sending, or hardly sends.
        """
        _check_form(request)
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and (len(declared) > 18 or int(declared) > self._largest):
            self._too_large()
        held = 0
        parts: list[bytes] = []
        arriving = request.stream()
        begun = time.monotonic()
        try:
            while (part := await _next(arriving)) is not None:
                held += len(part)
                self._free -= len(part)
                if held > self._largest:
                    self._too_large()
                if self._free < 0:
                    raise Overloaded(
                        "Too many large requests are being read.", "Send it again in a moment."
                    )
                if time.monotonic() - begun > LONGEST_SILENCE + held / SLOWEST:
                    raise TooSlow(
                        f"The body comes with less than {SLOWEST:,} bytes a second.",
                        "Send it again, over a faster connection, or in parts.",
                    )
                parts.append(part)
            body = b"".join(parts)
            parts.clear()
            async with self._turn(len(body)):
                yield body
        finally:
            self._free += held

    @asynccontextmanager
    async def _turn(self, size: int) -> AsyncIterator[None]:
        """The time in which a body of this size is worked on; it waits for none that is small."""
        if size < LARGE:
            yield
            return
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise Overloaded(
                "Too many large requests are being worked on.", "Send it again in a moment."
            ) from None
        try:
            yield
        finally:
            self._turns.release()

    def _too_large(self) -> NoReturn:
        raise TooLarge(
            f"The body is larger than {self._largest:,} bytes.",
            "Send the records in several requests.",
            {"limit": self._largest},
        )


async def _next(arriving: AsyncIterator[bytes]) -> bytes | None:
    try:
        async with asyncio.timeout(LONGEST_SILENCE):
            return await anext(arriving, None)
    except TimeoutError:
        raise TooSlow(
            f"Nothing of the body arrived for {LONGEST_SILENCE:g} seconds.",
            "Send it again, over a faster connection.",
        ) from None


def _check_form(request: Request) -> None:
    """Only what says that it is JSON is read: a foreign web page cannot make a browser send it."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMediaType(
            f"The body's type is {shown(kind)}.", "Send it with Content-Type: application/json."
        )
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        raise UnsupportedMediaType(
            f"The body's encoding is {shown(coding)}.", "Send it without compression."
        )


def parse(body: bytes, most_values: int | None = None) -> Any:
    """The value of a JSON text, taken strictly.

    Refused, beside what is no JSON (NaN and infinities, lone surrogates and bytes that are not
    UTF-8 among it): a name that stands twice in one object, and nesting beyond :data:`DEEPEST`.

    Args:
        body: the text.
        most_values: how many values it may hold, containers included. They are counted before they
            are made: an empty object takes three bytes here, and a hundred in memory.

    Raises:
        InvalidRequest: it is refused; the message says where and why.
        TooLarge: it holds more values.
    """
    if most_values is not None and _values_at_most(body) > most_values:
        raise TooLarge(
            f"The body holds more than {most_values:,} values.",
            "Send the records in several requests, each with the fields of the contract alone.",
        )
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        cure = "Send a JSON object in UTF-8."
        if error.doc.startswith(("NaN", "Infinity"), error.pos):  # Python's json writes them
            cure = "JSON has no NaN and no infinity: send null where there is no value."
        raise InvalidRequest(
            f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno}).", cure
        ) from None
    names = _names(value)
    # Each name stands before a colon. Where there are no more colons than names were kept, none
    # was dropped; where there are more, they may stand inside texts, and only looking tells.
    if body.count(b":") > names:
        _refuse_repeated_names(body)
    return value


def _values_at_most(body: bytes) -> int:
    """How many values a JSON text may hold: each follows a comma, or begins with or in a bracket.

    Signs inside texts are counted too; there are few of them in what anybody sends.
    """
    return 1 + sum(map(body.count, (b",", b"{", b"[")))


def _names(value: Any) -> int:
    """How many names all objects hold together.

    Raises:
        InvalidRequest: the value is nested too deeply.
    """
    names = 0
    level = [value] if isinstance(value, dict | list) else []
    depth = 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise InvalidRequest(
                f"The body is nested more than {DEEPEST} deep.", "Send a list of flat records."
            )
        below: list[Any] = []
        for container in level:
            children: Iterable[Any] = container
            if isinstance(container, dict):
                names += len(container)
                children = container.values()
            below += [child for child in children if isinstance(child, dict | list)]
        level = below
    return names


def _refuse_repeated_names(body: bytes) -> None:
    def check(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise InvalidRequest(
                    f"The field {shown(name)} stands twice in one object.", "Send it once."
                )
            seen.add(name)

    # Numbers are left as text: the standard library refuses long ones, which are judged elsewhere.
    json.loads(body.decode(), object_pairs_hook=check, parse_int=str, parse_float=str)
