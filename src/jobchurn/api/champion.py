"""The model in charge: loaded once, and exchanged when another is promoted."""

from __future__ import annotations

import asyncio
import logging

from jobchurn.errors import JobchurnError, NoChampion
from jobchurn.model import Model
from jobchurn.registry import Registry

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
"""How often it is looked whether another model is in charge; loading one takes far less."""

_UNKNOWN = JobchurnError(
    "The model in charge could not be loaded.",
    "See the API's log for the reason; it is tried again all the time.",
)


class Champion:
    """Keeps the model in charge at hand."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._model: Model | None = None
        self._trouble = _UNKNOWN
        self._noted = ""

    @property
    def model(self) -> Model:
        """The model in charge; a caller that needs it twice keeps what it got.

        Raises:
            NoChampion: there is none, or it cannot be loaded; the message says which.
        """
        model = self._model
        if model is None:
            raise NoChampion(self._trouble.message, self._trouble.cure)
        return model

    def look(self) -> None:
        """Look once which version is in charge, and exchange the model if it is another.

        Whatever goes wrong is logged, once for as long as it lasts, and leaves the model as it is.
        """
        try:
            model = self._registry.champion()
        except JobchurnError as error:
            self._trouble = error
            self._note(error)
        except Exception as error:  # noqa: BLE001  (the watch outlives whatever happens)
            self._trouble = _UNKNOWN
            self._note(error)
        else:
            self._noted = ""
            if model is not self._model:
                log.info("model %s is in charge", model.version)
                self._model = model

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await asyncio.to_thread(self.look)

    def _note(self, error: Exception) -> None:
        if repr(error) != self._noted:
            trace = None if isinstance(error, JobchurnError) else error
            log.warning("the model in charge cannot be had: %s", error, exc_info=trace)
        self._noted = repr(error)
