"""What stands twice in a request and may stand once: refused, since which was meant is a guess."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

from starlette.requests import Request

from jobchurn.api.faults import LISTED, Fault, echoed, sentence
from jobchurn.contract import shown
from jobchurn.errors import InvalidRequest


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
