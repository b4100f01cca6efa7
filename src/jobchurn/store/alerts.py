"""Alerts: what people were told, or are still to be told, and through which channel."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.sql.dml import ReturningInsert

from jobchurn.store.arrivals import Claim, fence
from jobchurn.store.engine import transaction
from jobchurn.store.names import decoded, decoded_json, encoded, encoded_json
from jobchurn.store.tables import Tables

_NOW = sa.func.clock_timestamp()
_OPEN = ("pending", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert for one channel.

    Attributes:
        id: its number.
        run_id: the run that it is about, or ``None``.
        kind: what it is about.
        severity: how bad it is.
        title: one line.
        body: the rest, made of JSON's types.
        channel: through which it goes.
        status: ``pending``, ``delivered``, ``failed`` (to be tried again) or ``skipped``.
        attempts: how often delivery was tried.
        last_error: what the last failed delivery met, or ``None``.
        created_at, delivered_at: UTC.
    """

    id: int
    run_id: str | None
    kind: str
    severity: str
    title: str
    body: dict[str, Any]
    channel: str
    status: str
    attempts: int
    last_error: str | None
    created_at: datetime
    delivered_at: datetime | None


class Alerts:
    """The named queries about alerts."""

    def __init__(self, engine: Engine, tables: Tables) -> None:
        self._engine = engine
        self._tables = tables
        self._alerts = tables.alerts

    def record(
        self,
        *,
        claim: Claim | None = None,
        kind: str,
        severity: str,
        title: str,
        body: Mapping[str, Any],
        channel: str,
        status: str = "pending",
    ) -> Alert:
        """Keep an alert; of one run and channel there is one, and a repeat is given that.

        One that says something else takes its place, and is still to be delivered: a file may
        turn out to be worse than it seemed.

        Args:
            claim: of the run that it is about, or ``None``: such alerts are each their own.
            kind: what it is about.
            severity: how bad it is.
            title: one line.
            body: the rest, made of JSON's types.
            channel: through which it is to go.
            status: ``pending``, or ``skipped`` where it is not to go at all.

        Raises:
            LeaseLost: another worker has taken the arrival over.
        """
        alerts = self._alerts
        said = _said(kind, severity, title, body, channel, status)
        added = _added(alerts, said | {"run_id": claim and claim.run_id})
        with transaction(self._engine) as connection:
            if claim is None:
                return alert_of(connection.execute(added).one())
            fence(connection, self._tables, claim)
            own = (alerts.c.run_id == claim.run_id) & (alerts.c.channel == encoded(channel))
            # Behind the fence nobody else adds one. To insert first, and let a conflict tell, would
            # wait for a messenger who is at it.
            row = connection.execute(sa.select(alerts).where(own)).first()
            if row is None:
                return alert_of(connection.execute(added).one())
            kept = alert_of(row)
            if (kept.kind, kept.severity, kept.title) == (kind, severity, title):
                return kept
            anew = said | {"delivered_at": None, "last_error": None}
            replaced = sa.update(alerts).where(own).values(anew).returning(*alerts.c)
            return alert_of(connection.execute(replaced).one())

    def pending(self, max_attempts: int = 10) -> list[Alert]:
        """The alerts still to be delivered, oldest first; after ``max_attempts`` they rest.

        By their numbers: a clock that is set back must not put an end before its beginning.
        """
        alerts = self._alerts
        return self._listed(
            sa.select(alerts)
            .where(alerts.c.status.in_(_OPEN))
            .where(alerts.c.attempts < max_attempts)
            .order_by(alerts.c.id)
        )

    @contextmanager
    def held(self, alert_ids: Collection[int]) -> Iterator[Held]:
        """Those of the alerts that are still to be delivered, for one messenger alone.

        While the block runs, any other messenger finds them taken. What is said of them is kept
        when it ends; a messenger that is killed lets go of them, and they are still to be
        delivered. A block must end within ``engine.IDLE_SECONDS``.
        """
        alerts = self._alerts
        wanted = (
            sa.select(alerts)
            .where(alerts.c.id.in_(alert_ids))
            .where(alerts.c.status.in_(_OPEN))
            .order_by(alerts.c.id)
            .with_for_update(skip_locked=True)
        )
        with transaction(self._engine) as connection:
            rows = [alert_of(row) for row in connection.execute(wanted)]
            yield Held(rows, connection, alerts)

    def latest(self, limit: int = 100) -> list[Alert]:
        """The latest alerts, newest first."""
        newest = self._alerts.c.created_at.desc(), self._alerts.c.id.desc()
        return self._listed(sa.select(self._alerts).order_by(*newest).limit(limit))

    def of_run(self, run_id: str) -> list[Alert]:
        """The alerts about a run, one for each channel, the oldest first."""
        alerts = self._alerts
        wanted = sa.select(alerts).where(alerts.c.run_id == run_id)
        return self._listed(wanted.order_by(alerts.c.created_at, alerts.c.id))

    def _listed(self, wanted: sa.Select[Any]) -> list[Alert]:
        with transaction(self._engine) as connection:
            return [alert_of(row) for row in connection.execute(wanted)]


class Held:
    """Alerts that one messenger holds (see :meth:`Alerts.held`).

    Attributes:
        alerts: what is held; others may have been delivered, or be held by another.
    """

    def __init__(self, alerts: list[Alert], connection: Connection, table: sa.Table) -> None:
        self.alerts = alerts
        self._connection = connection
        self._table = table

    def delivered(self, alert_id: int) -> None:
        """Mark an alert as delivered."""
        self._tried(alert_id, status="delivered", delivered_at=_NOW)

    def failed(self, alert_id: int, error: str) -> None:
        """Count a failed delivery; the alert is still to be delivered."""
        self._tried(alert_id, status="failed", last_error=encoded(error))

    def _tried(self, alert_id: int, **values: Any) -> None:
        alerts = self._table
        self._connection.execute(
            sa.update(alerts)
            .where(alerts.c.id == alert_id)
            .values(attempts=alerts.c.attempts + 1, **values)
        )


def adding(
    alerts: sa.Table,
    *,
    kind: str,
    severity: str,
    title: str,
    body: Mapping[str, Any],
    channel: str,
    status: str,
) -> ReturningInsert[Any]:
    """The statement that keeps an alert about no run, and returns its row."""
    return _added(alerts, _said(kind, severity, title, body, channel, status))


def _said(
    kind: str, severity: str, title: str, body: Mapping[str, Any], channel: str, status: str
) -> dict[str, Any]:
    """What an alert says, as its row holds it before anybody was told."""
    return {
        "kind": encoded(kind),
        "severity": encoded(severity),
        "title": encoded(title),
        "body": encoded_json(body),
        "channel": encoded(channel),
        "status": status,
        "attempts": 0,
        "created_at": _NOW,
    }


def _added(alerts: sa.Table, values: Mapping[str, Any]) -> ReturningInsert[Any]:
    return sa.insert(alerts).values(**values).returning(*alerts.c)


def alert_of(row: sa.Row[Any]) -> Alert:
    """The alert that a row of the table holds."""
    fields = dict(row._mapping)
    for name in ("kind", "severity", "title", "channel", "last_error"):
        fields[name] = fields[name] and decoded(fields[name])
    return Alert(**fields | {"body": decoded_json(row.body)})
