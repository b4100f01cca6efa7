"""Chooses the real things. Nothing happens at import; doors ask here and hand on what they get."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobchurn import postgres, roles
from jobchurn.contract import JOB_CHANGE, Contract
from jobchurn.errors import DataUnusable
from jobchurn.files import Folders
from jobchurn.flow.backup import DATABASE, Manifest, unpack
from jobchurn.flow.backup import backup as write_backup
from jobchurn.flow.services import Services
from jobchurn.links import Links, secret_in
from jobchurn.notify import Hosts, Notifier, senders_of
from jobchurn.policy import Criticality, DecisionPolicy
from jobchurn.registry import Registry
from jobchurn.settings import Settings, read_settings
from jobchurn.store import Store, account_of
from jobchurn.store.administration import AIRFLOW, administer

LINK_SECRET = Path("secrets", "links.key")
"""Where the secret of links lies in a home, if the settings give none."""


def contract() -> Contract:
    """The contract that this installation follows."""
    return JOB_CHANGE


def notifier(settings: Settings) -> Notifier:
    """The channels for alerts that the settings name.

    Raises:
        InvalidSettings: an address is none, or leads where none may.
    """
    teams, others = settings.teams_webhook, settings.alert_urls
    return Notifier(
        senders_of(
            teams.get_secret_value() if teams else None,
            others.get_secret_value() if others else None,
            Hosts(settings.webhook_hosts),
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


def passwords(settings: Settings) -> dict[str, str]:
    """With what the database's roles may log in: those that the settings give, or of the home."""
    found = {}
    if (chosen := settings.grafana_database_password) is not None:
        found[roles.READER] = chosen.get_secret_value()
    for url in (settings.api_database_url, settings.ingestion_database_url):
        if url is not None:
            user, password = account_of(url.get_secret_value())
            if password and user in (roles.API, roles.INGESTION):
                found[user] = password
    if settings.database_url is None:
        for user in (roles.API, roles.INGESTION, AIRFLOW.owner):
            found[user] = postgres.password_of(settings.home, user)
    return found


def bring_up(settings: Settings) -> None:
    """Bring tables, roles and rights to this version, and make the partitions of coming months.

    On the embedded server also keep the application's database and Airflow's apart.

    Raises:
        DatabaseOutdated: the tables are those of a newer version, or this user may not change them.
    """
    with postgres.serving(settings) as url:
        store = Store.connect(url, contract(), seconds=settings.database_seconds)
        try:
            _bring_up(settings, url, store)
        finally:
            store.close()


def _bring_up(settings: Settings, url: str, store: Store) -> None:
    found = passwords(settings)
    store.migrate({role: found[role] for role in found.keys() - {AIRFLOW.owner}})
    if settings.database_url is None:
        administer(url, found)


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
                _bring_up(settings, url, chosen.store)
            yield chosen
        finally:
            chosen.store.close()


def backup(settings: Settings, target: Path) -> Manifest:
    """Write a backup of the home and its database into a folder, while everybody works on.

    Raises:
        DataUnusable: the folder is there already.
        StackFailed: the database cannot be dumped.
    """
    binaries = postgres.find_binaries(settings)
    with postgres.serving(settings) as url:
        chosen = services_at(settings, url)
        try:
            return write_backup(
                chosen, target, lambda snapshot, file: postgres.dump(url, binaries, snapshot, file)
            )
        finally:
            chosen.store.close()


def restore(settings: Settings, source: Path) -> Manifest:
    """Bring a backup back into an empty home and an empty database.

    Raises:
        DataUnusable: one of the two is not empty, or the backup is not whole.
        StackFailed: the database cannot be restored.
    """
    if settings.database_url is not None:
        _refuse_tables(settings)
    elif (settings.home / "postgres").exists():
        raise DataUnusable(
            f"{settings.home} holds a database already.",
            "Set JOBCHURN_HOME to an empty folder, or remove what is there (`jobchurn reset`).",
        )
    # Before a cluster is made here: it takes the passwords that the backup brings.
    manifest = unpack(source, settings.home)
    binaries = postgres.find_binaries(settings)
    with postgres.serving(settings) as url:
        postgres.restore(url, binaries, source / DATABASE)
        store = Store.connect(url, contract(), seconds=settings.database_seconds)
        try:
            store.backups.relocate(manifest.home, str(settings.home))
            _bring_up(settings, url, store)
        finally:
            store.close()
    Folders(settings.home).make()
    return manifest


def _refuse_tables(settings: Settings) -> None:
    with postgres.serving(settings) as url:
        store = Store.connect(url, contract(), seconds=settings.database_seconds)
        try:
            if not store.backups.is_empty():
                raise DataUnusable(
                    "The database holds tables already.", "Set DATABASE_URL to an empty one."
                )
        finally:
            store.close()
