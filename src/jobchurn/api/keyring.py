"""The keys that are worth something: looked up again and again, so that no request has to.

A request costs no query, whatever it carries: a key that nobody knows is looked for in memory. What
was made or revoked counts within a second, in every process that serves.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from jobchurn.access import Key, KnownKey, is_genuine
from jobchurn.errors import JobchurnError, NotReady
from jobchurn.store.api_keys import ApiKeys

log = logging.getLogger(__name__)

POLL_SECONDS = 0.4
"""How often the keys are looked up."""

TRUSTED_SECONDS = 300.0
"""For how long they count without the database: who can reach it may have revoked one of them."""


class Keyring:
    """The keys that are worth something."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys
        self._known: Mapping[str, KnownKey] = {}
        self._looked: float | None = None
        self._used: set[str] = set()
        self._noted = ""

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

    def look(self) -> None:
        """Look the keys up once, and note which were in use.

        Whatever goes wrong is logged, once for as long as it lasts, and leaves them as they are.
        """
        used, self._used = self._used, set()
        # Before, not after: what is revoked while the answer is on its way is not in it.
        begun = time.monotonic()
        try:
            known = {key.id: key for key in self._keys.alive()}
            stale = [name for name, key in known.items() if name in used and _is_unnoted(key)]
            self._known, self._looked = known, begun
            if stale:
                self._keys.note_use(stale)
        except Exception as error:  # noqa: BLE001  (the watch outlives whatever happens)
            self._note(error)
        else:
            self._noted = ""

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await asyncio.to_thread(self.look)

    def _note(self, error: Exception) -> None:
        if repr(error) != self._noted:
            trace = None if isinstance(error, JobchurnError) else error
            log.warning("the keys cannot be looked up: %s", error, exc_info=trace)
        self._noted = repr(error)


def _is_unnoted(key: KnownKey) -> bool:
    """Whether this hour's use of a key is not written down yet, as far as this clock knows."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return key.last_used_at is None or key.last_used_at < hour
