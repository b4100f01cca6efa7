"""The keys with which the stack's own programs ask the API, where it asks for keys.

They are made anew at each start, so that none has to be kept: the former ones are worth nothing
from then on.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from jobchurn.access import Key, Scope
from jobchurn.settings import Settings

SCOPES: Mapping[str, frozenset[Scope]] = {
    "webapp": frozenset({Scope.PREDICT, Scope.READ}),
    "airflow": frozenset({Scope.SCHEDULED}),
}
"""Service → what it asks the API for."""


@dataclass(frozen=True)
class ServiceKey:
    """The key of one service.

    Attributes:
        name: what people call it; no key that people make is called so.
        key: the key.
        scopes: what it is for.
    """

    name: str
    key: Key
    scopes: frozenset[Scope]


def service_keys(settings: Settings, services: Collection[str]) -> Mapping[str, ServiceKey]:
    """Keys for those of the services that ask the API.

    None where nobody is asked for one, where the API is not among the services, or where the
    settings hold the key to use.
    """
    if not settings.keys_required or "api" not in services or settings.api_key is not None:
        return {}
    home = f"{socket.gethostname()}:{settings.home}"
    # Two stacks may share a database, and neither takes the other's keys for its former ones.
    mark = hashlib.sha256(home.encode()).hexdigest()[:8]
    return {
        service: ServiceKey(f"service:{service}:{mark}", Key.make(), scopes)
        for service, scopes in SCOPES.items()
        if service in services
    }
