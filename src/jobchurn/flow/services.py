"""What the flow works with, chosen by ``wiring`` and handed to every verb."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from jobchurn.contract import Contract
from jobchurn.files import Folders
from jobchurn.links import Links
from jobchurn.notify import Notifier
from jobchurn.policy import DecisionPolicy
from jobchurn.registry import Registry
from jobchurn.settings import Settings
from jobchurn.store import Store


@dataclass(frozen=True)
class Services:
    """The real things, or a test's.

    Attributes:
        settings: the typed environment.
        contract: what the data promises.
        folders: where files lie.
        store: the database.
        registry: the model versions.
        policy: where a probability becomes a decision.
        notifier: through which channels people are told; by default nobody is.
        links: opens single things without a key; by default until this process ends.
    """

    settings: Settings
    contract: Contract
    folders: Folders
    store: Store
    registry: Registry
    policy: DecisionPolicy
    notifier: Notifier = field(default_factory=Notifier)
    links: Links = field(default_factory=lambda: Links(secrets.token_urlsafe(32)))
