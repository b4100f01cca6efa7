"""Alert: people are told about a file with problems, once per channel, and again where that failed.

Each (run, channel) has one row in the ``alerts`` table, made before anything is sent: whatever is
killed, the row is there to be retried. A channel that accepted an alert just before a crash may be
told twice. One that fails ten times is given up, and stays in the table as failed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from jobchurn.flow.services import Services
from jobchurn.notify import Alert, Delivery, alert_of
from jobchurn.policy import Criticality
from jobchurn.store.alerts import Alert as Recorded
from jobchurn.store.arrivals import Claim
from jobchurn.verdict import Verdict

KIND = "file"
"""What these alerts are about, beside others that ``store.alerts`` keeps."""

_FIRST_WAIT = timedelta(seconds=30)


def send_alerts(
    services: Services, claim: Claim, verdict: Verdict, criticality: Criticality
) -> list[Delivery]:
    """Tell people about a file, where its problems are worth it. A failed channel is only recorded.

    A repeat tells only the channels that were not reached.

    Returns:
        how each channel fared that was asked now.
    """
    notifier = services.notifier
    if not notifier.channels or not notifier.wants(criticality):
        return []
    alert = alert_of(
        verdict,
        run_id=claim.run_id,
        file=claim.name,
        criticality=criticality,
        started_at=claim.started_at,
        report=report_address(services, claim.run_id),
    )
    recorded = [
        services.store.alerts.record(
            run_id=claim.run_id,
            kind=KIND,
            severity=criticality.value,
            title=alert.headline,
            body=alert.to_body(),
            channel=channel,
        )
        for channel in notifier.channels
    ]
    return _deliver(services, alert, [entry for entry in recorded if entry.status != "delivered"])


def retry_alerts(services: Services, now: datetime | None = None) -> list[Delivery]:
    """Send again what was not delivered, each alert after a wait that doubles from try to try.

    Returns:
        how each delivery that was due fared.
    """
    now = now or datetime.now(UTC)
    deliveries: list[Delivery] = []
    for entry in services.store.alerts.pending():
        due = now >= entry.created_at + _FIRST_WAIT * 2**entry.attempts
        # A channel that has just failed is not asked again in this round: each try may take long.
        failing = {delivery.channel for delivery in deliveries if not delivery.ok}
        if entry.kind == KIND and due and entry.channel not in failing:
            deliveries += _deliver(services, Alert.from_body(entry.body), [entry])
    return deliveries


def report_address(services: Services, run_id: str) -> str:
    """Where the readers of alerts find a run's report."""
    return f"{services.settings.api_public_address}/reports/{run_id}.html"


def _deliver(services: Services, alert: Alert, entries: Iterable[Recorded]) -> list[Delivery]:
    by_channel = {entry.channel: entry.id for entry in entries}
    unknown = by_channel.keys() - set(services.notifier.channels)
    deliveries = [
        Delivery(channel, ok=False, error="this channel is no longer set up")
        for channel in sorted(unknown)
    ]
    deliveries += services.notifier.deliver(alert, by_channel.keys() - unknown)
    for delivery in deliveries:
        number = by_channel[delivery.channel]
        if delivery.ok:
            services.store.alerts.delivered(number)
        else:
            services.store.alerts.failed(number, delivery.error or "it failed without a word")
    return deliveries
