"""What stands twice in a request and may stand once: refused, since which was meant is a guess."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

import numpy as np
from starlette.requests import Request

from jobchurn.api.faults import LISTED, Fault, echoed, sentence
from jobchurn.contract import shown
from jobchurn.errors import InvalidRequest

NAMED_UP_TO = 1024 * 1024
"""Bytes of a JSON text up to which a name that stands twice is told. To find it takes the parser of
the standard library, which keeps every other thread waiting until it is through."""

_STRETCH = 256 * 1024
"""Bytes that are looked at together: they stay in the processor's cache."""

_QUOTE, _COLON = b'":'


def once_each(*, but: tuple[str, ...] = ()) -> Callable[[Request], Awaitable[None]]:
    """A dependency of an endpoint: no parameter of the query stands twice.

    Args:
        but: how the names begin of those that may.
    """

    async def check(request: Request) -> None:
        names = (name for name, _ in request.query_params.multi_items())
        refuse_repeats(name for name in names if not name.startswith(but))

    return check


def refuse_repeats(names: Iterable[str]) -> None:
    """Refuse names of which one stands twice.

    Raises:
        InvalidRequest: it lists each.
    """
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        faults = [_fault(name) for name in repeated[:LISTED]]
        raise InvalidRequest(sentence(faults[0]["message"]), "Send it once.", {"errors": faults})


def _fault(name: str) -> Fault:
    field = str(echoed(name))
    return {
        "field": field,
        "value": None,
        "rule": "sent once",
        "allowed": None,
        "nearest": None,
        "message": f"{shown(name)} stands more than once in the request",
    }


def refuse_repeated_names(body: bytes, names: int) -> None:
    """Refuse a JSON text in which a name stands twice in one object.

    Args:
        body: the text, which has been parsed: it is JSON.
        names: how many names of all objects were kept.

    Raises:
        InvalidRequest: a name was dropped.
    """
    if _names_in(body) == names:
        return
    if len(body) > NAMED_UP_TO:
        raise InvalidRequest("A field stands twice in one object.", "Send each field once.")

    def check(pairs: list[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise InvalidRequest(
                    f"The field {shown(name)} stands twice in one object.", "Send it once."
                )
            seen.add(name)

    # Numbers are left as text: the standard library refuses long ones, which are judged elsewhere.
    json.loads(body.decode(), object_pairs_hook=check, parse_int=str, parse_float=str)


def _names_in(body: bytes) -> int:
    """How many names stand in a JSON text: each before a colon that is in no text."""
    if b"\\" in body:
        # A quote that is escaped ends no text. Backslashes stand in texts alone.
        body = body.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    signs = np.frombuffer(body, np.uint8)
    names, is_within = 0, np.uint8(0)
    for start in range(0, len(signs), _STRETCH):
        stretch = signs[start : start + _STRETCH]
        # How many quotes stand up to here: an odd number where a text has begun.
        quotes = np.cumsum(stretch == _QUOTE, dtype=np.uint8)
        quotes += is_within
        names += int(np.count_nonzero((stretch == _COLON) & (quotes & 1 == 0)))
        is_within = quotes[-1] & 1
    return names
