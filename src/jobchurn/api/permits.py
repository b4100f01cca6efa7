"""Which keys each endpoint is for: written once, beside the endpoint, and read by the gate.

An endpoint that says nothing is for nobody: the gate refuses it, and a test looks for such.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.routing import BaseRoute, Match
from starlette.types import Scope as Request

from jobchurn.access import Scope
from jobchurn.api.problems import documented

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

SCHEME = "key"
"""What the OpenAPI document calls the way in which keys are sent."""

_PERMIT = "__permit__"


@dataclass(frozen=True)
class Permit:
    """Whom an endpoint is for.

    Attributes:
        scopes: a key with any one of these is let in; where there are none, everybody is.
        always: whether a key is asked for even where the API asks nobody for one.
    """

    scopes: frozenset[Scope] = frozenset()
    always: bool = False

    @property
    def is_open(self) -> bool:
        """Whether everybody is let in, whatever key is sent."""
        return not self.scopes


def needs(*scopes: Scope, always: bool = False) -> Callable[[Endpoint], Endpoint]:
    """Let an endpoint be for keys with one of these scopes.

    Args:
        scopes: one at least.
        always: ask for a key even where the API asks nobody for one.
    """
    if not scopes:
        raise ValueError("an endpoint that needs no scope is open, and says so")
    return _with(Permit(frozenset(scopes), always))


def for_everybody(endpoint: Endpoint) -> Endpoint:
    """Let an endpoint be for everybody: it tells nothing that anybody may not know."""
    return _with(Permit())(endpoint)


def permit_of(route: BaseRoute) -> Permit | None:
    """What a route's endpoint says of itself; ``None`` where it says nothing."""
    permit: Permit | None = getattr(getattr(route, "endpoint", None), _PERMIT, None)
    return permit


def route_for(routes: Sequence[BaseRoute], request: Request) -> BaseRoute | None:
    """The route that the router will choose for a request; ``None`` where it will refuse it."""
    for route in routes:
        if route.matches(request)[0] is Match.FULL:
            return route
    return None


def describe_permits(
    document: dict[str, Any], routes: Sequence[BaseRoute], *, required: bool
) -> None:
    """Say in an OpenAPI document which operation asks for which key.

    Args:
        document: the document, to which it is added.
        routes: of the application.
        required: whether keys are asked for; if not, they may be sent all the same.
    """
    document["components"]["securitySchemes"] = {
        SCHEME: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "jc_ID_SECRET",
            "description": "A key that `jobchurn keys create` printed. "
            + ("" if required else "Here nobody is asked for one; one that is sent must be valid."),
        }
    }
    refusals: Mapping[str, Any] = {
        str(status): answer for status, answer in documented(401, 403, 429).items()
    }
    for route in routes:
        permit = permit_of(route)
        operations = document["paths"].get(getattr(route, "path", ""), {})
        for method in getattr(route, "methods", None) or ():
            if permit is None or method.lower() not in operations:
                continue
            operation = operations[method.lower()]
            operation["security"] = _security(permit, required=required)
            if not permit.is_open:
                answers = {**refusals, **operation["responses"]}
                operation["responses"] = dict(sorted(answers.items()))


def _security(permit: Permit, *, required: bool) -> list[dict[str, list[str]]]:
    keys = [{SCHEME: [str(scope)]} for scope in sorted(permit.scopes)]
    return keys if required or permit.always or permit.is_open else [{}, *keys]


def _with(permit: Permit) -> Callable[[Endpoint], Endpoint]:
    def noted(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _PERMIT, permit)
        return endpoint

    return noted
