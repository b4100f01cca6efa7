"""The model in charge: loaded once, and exchanged when another is promoted."""

from __future__ import annotations

import asyncio
import logging
from typing import NoReturn

from jobchurn.errors import JobchurnError, NoChampion
from jobchurn.model import Model
from jobchurn.registry import Registry
from jobchurn.store import Models

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
"""How often it is looked whether another model is in charge; loading one takes far less."""


class Champion:
    """Keeps the model in charge at hand.

    Args:
        models: knows which version is in charge.
        registry: loads it.
    """

    def __init__(self, models: Models, registry: Registry) -> None:
        self._models = models
        self._registry = registry
        self._model: Model | None = None
        self._trouble: str | None = None

    @property
    def model(self) -> Model:
        """The model in charge; a caller that needs it twice keeps what it got.

        Raises:
            NoChampion: there is none, or it could not be loaded; the message says which.
        """
        model = self._model
        if model is None:
            self._refuse()
        return model

    def _refuse(self) -> NoReturn:
        if self._trouble is not None:
            raise NoChampion(
                f"The model in charge could not be loaded: {self._trouble}",
                "See `jobchurn doctor` and the API's log; it is tried again all the time.",
            )
        raise NoChampion(
            "No model is in charge yet.",
            "Train one (`jobchurn train`) or promote one (`jobchurn models promote VERSION`).",
        )

    def look(self) -> None:
        """Look once which version is in charge, and exchange the model if it is another.

        Whatever goes wrong is logged, once for as long as it lasts, and leaves the model as it is.
        """
        try:
            version = self._models.champion()
            if version is not None and (self._model is None or self._model.version != version):
                self._model = self._registry.load(version)
                log.info("model %s is in charge", version)
        except JobchurnError as error:
            self._note(str(error))
        except Exception as error:  # noqa: BLE001  (the watch outlives whatever happens)
            self._note(f"{type(error).__name__}.", error)
        else:
            self._trouble = None

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await asyncio.to_thread(self.look)

    def _note(self, trouble: str, error: Exception | None = None) -> None:
        if trouble != self._trouble:
            log.error("the model in charge cannot be had: %s", trouble, exc_info=error)
        self._trouble = trouble
