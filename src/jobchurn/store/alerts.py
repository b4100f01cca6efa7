"""Alerts: what people were told, or are still to be told, and through which channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


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

    def record(
        self,
        *,
        run_id: str | None,
        kind: str,
        severity: str,
        title: str,
        body: Mapping[str, Any],
        channel: str,
        status: str = "pending",
    ) -> Alert:
        """Keep an alert; of one run and channel there is one, and a repeat is given it."""
        raise NotImplementedError

    def pending(self, max_attempts: int = 10) -> list[Alert]:
        """The alerts still to be delivered, oldest first; after ``max_attempts`` they rest."""
        raise NotImplementedError

    def delivered(self, alert_id: int) -> None:
        """Mark an alert as delivered."""
        raise NotImplementedError

    def failed(self, alert_id: int, error: str) -> None:
        """Count a failed delivery; the alert stays pending."""
        raise NotImplementedError

    def latest(self, limit: int = 100) -> list[Alert]:
        """The latest alerts, newest first."""
        raise NotImplementedError
