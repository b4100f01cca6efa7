"""Drift, window by window: the latest predictions beside what their model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from jobchurn import drift
from jobchurn.drift import Baseline, Decision, FeatureDrift
from jobchurn.errors import BaselineUnusable, NotFound
from jobchurn.flow.services import Services
from jobchurn.store import Store
from jobchurn.store.drift import Window


@dataclass(frozen=True, kw_only=True)
class JudgedWindow:
    """What one window came to.

    Attributes:
        source, model_version: whose predictions they are.
        rows: how many.
        first_at, last_at: when they were made.
        unseen: rows with a level of an open text column that the model has not seen.
        features: what was found of each input and of the score.
    """

    source: str
    model_version: str
    rows: int
    first_at: datetime
    last_at: datetime
    unseen: int
    features: Sequence[FeatureDrift]

    @property
    def decision(self) -> Decision:
        """The gravest of the features' decisions."""
        return max((one.decision for one in self.features), default=Decision.QUIET)

    @property
    def drifted(self) -> list[FeatureDrift]:
        """What drifted, the surest first."""
        found = [one for one in self.features if one.decision > Decision.QUIET]
        return sorted(found, key=lambda one: (-one.decision, one.p_adjusted))


@dataclass(frozen=True)
class Unjudged:
    """Predictions that cannot be compared with anything, and why."""

    source: str
    model_version: str
    reason: str


@dataclass(frozen=True)
class Measured:
    """What measuring came to.

    Attributes:
        windows: those that were judged now, in order.
        unjudged: whose predictions cannot be compared.
    """

    windows: list[JudgedWindow] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)


def measure_drift(services: Services, now: datetime | None = None) -> Measured:
    """Judge every window that is full, or that has waited for long enough.

    Each is compared with what the model that scored it was trained on, as its card in the database
    has it; the model's files are not needed. What cannot be compared is said, and nothing waits
    for it.

    Args:
        services: the contract and the database.
        now: the moment up to which is looked; by default the database's present.
    """
    measured = Measured()
    for source, version in services.store.drift.sources():
        try:
            baseline = baseline_of(services.store, version)
        except (NotFound, BaselineUnusable) as error:
            measured.unjudged.append(Unjudged(source, version, str(error)))
            continue
        while window := _next(services, source, version, now):
            judged = _judged(services, window, baseline)
            kept = services.store.drift.save(
                window, judged.features, unseen=judged.unseen, decision=judged.decision
            )
            if kept:  # else another watcher was faster, and has said it
                measured.windows.append(judged)
    return measured


def baseline_of(store: Store, version: str) -> Baseline:
    """What a version was trained on, as its card in the database has it.

    Raises:
        NotFound: the version is not registered.
        BaselineUnusable: its card does not say enough.
    """
    card = store.models.get(version).card
    baseline = cast("Baseline", card.get("baseline") or {})
    drift.compare(baseline, store.contract, {}, ())  # finds out, before any row is read
    return baseline


def _next(services: Services, source: str, version: str, now: datetime | None) -> Window | None:
    settings = services.settings
    return services.store.drift.next_window(
        source,
        version,
        rows=settings.drift_window_rows,
        wait=timedelta(minutes=settings.drift_wait_minutes),
        now=now,
    )


def _judged(services: Services, window: Window, baseline: Baseline) -> JudgedWindow:
    source, version = window.source, window.model_version
    return JudgedWindow(
        source=source,
        model_version=version,
        rows=window.rows,
        first_at=window.first_at,
        last_at=window.last_at,
        unseen=drift.unseen(baseline, services.contract, window.columns),
        features=drift.compare(
            baseline,
            services.contract,
            window.columns,
            window.scores,
            drifted_before=services.store.drift.drifted_before(source, version),
        ),
    )
