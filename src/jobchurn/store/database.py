"""The store: one object with the named queries of each noun, on one database."""

from __future__ import annotations

from typing import Self

from sqlalchemy import Engine

from jobchurn.contract import Contract
from jobchurn.store.alerts import Alerts
from jobchurn.store.arrivals import Arrivals
from jobchurn.store.models import Models
from jobchurn.store.predictions import Predictions
from jobchurn.store.runs import Runs


class Store:
    """What the database holds, by noun. Safe to share between threads; connects when first used.

    Attributes:
        arrivals, runs, predictions, models, alerts: the named queries.
    """

    def __init__(self, engine: Engine, contract: Contract) -> None:
        self._engine = engine
        self.contract = contract
        self.arrivals = Arrivals()
        self.runs = Runs()
        self.predictions = Predictions()
        self.models = Models()
        self.alerts = Alerts()

    @classmethod
    def connect(cls, url: str, contract: Contract) -> Self:
        """A store on the database at ``url`` (``postgresql://`` or ``postgres://``)."""
        raise NotImplementedError

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def migrate(self) -> None:
        """Bring the tables up to date, and give them the contract's columns."""
        raise NotImplementedError

    def missing(self) -> list[str]:
        """What keeps the store from being ready, in words; nothing where it is ready."""
        raise NotImplementedError
