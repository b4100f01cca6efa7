"""The alert rules: each one's number is read, its state taken a step on, and its news recorded."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobchurn import panels
from jobchurn.errors import JobchurnError
from jobchurn.flow.alert import OF_RULE
from jobchurn.flow.services import Services
from jobchurn.flow.watch.state import step, turn, unchanged
from jobchurn.notify import News, RuleAlert
from jobchurn.panels import AlertRule, UnusableQuery
from jobchurn.store.alert_states import AlertState, NewAlert

log = logging.getLogger(__name__)

NOBODY = "nobody"
"""The channel of alerts that are only kept to be looked at, where there is no other."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What one rule said.

    Attributes:
        rule: the rule.
        state: ``ok``, ``pending`` or ``firing``.
        since: from when on it is in that state.
        value: what was measured; ``None`` where it could not be.
        news: what people are told, now, through every channel; ``None`` for nothing.
        error: why it could not be evaluated; its state is then what it was.
    """

    rule: AlertRule
    state: str
    since: datetime
    value: float | None
    news: News | None
    error: str | None


class _NoValue(JobchurnError):
    """A rule's query does not answer what a rule asks."""


def evaluate_rules(services: Services, now: datetime | None = None) -> list[Evaluation]:
    """Evaluate every rule; alerts are recorded, once, together with the states that they tell of.

    Where there is no channel, they are recorded as skipped: nobody is told, and all can see. A rule
    that cannot be evaluated keeps its state, and the others go on.

    Args:
        services: the contract, the database and the channels.
        now: the moment at which the rules look back; by default the database's present.
    """
    return [_evaluated(services, rule, now) for rule in panels.rules_of(services.contract)]


def _evaluated(services: Services, rule: AlertRule, now: datetime | None) -> Evaluation:
    said: list[Evaluation] = []

    def decide(
        before: AlertState | None, present: datetime
    ) -> tuple[AlertState, Sequence[NewAlert]]:
        # The number is read while the rule is held, so that of two watchers the later one decides
        # by the later number.
        state, message = _decided(services, rule, before, now or present)
        said[:] = [_evaluation(rule, state, message if services.notifier.channels else None)]
        return state, _alerts(services, message) if message else ()

    services.store.alert_states.change(rule.name, decide)
    return said[0]


def _decided(
    services: Services, rule: AlertRule, before: AlertState | None, moment: datetime
) -> tuple[AlertState, RuleAlert | None]:
    try:
        value = _value(services, rule, moment)
    except (JobchurnError, UnusableQuery) as error:
        return unchanged(rule, before, str(error), moment), None
    channels = bool(services.notifier.channels)
    taken = step(
        rule,
        before,
        value,
        moment,
        remind=timedelta(minutes=services.settings.remind_minutes),
        tells=channels and not rule.told_by_ingestion,
    )
    news = taken.news
    if not channels and not rule.told_by_ingestion:
        news = turn(before, taken.state)
    if news is None:
        return taken.state, None
    return taken.state, _message(services, rule, news, taken.state, value, taken.since)


def _evaluation(rule: AlertRule, state: AlertState, message: RuleAlert | None) -> Evaluation:
    return Evaluation(
        rule=rule,
        state=state.state,
        since=state.since,
        value=state.value,
        news=message.news if message else None,
        error=state.error,
    )


def _alerts(services: Services, message: RuleAlert) -> list[NewAlert]:
    channels = services.notifier.channels
    return [
        NewAlert(
            kind=OF_RULE,
            severity=message.severity.value,
            title=message.headline,
            body=message.to_body(),
            channel=channel,
            status="pending" if channels else "skipped",
        )
        for channel in channels or (NOBODY,)
    ]


def _message(
    services: Services,
    rule: AlertRule,
    news: News,
    state: AlertState,
    value: float,
    since: datetime,
) -> RuleAlert:
    settings, moment = services.settings, state.evaluated_at
    return RuleAlert(
        rule=rule.name,
        summary=rule.title,
        meaning=rule.over if news is News.OVER else rule.description,
        severity=rule.severity,
        news=news,
        value=value,
        above=rule.above,
        unit=rule.unit,
        since=since,
        at=moment,
        details=() if news is News.OVER else _details(services, rule, moment),
        runbook=f"{settings.runbook_address}/{rule.name}",
        dashboard=f"{settings.grafana_url.rstrip('/')}/d/{rule.dashboard}"
        if settings.grafana_url
        else None,
    )


def _value(services: Services, rule: AlertRule, moment: datetime) -> float:
    columns, rows = _read(services, rule, rule.sql, moment)
    if len(rows) != 1 or "value" not in columns:
        raise _NoValue(f"The rule {rule.name} answers with {len(rows)} rows, and not with a value.")
    value = rows[0][columns.index("value")]
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise _NoValue(f"The rule {rule.name} answers with {value}, which is no number.")
    return float(value)


def _details(services: Services, rule: AlertRule, moment: datetime) -> tuple[str, ...]:
    if not rule.details:
        return ()
    try:
        _, rows = _read(services, rule, rule.details, moment)
    except (JobchurnError, UnusableQuery) as error:
        # The alert matters more than what it says beside.
        log.warning("The details of the rule %s could not be read: %s", rule.name, error)
        return ("The details could not be read: look at the dashboard.",)
    return tuple(str(row[0]) for row in rows)


def _read(
    services: Services, rule: AlertRule, sql: str, moment: datetime
) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    start = moment - timedelta(seconds=rule.within_seconds)
    frame = services.store.panels.read(
        panels.expand(
            sql,
            start=start,
            end=moment,
            interval_seconds=panels.interval_of(start, moment),
            variables={},
        )
    )
    return frame.columns, frame.rows
