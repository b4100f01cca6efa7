"""The keys that are worth something: looked up again and again, so that no request has to.

A request costs no query, whatever it carries: a key that nobody knows is looked for in memory. What
was made or revoked counts within a second, in every process that serves.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from jobchurn.access import Key, KnownKey, is_genuine
from jobchurn.api.lookout import Lookout
from jobchurn.errors import NotReady
from jobchurn.store.api_keys import ApiKeys

POLL_SECONDS = 0.4
"""How often the keys are looked up."""

TRUSTED_SECONDS = 300.0
"""For how long they count without the database: who can reach it may have revoked one of them."""


class Keyring(Lookout):
    """The keys that are worth something."""

    def __init__(self, keys: ApiKeys) -> None:
        super().__init__("the keys", POLL_SECONDS)
        self._keys = keys
        self._known: Mapping[str, KnownKey] = {}
        self._looked: float | None = None
        self._used: set[str] = set()

    def find(self, key: Key) -> KnownKey | None:
        """What is known of a key that is genuine and worth something; ``None`` for any other.

        Raises:
            NotReady: it cannot be told, as the keys could not be looked up for long.
        """
        if self._looked is None or time.monotonic() - self._looked > TRUSTED_SECONDS:
            raise NotReady(
                "Keys cannot be told from forged ones: the database does not answer.",
                "See `jobchurn status` and the API's log.",
            )
        known = self._known.get(key.id)
        if not is_genuine(key, known) or known is None or not known.is_alive(datetime.now(UTC)):
            return None
        self._used.add(known.id)
        return known

    def _see(self) -> None:
        """Look the keys up, and note which were in use."""
        used, self._used = self._used, set()
        # Before, not after: what is revoked while the answer is on its way is not in it.
        begun = time.monotonic()
        known = {key.id: key for key in self._keys.alive()}
        stale = [name for name, key in known.items() if name in used and _is_unnoted(key)]
        self._known, self._looked = known, begun
        if stale:
            self._keys.note_use(stale)


def _is_unnoted(key: KnownKey) -> bool:
    """Whether this hour's use of a key is not written down yet, as far as this clock knows."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return key.last_used_at is None or key.last_used_at < hour
