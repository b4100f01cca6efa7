"""Request bodies: bounded in bytes and in time while they arrive, then parsed strictly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any, NoReturn

import numpy as np
import orjson
from starlette.requests import Request

from jobchurn.api.repeats import refuse_repeated_names
from jobchurn.contract import shown
from jobchurn.errors import (
    InvalidRequest,
    Overloaded,
    TooLarge,
    TooSlow,
    UnsupportedMediaType,
)

JSON = "application/json"

DEEPEST = 32
"""How deeply JSON may be nested: the answer to a record is three deep, and nothing needs more."""

LONGEST_SILENCE = 30.0
"""Seconds after which a client that has stopped sending is given up."""

SLOWEST = 50_000
"""Bytes a second that a body must come with on average, past its first :data:`LONGEST_SILENCE`."""

LARGE = 1024 * 1024
"""Bytes from which on a body is large: its records take a multiple of it in memory."""

LARGE_IF_SLOW = 64 * 1024
"""The same where each record takes long: that of explanations takes half a second."""

LARGE_AT_ONCE = 2
"""How many large bodies are worked on at a time; others wait, read but not parsed."""

TURN_SECONDS = 30.0
"""How long a large body waits for its turn before whoever sent it is told to come again."""

VALUES_PER_RECORD = 32
"""How many values a body may hold for each record that one may: a contract's columns, doubled."""

VALUES_PER_CONTAINER = 8
"""How many values a body may hold at most for each list or object that it may: each takes as much
memory as many other values, and time to look into, and a record need be but one."""

_STRETCH = 256 * 1024
"""Bytes that are looked at together: they stay in the processor's cache."""

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
        self._slow_turns = asyncio.Semaphore(1)

    @asynccontextmanager
    async def read(
        self,
        request: Request,
        kinds: Collection[str] = (JSON,),
        largest: int | None = None,
        *,
        slow: bool = False,
    ) -> AsyncIterator[bytes]:
        """The body of a request, counted as held for as long as the block runs.

        Args:
            request: whose body has not been read.
            kinds: the media types that it may be of.
            largest: the most bytes that it may have, where that is less than any body may.
            slow: whether records are worked on for far longer than to predict them takes: then a
                body is large much sooner, and one at a time is worked on, beside the others.

        Raises:
            UnsupportedMediaType: it is of another, or compressed.
            TooLarge: it is larger than one body may be.
            Overloaded: all bodies together would be too large, or large ones take too long.
            TooSlow: the client stopped sending, or hardly sends.
        """
        _check_form(request, kinds)
        most = min(self._largest, largest or self._largest)
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and (len(declared) > 18 or int(declared) > most):
            _refuse_large(most, self._largest)
        held = 0
        parts: list[bytes] = []
        arriving = request.stream()
        begun = time.monotonic()
        try:
            while (part := await _next(arriving)) is not None:
                held += len(part)
                self._free -= len(part)
                if held > most:
                    _refuse_large(most, self._largest)
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
            async with self._turn(len(body), slow=slow):
                yield body
        finally:
            self._free += held

    @asynccontextmanager
    async def _turn(self, size: int, *, slow: bool) -> AsyncIterator[None]:
        """The time in which a body of this size is worked on; it waits for none that is small."""
        turns = self._slow_turns if slow else self._turns
        if size < (LARGE_IF_SLOW if slow else LARGE):
            yield
            return
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await turns.acquire()
        except TimeoutError:
            raise Overloaded(
                "Too many large requests are being worked on.", "Send it again in a moment."
            ) from None
        try:
            yield
        finally:
            turns.release()


def _refuse_large(most: int, largest: int) -> NoReturn:
    raise TooLarge(
        f"The body is larger than {most:,} bytes.",
        "Send the records in several requests."
        if most == largest
        else "Send the documented fields alone.",
        {"limit": most},
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


def kind_of(request: Request) -> str:
    """The media type of a request's body, in lower case and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_form(request: Request, kinds: Collection[str]) -> None:
    """Only what says what it is is read: a foreign web page cannot make a browser send it."""
    kind = kind_of(request)
    if kind not in kinds:
        raise UnsupportedMediaType(
            f"The body's type is {shown(kind)}.",
            f"Send it with Content-Type: {' or '.join(kinds)}.",
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
    if most_values is not None:
        refuse_json_values(body, most_values)
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
    # was dropped; where there are more, they may stand inside texts.
    if count(body, (b":",)) > names:
        refuse_repeated_names(body, names)
    return value


def refuse_json_values(body: bytes, most: int, parting: Sequence[bytes] = (b",",)) -> None:
    """Refuse a JSON text that may hold more values than are taken.

    Each value follows a comma, or begins with or in a bracket. Signs inside texts are counted too;
    there are few of them in what anybody sends.

    Args:
        body: the text.
        most: how many values it may hold.
        parting: what stands between values.

    Raises:
        TooLarge: it may hold more, or more lists and objects than records of that many values are.
    """
    containers = count(body, (b"{", b"["))
    _refuse_many_values(1 + containers + count(body, parting), most)
    if containers > most // VALUES_PER_CONTAINER:
        raise TooLarge(
            f"The body holds more than {most // VALUES_PER_CONTAINER:,} lists and objects.",
            "Send the records in several requests, each a flat object.",
        )


def refuse_values(body: bytes, most: int, signs: Sequence[bytes]) -> None:
    """Refuse a text that may hold more values than are taken.

    Args:
        body: the text.
        most: how many values it may hold.
        signs: what stands before values.

    Raises:
        TooLarge: it may hold more.
    """
    _refuse_many_values(1 + count(body, signs), most)


def _refuse_many_values(values: int, most: int) -> None:
    if values > most:
        raise TooLarge(
            f"The body holds more than {most:,} values.",
            "Send the records in several requests, each with the fields of the contract alone.",
        )


def count(body: bytes, signs: Sequence[bytes]) -> int:
    """How often some bytes stand in a body, all together.

    In a large one by numpy, a stretch at a time: ``bytes.count`` takes several times as long for
    what stands there often.
    """
    if len(body) < LARGE:
        return sum(map(body.count, signs))
    numbers = np.frombuffer(body, np.uint8)
    found = 0
    for start in range(0, len(numbers), _STRETCH):
        stretch = numbers[start : start + _STRETCH]
        found += sum(int(np.count_nonzero(stretch == ord(sign))) for sign in signs)
    return found


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
        objects = [container for container in level if type(container) is dict]
        names += sum(map(len, objects))
        lists = [container for container in level if type(container) is list]

        def children(
            objects: list[dict[str, Any]] = objects, lists: list[list[Any]] = lists
        ) -> Iterable[Any]:
            return chain(chain.from_iterable(map(dict.values, objects)), chain.from_iterable(lists))

        # Of many flat records, no value is looked at by itself.
        is_lowest = {dict, list}.isdisjoint(map(type, children()))
        level = [] if is_lowest else [c for c in children() if type(c) in (dict, list)]
    return names
