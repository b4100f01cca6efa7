"""One round of watching, as the monitoring DAG does it in tasks of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobchurn.flow.alert import retry_alerts
from jobchurn.flow.retention import tidy
from jobchurn.flow.services import Services
from jobchurn.flow.watch.rules import Evaluation, evaluate_rules
from jobchurn.flow.watch.windows import Measured, measure_drift
from jobchurn.notify import Delivery


@dataclass(frozen=True)
class Report:
    """What one round came to.

    Attributes:
        drift: the windows that were judged.
        rules: what each rule said.
        deliveries: how the alerts fared that were due.
    """

    drift: Measured
    rules: list[Evaluation]
    deliveries: list[Delivery]

    @property
    def is_whole(self) -> bool:
        """Whether every rule could be evaluated."""
        return not any(rule.error for rule in self.rules)


def watch(services: Services, now: datetime | None = None) -> Report:
    """Judge new windows, evaluate the rules, tell people, and remove what was kept long enough.

    Args:
        services: the contract, the database and the channels.
        now: the moment of looking back; by default the present.
    """
    measured = measure_drift(services, now)
    rules = evaluate_rules(services, now)
    deliveries = retry_alerts(services, now)
    tidy(services, now)
    return Report(measured, rules, deliveries)
