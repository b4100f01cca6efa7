"""What watching found, in one line each, for terminals and logs."""

from __future__ import annotations

from datetime import UTC, datetime

from jobchurn.drift import Decision, FeatureDrift
from jobchurn.flow.watch.rules import Evaluation
from jobchurn.flow.watch.windows import JudgedWindow, Unjudged
from jobchurn.notify import Delivery, News, quantity

DECISIONS = {Decision.QUIET: "quiet", Decision.WARN: "warning", Decision.PAGE: "page"}
"""What is decided of a window or a feature, as people read it."""

_NEWS = {
    News.FIRED: "an alert goes out",
    News.REMINDER: "a reminder goes out",
    News.OVER: "the all-clear goes out",
}


def window_words(window: JudgedWindow) -> str:
    """A window: whose it is, and what was decided."""
    found = "; ".join(map(drift_words, window.drifted))
    unseen = f"; {window.unseen} rows with a level that training did not see" * bool(window.unseen)
    return (
        f"window of {window.rows} {window.source} predictions until "
        f"{moment_words(window.last_at)}: {DECISIONS[window.decision]}"
        f"{f': {found}' if found else ''}{unseen}"
    )


def unjudged_words(unjudged: Unjudged) -> str:
    """What cannot be compared, and what to do about it."""
    return f"{unjudged.source} predictions of {unjudged.model_version}: {unjudged.reason}"


def drift_words(found: FeatureDrift) -> str:
    """What drifted, by how much and how surely."""
    sizes = [f"p {found.p_adjusted:.1g}"]
    if found.shift is not None:
        sizes.append(f"mean {found.shift:+.2f} sd")
    if found.psi is not None:
        sizes.append(f"PSI {found.psi:.2f}")
    if found.missing != found.missing_baseline:
        sizes.append(f"blank {found.missing:.0%} against {found.missing_baseline:.0%}")
    return f"{found.feature} ({', '.join(sizes)})"


def rule_words(said: Evaluation) -> str:
    """A rule: its state, what was measured, and what people are told."""
    if said.error is not None:
        return f"{said.rule.name}: could not be evaluated, and stays {said.state}: {said.error}"
    value = quantity(said.value or 0.0, said.rule.unit)
    limit = quantity(said.rule.above, said.rule.unit)
    news = f"; {_NEWS[said.news]}" if said.news else ""
    return (
        f"{said.rule.name}: {said.state} since {moment_words(said.since)}, "
        f"{value} (alarm above {limit}){news}"
    )


def delivery_words(delivery: Delivery) -> str:
    """A delivery: whether the channel took it."""
    outcome = "delivered" if delivery.ok else f"not delivered: {delivery.error}"
    return f"alert through {delivery.channel}: {outcome}"


def moment_words(moment: datetime) -> str:
    """A moment to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
