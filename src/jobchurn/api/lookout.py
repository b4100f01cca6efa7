"""A lookout: what the database may change at any moment is looked up again and again.

Whatever goes wrong is logged, once for as long as it lasts, and leaves what was seen before.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod

from jobchurn.errors import JobchurnError

log = logging.getLogger(__name__)


class Lookout(ABC):
    """Looks again and again.

    Args:
        of: what is looked up, in words for the log.
        seconds: how long it rests between two looks.
    """

    def __init__(self, of: str, seconds: float) -> None:
        self._of = of
        self._seconds = seconds
        self._noted = ""
        self._trouble: Exception | None = None

    @abstractmethod
    def _see(self) -> None:
        """Look once; whatever goes wrong is raised."""

    def look(self) -> None:
        """Look once."""
        try:
            self._see()
        except Exception as error:
            self._trouble = error
            if repr(error) != self._noted:
                trace = None if isinstance(error, JobchurnError) else error
                log.warning("%s cannot be looked up: %s", self._of, error, exc_info=trace)
            self._noted = repr(error)
        else:
            self._noted = ""

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            await asyncio.to_thread(self.look)
