"""Alert: people are told, once per channel, and again where that failed.

Each message has one row per channel in the ``alerts`` table, made before anything is sent: whatever
is killed, the row is there to be retried. A messenger holds the row while it sends, so that two
never send the same; a channel that accepted an alert just before a crash may be told twice. One
that fails ten times is given up, and stays in the table as failed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from jobchurn.flow.services import Services
from jobchurn.notify import Alert, Delivery, RuleAlert, alert_of
from jobchurn.policy import Criticality
from jobchurn.store.alerts import Alert as Recorded
from jobchurn.store.arrivals import Claim
from jobchurn.verdict import Verdict

OF_FILE, OF_RULE = "file", "rule"
"""What an alert is about, as ``store.alerts`` keeps it."""

_MESSAGES: dict[str, Callable[[Mapping[str, Any]], Alert | RuleAlert]] = {
    OF_FILE: Alert.from_body,
    OF_RULE: RuleAlert.from_body,
}
_FIRST_WAIT = timedelta(seconds=30)
_SIDE_BY_SIDE = 8
"""How many channels at most are told at once: each holds a connection to the database."""


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
            claim=claim,
            kind=OF_FILE,
            severity=criticality.value,
            title=alert.headline,
            body=alert.to_body(),
            channel=channel,
        )
        for channel in notifier.channels
    ]
    return _deliver(services, alert, [entry.id for entry in recorded])


def retry_alerts(services: Services, now: datetime | None = None) -> list[Delivery]:
    """Send what was not delivered yet, each alert after a wait that doubles from try to try.

    What was never tried is due at once. What there is to say of one rule is said in the order in
    which it happened: nobody is told that something is over before that it began, save by a channel
    that was away for so long that the beginning was given up. Channels are told side by side, so
    that one that hangs delays no other.

    Returns:
        how each delivery that was due fared.
    """
    now = now or datetime.now(UTC)
    waiting: dict[str, list[Recorded]] = {}
    for entry in services.store.alerts.pending():
        if entry.kind in _MESSAGES:
            waiting.setdefault(entry.channel, []).append(entry)
    if not waiting:
        return []
    with ThreadPoolExecutor(min(len(waiting), _SIDE_BY_SIDE), "alerts") as pool:
        told = pool.map(partial(_retried, services, now=now), waiting.values())
        return [delivery for made in told for delivery in made]


def _retried(services: Services, entries: Sequence[Recorded], now: datetime) -> list[Delivery]:
    """Send what waits for one channel, as far as it is due and the channel takes it."""
    deliveries: list[Delivery] = []
    unsaid: set[str] = set()
    for entry in entries:
        matter = str(entry.body.get("rule")) if entry.kind == OF_RULE else f"#{entry.id}"
        if matter not in unsaid and _is_due(entry, now):
            made = _sent_again(services, entry)
            deliveries += made
            if made and made[0].ok:
                continue
            if made:
                break  # it is not asked again in this round: each try may take long
        unsaid.add(matter)
    return deliveries


def _sent_again(services: Services, entry: Recorded) -> list[Delivery]:
    """Send one alert; nothing where another is sending it, or where it cannot be read."""
    try:
        message = _MESSAGES[entry.kind](entry.body)
    except (KeyError, TypeError, ValueError):
        # Told to all who look at it, and counted: it comes to rest, and the others need not wait.
        with services.store.alerts.held([entry.id]) as held:
            for alert in held.alerts:
                held.failed(alert.id, "it was written by another version of jobchurn")
        return []
    return _deliver(services, message, [entry.id])


def report_address(services: Services, run_id: str) -> str:
    """Where the readers of alerts find a run's report."""
    return f"{services.settings.api_public_address}/reports/{run_id}.html"


def _opened(services: Services, message: Alert | RuleAlert) -> Alert | RuleAlert:
    """The message with links that open without a key; what is recorded has plain addresses.

    Only links to the API are signed: no other place knows what to do with a signature.
    """
    base = services.settings.api_public_address
    until = datetime.now(UTC) + timedelta(days=services.settings.link_days)

    def signed(address: str | None) -> str | None:
        if address is None or not address.startswith(f"{base}/"):
            return address
        return base + services.links.sign(address.removeprefix(base), until)

    match message:
        case Alert():
            return dataclasses.replace(message, report=signed(message.report))
        case RuleAlert():
            return dataclasses.replace(message, runbook=signed(message.runbook))


def _is_due(entry: Recorded, now: datetime) -> bool:
    return not entry.attempts or now >= entry.created_at + _FIRST_WAIT * 2**entry.attempts


def _deliver(
    services: Services, message: Alert | RuleAlert, alert_ids: Collection[int]
) -> list[Delivery]:
    """Send a message through the channels of these alerts, save those that another is sending."""
    with services.store.alerts.held(alert_ids) as held:
        by_channel = {entry.channel: entry.id for entry in held.alerts}
        unknown = by_channel.keys() - set(services.notifier.channels)
        deliveries = [
            Delivery(channel, ok=False, error="this channel is no longer set up")
            for channel in sorted(unknown)
        ]
        deliveries += services.notifier.deliver(
            _opened(services, message), by_channel.keys() - unknown
        )
        for delivery in deliveries:
            number = by_channel[delivery.channel]
            if delivery.ok:
                held.delivered(number)
            else:
                held.failed(number, delivery.error or "it failed without a word")
    return deliveries
