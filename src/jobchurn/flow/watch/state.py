"""The life of an alert: ok → pending → firing → ok, one step at a time.

Pure: what was, what is measured and what time it is in; what is now, and what there is to say, out.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from jobchurn.notify import News
from jobchurn.panels import AlertRule
from jobchurn.store.alert_states import AlertState

OK, PENDING, FIRING = "ok", "pending", "firing"

_EARLY = timedelta(seconds=30)


class Step(NamedTuple):
    """What one evaluation of a rule comes to.

    Attributes:
        state: what is to be kept.
        news: what people are to be told; ``None`` for nothing.
        since: from when on the rule held, or last held.
    """

    state: AlertState
    news: News | None
    since: datetime


def step(
    rule: AlertRule,
    before: AlertState | None,
    value: float,
    now: datetime,
    *,
    remind: timedelta,
    tells: bool,
) -> Step:
    """The step from ``before`` to ``now``, at which ``value`` was measured.

    People are told when a rule begins to fire, again every ``remind``, and when it is over, where
    they had been told before. Where nobody can be told (``tells`` is false) the state goes on all
    the same; a rule that still fires once somebody can be told is told then.

    Where the clock was set back, what seems to lie ahead is taken to be now: nothing waits until
    the clock has come there again.
    """
    old = before.state if before else OK
    since = min(before.since, now) if before else now
    new = _next(rule, old, since, value, now)
    told_at = before.told_at if before and old == FIRING else None
    if told_at is not None:
        told_at = min(told_at, now)
    news: News | None = None
    if not tells:
        pass
    elif new == FIRING and told_at is None:
        news = News.FIRED
    elif new == FIRING and told_at is not None and now - told_at >= remind:
        news = News.REMINDER
    elif new != FIRING and told_at is not None:
        news = News.OVER
    state = AlertState(
        rule=rule.name,
        state=new,
        value=value,
        error=None,
        since=since if new == old else now,
        told_at=None if new != FIRING else (now if news else told_at),
        evaluated_at=now,
    )
    return Step(state, news, now if old == OK else since)


def turn(before: AlertState | None, after: AlertState) -> News | None:
    """What there would be to say of a step if anybody could be told."""
    fired, fires = before is not None and before.state == FIRING, after.state == FIRING
    if fires == fired:
        return None
    return News.FIRED if fires else News.OVER


def unchanged(rule: AlertRule, before: AlertState | None, error: str, now: datetime) -> AlertState:
    """What is kept of a rule that could not be evaluated: all that was known, and why."""
    known = before or AlertState(
        rule=rule.name,
        state=OK,
        value=None,
        error=None,
        since=now,
        told_at=None,
        evaluated_at=now,
    )
    return replace(known, value=None, error=error, evaluated_at=now)


def _next(rule: AlertRule, old: str, since: datetime, value: float, now: datetime) -> str:
    if not value > rule.above:
        return OK
    if old == FIRING:
        return FIRING
    wait = timedelta(seconds=rule.pending_seconds)
    if old == PENDING:
        # Watchers come by the minute, but not to the second: a little early is in time.
        return FIRING if now - since + _EARLY >= wait else PENDING
    return PENDING if wait else FIRING
