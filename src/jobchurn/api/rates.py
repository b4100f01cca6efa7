"""How much each key may ask, and how often a client may come with a wrong one.

Counted in memory, by each process that serves: of four workers each lets a key make its requests.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import deque

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from jobchurn.access import KnownKey

FAILURES_PER_MINUTE = 60
"""How many requests with no or a wrong key a client may make, before it is told to wait."""

CLIENTS = 4096
"""Into so many groups clients are thrown when their failures are counted, however many come."""

_IPV6_NETWORK = 64
"""One client of IPv6 has a whole network of so many bits, and as many addresses as it likes."""


class Windows(MemoryStorage):
    """The hits of the last minute, each as its moment on a clock that is never set.

    The library's own goes by the wall clock: set back by a day, it would refuse for a day whoever
    had used up a window. It also starts a thread a hundred times a second under load. For one
    thread alone.
    """

    STORAGE_SCHEME = ["monotonic"]  # noqa: RUF012  (the library's; "memory" stays its own)

    def __init__(self) -> None:
        super().__init__()
        self._hits: dict[str, deque[float]] = {}

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count hits, unless they are more than the window takes."""
        hits = self._within(key, expiry)
        if len(hits) + amount > limit:
            return False
        hits.extend([time.monotonic()] * amount)
        return True

    def get_moving_window(
        self,
        key: str,
        limit: int,  # noqa: ARG002  (the library's)
        expiry: int,
    ) -> tuple[float, int]:
        """When the oldest hit of the window was, by the monotonic clock, and how many there are."""
        hits = self._within(key, expiry)
        return (hits[0] if hits else time.monotonic()), len(hits)

    def _within(self, key: str, expiry: int) -> deque[float]:
        hits = self._hits.setdefault(key, deque())
        oldest = time.monotonic() - expiry
        while hits and hits[0] <= oldest:
            hits.popleft()
        return hits


class Rates:
    """Counts requests over the last minute.

    Args:
        per_minute: how many a key may make that has no number of its own.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._limiter = MovingWindowRateLimiter(Windows())
        self._failures = RateLimitItemPerMinute(FAILURES_PER_MINUTE)

    def spend(self, key: KnownKey) -> int | None:
        """Count a request of a key; where it has used up all, after how many seconds to ask again.

        A request that is refused counts for nothing.
        """
        item = RateLimitItemPerMinute(key.requests_per_minute or self._per_minute)
        return self._hit(item, "key", key.id)

    def note_failure(self, address: str) -> int | None:
        """Count a request with no or a wrong key; likewise.

        Clients are counted in groups, drawn anew at each start: who shares one with an attacker
        loses nothing but the right to be wrong as often.
        """
        return self._hit(self._failures, "failures", str(hash(_network_of(address)) % CLIENTS))

    def _hit(self, item: RateLimitItem, *whose: str) -> int | None:
        if self._limiter.hit(item, *whose):
            return None
        reset = self._limiter.get_window_stats(item, *whose).reset_time
        return max(1, math.ceil(reset - time.monotonic()))


def _network_of(address: str) -> str:
    """What one client has to itself: its address, or its network where that is of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(found), _IPV6_NETWORK), strict=False))
    return address
