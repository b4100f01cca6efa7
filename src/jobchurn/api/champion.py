"""The model in charge: loaded once, and exchanged when another is promoted."""

from __future__ import annotations

import logging

from jobchurn.api.lookout import Lookout
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


class Champion(Lookout):
    """Keeps the model in charge at hand, and exchanges it where another was promoted."""

    def __init__(self, registry: Registry) -> None:
        super().__init__("the model in charge", POLL_SECONDS)
        self._registry = registry
        self._model: Model | None = None

    @property
    def model(self) -> Model:
        """The model in charge; a caller that needs it twice keeps what it got.

        Raises:
            NoChampion: there is none, or it cannot be loaded; the message says which.
        """
        model = self._model
        if model is None:
            known = self._trouble if isinstance(self._trouble, JobchurnError) else _UNKNOWN
            raise NoChampion(known.message, known.cure)
        return model

    def _see(self) -> None:
        model = self._registry.champion()
        if model is not self._model:
            log.info("model %s is in charge", model.version)
            self._model = model
