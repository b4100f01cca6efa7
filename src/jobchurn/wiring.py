"""Chooses the real things. Nothing happens at import; doors ask here and hand on what they get."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobchurn import postgres
from jobchurn.contract import JOB_CHANGE, Contract
from jobchurn.files import Folders
from jobchurn.flow.services import Services
from jobchurn.links import Links, secret_in
from jobchurn.notify import Notifier, senders_of
from jobchurn.policy import Criticality, DecisionPolicy
from jobchurn.registry import Registry
from jobchurn.settings import Settings, read_settings
from jobchurn.store import Store

LINK_SECRET = Path("secrets", "links.key")
"""Where the secret of links lies in a home, if the settings give none."""


def contract() -> Contract:
    """The contract that this installation follows."""
    return JOB_CHANGE


def notifier(settings: Settings) -> Notifier:
    """The channels for alerts that the settings name.

    Raises:
        InvalidSettings: an address is none.
    """
    teams, others = settings.teams_webhook, settings.alert_urls
    return Notifier(
        senders_of(
            teams.get_secret_value() if teams else None,
            others.get_secret_value() if others else None,
        ),
        Criticality(settings.alert_criticality),
    )


def links(settings: Settings) -> Links:
    """What signs links: by the settings' secret, or one that is kept in the home.

    Raises:
        InvalidSettings: the secret is too short.
        OSError: there is none, and none can be kept.
    """
    chosen = settings.link_secret
    secret = chosen.get_secret_value() if chosen else secret_in(settings.home / LINK_SECRET)
    return Links(secret)


def reader_password(settings: Settings) -> str | None:
    """With what the database's reading role may log in, where the settings say so."""
    chosen = settings.grafana_database_password
    return chosen.get_secret_value() if chosen else None


def services_at(settings: Settings, database_url: str) -> Services:
    """The services over a database that runs already; the caller closes ``services.store``."""
    folders = Folders(settings.home)
    folders.make()
    store = Store.connect(database_url, contract(), seconds=settings.database_seconds)
    return Services(
        settings=settings,
        contract=contract(),
        folders=folders,
        store=store,
        registry=Registry(folders.models, store.models, contract()),
        policy=DecisionPolicy(settings.miss_cost),
        notifier=notifier(settings),
        links=links(settings),
    )


@contextmanager
def services(settings: Settings | None = None, *, migrate: bool = True) -> Iterator[Services]:
    """The services for one command, their database started where none is given or running.

    Args:
        settings: the environment's by default.
        migrate: bring the tables up to this version first, where they are not.
    """
    settings = settings or read_settings()
    with postgres.serving(settings) as url:
        chosen = services_at(settings, url)
        try:
            if migrate and chosen.store.missing():
                chosen.store.migrate(reader_password(settings))
            yield chosen
        finally:
            chosen.store.close()
