"""The gate: who is let in. Nobody without a key, but to what is open; nobody to another's endpoint.

Keys are asked for as soon as the API listens beyond this machine; that cannot be turned off. On
loopback nobody is asked, but a key that is sent must be valid, and it opens what it is for; and who
sends none must call this machine by a name of its own. A page on the internet may have a browser on
this machine ask in the name of a host of its own, which it lets mean 127.0.0.1 (DNS rebinding).

It stands before the router: what does not exist, a method that is not taken, and an endpoint that
does not say whom it is for are all behind it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NoReturn

from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Asked

from jobchurn.access import Key, KnownKey, Scope, is_loopback
from jobchurn.api.callers import CALLER
from jobchurn.api.keyring import Keyring
from jobchurn.api.permits import Permit, permit_of, route_for
from jobchurn.api.problems import answer_foreseen, number_of
from jobchurn.api.rates import Rates
from jobchurn.api.signed import SIGNED
from jobchurn.contract import shown
from jobchurn.errors import Forbidden, JobchurnError, TooManyRequests, Unauthenticated

log = logging.getLogger(__name__)

_CHALLENGE = 'Bearer realm="jobchurn"'
_HOST = re.compile(r"(\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[0-9A-Za-z._-]+))(:[0-9]*)?")
_CURE = "Send `Authorization: Bearer KEY`, with a key that `jobchurn keys create` printed."


class _Refused(Exception):
    """The request is not let in."""

    def __init__(self, error: JobchurnError, headers: dict[str, str]) -> None:
        super().__init__(error.message)
        self.error = error
        self.headers = headers


class Gate:
    """Wraps the router; pure ASGI.

    Args:
        app: what is wrapped. HEAD has become GET further out, and signed links are admitted.
        routes: of the application.
        required: whether whoever has no key is refused.
        names: by which the API is called, other than those of this machine.
        keyring: the keys that are worth something.
        rates: how much each may ask.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: Sequence[BaseRoute],
        required: bool,
        names: Collection[str],
        keyring: Keyring,
        rates: Rates,
    ) -> None:
        self._app = app
        self._routes = routes
        self._required = required
        self._names = names
        self._keyring = keyring
        self._rates = rates
        self._known: dict[tuple[str, str], BaseRoute] = {}

    async def __call__(self, scope: Asked, receive: Receive, send: Send) -> None:
        """Let one request pass, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})  # there is none that it could be
            return
        try:
            self._admit(scope)
        except _Refused as refused:
            request = Request(scope)
            # Whoever is told to wait is not noted too: that would fill the log.
            if not isinstance(refused.error, TooManyRequests):
                log.info("request %s: %s", number_of(request), refused.error.message)
            response = answer_foreseen(request, refused.error, refused.headers)
        except JobchurnError as error:
            response = answer_foreseen(Request(scope), error)
        else:
            await self._app(scope, receive, send)
            return
        await response(scope, receive, send)

    def _admit(self, request: Asked) -> None:
        """Return where the request may pass.

        Raises:
            _Refused: it may not.
            NotReady: it cannot be told whether it may.
        """
        route = self._route_of(request)
        if route is None:
            # The router will refuse it, once it is known who asks.
            permit = None
        else:
            request["route"] = route  # so that the measuring knows what was refused
            permit = permit_of(route)
            if permit is None:
                raise _refusal("This endpoint is for nobody.")
            if permit.is_open:
                return
        if sent := _sent(request, b"authorization"):
            key = self._authenticated(request, sent)
            self._spend(key)
            if permit is not None and not permit.scopes & key.scopes:
                raise _refusal(f"The key {key.name} is for other endpoints.", permit)
            request["state"][CALLER] = key
        elif request["state"].get(SIGNED):
            if permit is not None and Scope.READ not in permit.scopes:
                raise _refusal("A link opens other endpoints.", permit)
        elif self._required or (permit is not None and permit.always):
            self._fail(request, "The request carries no key.", _CHALLENGE)
        else:
            self._check_name(request)

    def _route_of(self, request: Asked) -> BaseRoute | None:
        """The route that the router will choose; where its path is plain, it is remembered."""
        place = request["method"], request["path"]
        if (known := self._known.get(place)) is not None:
            return known
        route = route_for(self._routes, request)
        is_plain = getattr(route, "path", None) == request["path"] and not request.get("root_path")
        if route is not None and is_plain:
            self._known[place] = route
        return route

    def _authenticated(self, request: Asked, sent: Sequence[str]) -> KnownKey:
        """The key that a request carries."""
        kind, _, text = sent[0].partition(" ")
        key = Key.parse(text.strip(" ")) if kind.lower() == "bearer" and len(sent) == 1 else None
        known = self._keyring.find(key) if key is not None else None
        if known is None:
            self._fail(
                request,
                "The request's key is none of ours, or none any more.",
                f'{_CHALLENGE}, error="invalid_token"',
            )
        return known

    def _fail(self, request: Asked, why: str, challenge: str) -> NoReturn:
        client = request.get("client")
        wait = self._rates.note_failure(client[0] if client else "")
        if wait is None:
            raise _Refused(Unauthenticated(why, _CURE), {"WWW-Authenticate": challenge})
        raise _too_many("Too many requests came with no or a wrong key.", wait)

    def _check_name(self, request: Asked) -> None:
        """Refuse a request that means a host of another name; HTTP 1.0 need name none."""
        for sent in _sent(request, b"host"):
            name, is_here = _name_in(sent)
            if not is_here and name not in self._names:
                why = f"The request is for {shown(sent)}, which is no name of this service."
                cure = "Ask at 127.0.0.1, set API_PUBLIC_URL to that address, or send a key."
                raise _Refused(Forbidden(why, cure), {})

    def _spend(self, key: KnownKey) -> None:
        wait = self._rates.spend(key)
        if wait is not None:
            raise _too_many(f"The key {key.name} has used up this minute's requests.", wait)


def _sent(request: Asked, header: bytes) -> list[str]:
    """Every value of a header."""
    return [value.decode("latin-1") for name, value in request["headers"] if name == header]


@lru_cache(maxsize=256)
def _name_in(host: str) -> tuple[str, bool]:
    """The name in a Host header, and whether it means this machine.

    The name is in lower case and without its port; empty where it is none.
    """
    found = _HOST.fullmatch(host)
    name = (found["address"] or found["name"]).lower() if found else ""
    return name, is_loopback(name)


def _refusal(why: str, permit: Permit | None = None) -> _Refused:
    if permit is None:
        return _Refused(Forbidden(why, "Ask another endpoint."), {})
    scopes = sorted(permit.scopes)
    wanted = " or ".join(scopes)
    challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{scopes[0]}"'
    cure = f"Send a key with the scope {wanted}."
    return _Refused(Forbidden(why, cure), {"WWW-Authenticate": challenge})


def _too_many(why: str, wait: int) -> _Refused:
    error = TooManyRequests(why, f"Ask again in {wait} s.")
    return _Refused(error, {"Retry-After": str(wait)})
