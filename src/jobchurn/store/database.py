"""The store: one object with the named queries of each noun, on one database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from sqlalchemy import Engine

from jobchurn.contract import Contract
from jobchurn.errors import DatabaseOutdated, DatabaseUnreachable
from jobchurn.store import admission, schema
from jobchurn.store.admission import Standing
from jobchurn.store.alert_states import AlertStates
from jobchurn.store.alerts import Alerts
from jobchurn.store.api_keys import ApiKeys
from jobchurn.store.arrivals import Arrivals
from jobchurn.store.backups import Backups
from jobchurn.store.drift import Drift
from jobchurn.store.engine import STATEMENT_SECONDS, engine_of, transaction
from jobchurn.store.job_runs import JobRuns
from jobchurn.store.models import Models
from jobchurn.store.panels import Panels
from jobchurn.store.partitions import Partitions
from jobchurn.store.predictions import Predictions
from jobchurn.store.redactions import Redactions
from jobchurn.store.request_log import RequestLog
from jobchurn.store.retention import Retention
from jobchurn.store.runs import Runs
from jobchurn.store.tables import tables_of
from jobchurn.store.trace import Trace


class Store:
    """What the database holds, by noun. Safe to share between threads; connects when first used.

    Every query may raise :class:`~jobchurn.errors.DatabaseUnreachable`, where the database does
    not answer, and :class:`~jobchurn.errors.DatabaseOutdated`, where it is not migrated. After a
    failure the next query connects anew.

    Attributes:
        contract: whose columns the predictions have.
        arrivals: which file is being worked on, and by whom.
        runs: what checking each file found.
        predictions: what was predicted.
        models: which versions there are.
        alerts: what people are told.
        alert_states: how the alert rules stand.
        drift: which predictions were compared with training, and what that found.
        request_log: how the API answered.
        job_runs: how the scheduled jobs fared.
        redactions: what was removed of people, and of what was kept long enough.
        partitions: in what pieces the predictions lie.
        retention: what has been kept long enough.
        trace: what is known of a single case.
        panels: whatever monitoring asks.
        api_keys: who may ask the API for what.
        backups: one moment of all of it.
    """

    def __init__(
        self, engine: Engine, contract: Contract, seconds: float = STATEMENT_SECONDS
    ) -> None:
        tables = tables_of(contract)
        self._engine = engine
        self.contract = contract
        self.arrivals = Arrivals(engine, tables)
        self.runs = Runs(engine, tables, contract)
        self.predictions = Predictions(engine, tables, contract, seconds)
        self.models = Models(engine, tables, contract)
        self.alerts = Alerts(engine, tables)
        self.alert_states = AlertStates(engine, tables)
        self.drift = Drift(engine, tables, contract)
        self.request_log = RequestLog(engine, tables)
        self.job_runs = JobRuns(engine, tables)
        self.redactions = Redactions(engine, tables, contract)
        self.partitions = Partitions(engine)
        self.retention = Retention(engine, tables, self.partitions)
        self.trace = Trace(engine, tables, contract)
        self.panels = Panels(engine)
        self.api_keys = ApiKeys(engine, tables)
        self.backups = Backups(engine, tables)

    @classmethod
    def connect(cls, url: str, contract: Contract, *, seconds: float = STATEMENT_SECONDS) -> Self:
        """A store on the database at ``url`` (``postgresql://`` or ``postgres://``).

        Args:
            url: where.
            contract: whose columns the predictions have.
            seconds: how long a query may run; who asks hears of it little later, whatever the
                database does.

        Raises:
            InvalidSettings: the URL cannot be used.
            ContractUnusable: a column of the contract cannot be stored.
        """
        return cls(engine_of(url, seconds=seconds), contract, seconds)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def migrate(self, passwords: Mapping[str, str] | None = None) -> None:
        """Bring the tables up to date, and give them the contract's columns: all, or nothing.

        The roles get their rights, where this user may see to that (see :mod:`jobchurn.roles`).
        Two that migrate at once follow each other. A repeat changes nothing but the passwords.

        Args:
            passwords: role → with what it may log in; others stay as they are.

        Raises:
            DatabaseOutdated: the server is too old, the tables are those of a newer version, or
                this user may not change them.
            ContractUnusable: a column of the contract is there with another type.
        """
        schema.migrate(self._engine, self.contract, passwords or {})

    def roles(self) -> Standing:
        """How the roles stand, and what is lacking of them."""
        with transaction(self._engine) as connection:
            return admission.standing(connection)

    def missing(self) -> list[str]:
        """What keeps the store from being ready, in words; nothing where it is ready."""
        try:
            with transaction(self._engine) as connection:
                return schema.missing(connection, self.contract)
        except (DatabaseUnreachable, DatabaseOutdated) as error:
            return [error.message]
