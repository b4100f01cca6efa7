"""Alert states: how each alert rule stands, changed together with the alerts that tell of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.postgresql import insert

from jobchurn.store.alerts import Alert, adding, alert_of
from jobchurn.store.engine import now_of, transaction
from jobchurn.store.names import decoded, encoded
from jobchurn.store.tables import Tables

_CHANGING_RULE = 731_058_621
"""The advisory locks for it, one for each rule; any number that nobody else uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """How one alert rule stands.

    Attributes:
        rule: its name.
        state: ``ok``, ``pending`` or ``firing``.
        value: what was measured last; ``None`` where it could not be.
        error: why it could not be, or ``None``.
        since: when the state was entered, UTC.
        told_at: when people were last told of it, or ``None``.
        evaluated_at: when it was last looked at.
    """

    rule: str
    state: str
    value: float | None
    error: str | None
    since: datetime
    told_at: datetime | None
    evaluated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAlert:
    """What people are to be told through one channel; the fields as of :class:`Alert`."""

    kind: str
    severity: str
    title: str
    body: Mapping[str, Any]
    channel: str
    status: str = "pending"


Decide: TypeAlias = Callable[[AlertState | None, datetime], tuple[AlertState, Sequence[NewAlert]]]
"""How a rule stood, if it is known, and the database's time → how it stands, and what to tell."""


class AlertStates:
    """The named queries about the states of alert rules."""

    def __init__(self, engine: Engine, tables: Tables) -> None:
        self._engine = engine
        self._states = tables.alert_states
        self._alerts = tables.alerts

    def all(self) -> dict[str, AlertState]:
        """Every rule that was ever evaluated, by its name."""
        wanted = sa.select(self._states).order_by(self._states.c.rule)
        with transaction(self._engine) as connection:
            states = [_state(row) for row in connection.execute(wanted)]
        return {state.rule: state for state in states}

    def change(self, rule: str, decide: Decide) -> list[Alert]:
        """Take a rule from how it stands to how ``decide`` has it stand; all of it, or nothing.

        Of several who change one rule at once each is shown what the one before it has left. What
        ``decide`` raises is raised, and nothing is changed.

        Returns:
            The alerts that were recorded.
        """
        with transaction(self._engine) as connection:
            # A rule that is evaluated for the first time has no row yet that could be locked.
            lock = sa.func.pg_advisory_xact_lock(_CHANGING_RULE, sa.func.hashtext(encoded(rule)))
            connection.execute(sa.select(lock))
            before = connection.execute(
                sa.select(self._states).where(self._states.c.rule == encoded(rule))
            ).first()
            state, alerts = decide(None if before is None else _state(before), now_of(connection))
            self._keep(connection, rule, state)
            return [self._recorded(connection, alert) for alert in alerts]

    def _keep(self, connection: Connection, rule: str, state: AlertState) -> None:
        values = {
            "state": state.state,
            "value": state.value,
            "error": state.error and encoded(state.error),
            "since": state.since,
            "told_at": state.told_at,
            "evaluated_at": state.evaluated_at,
        }
        connection.execute(
            insert(self._states)
            .values(rule=encoded(rule), **values)
            .on_conflict_do_update(index_elements=["rule"], set_=values)
        )

    def _recorded(self, connection: Connection, alert: NewAlert) -> Alert:
        statement = adding(
            self._alerts,
            kind=alert.kind,
            severity=alert.severity,
            title=alert.title,
            body=alert.body,
            channel=alert.channel,
            status=alert.status,
        )
        return alert_of(connection.execute(statement).one())


def _state(row: sa.Row[Any]) -> AlertState:
    fields = dict(row._mapping) | {"rule": decoded(row.rule)}
    return AlertState(**fields | {"error": row.error and decoded(row.error)})
