"""Lets the API know the keys with which the other services ask it.

The service ``secrets`` made them. Whoever has one of them revoked has another made by removing the
volume that holds it; see docs/how-to/keys.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from jobchurn import wiring
from jobchurn.access import Key, Scope
from jobchurn.store.api_keys import ApiKeys

SECRETS = Path("/secrets/owner")

SCOPES: Mapping[str, frozenset[Scope]] = {
    "webapp": frozenset({Scope.PREDICT, Scope.READ}),
    "ingestion": frozenset({Scope.SCHEDULED}),
}
"""Whose key it is → what it is for."""


def main() -> None:
    """Register what is not registered; keys of the same names are worth nothing any more."""
    with wiring.services(migrate=False) as services:
        register(services.store.api_keys, SECRETS)


def register(known: ApiKeys, secrets: Path) -> None:
    """Register the keys that lie in a folder."""
    for reader, scopes in SCOPES.items():
        key = Key.parse((secrets / f"{reader}.key").read_text(encoding="utf-8"))
        if key is None:
            raise ValueError(f"{reader}.key holds no key")
        if not known.replace(key, f"service:{reader}", scopes):
            sys.stderr.write(
                f"The key of {reader} was revoked. To have another made, stop everything, remove "
                f"the volume secrets-{reader}, and start again.\n"
            )


if __name__ == "__main__":
    main()
