"""What is wrong on this machine, and what cures it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from jobchurn import wiring
from jobchurn.errors import BaselineUnusable, DatabaseOutdated, JobchurnError
from jobchurn.files import Folders
from jobchurn.flow.watch import baseline_of
from jobchurn.postgres import EmbeddedPostgres, find_binaries
from jobchurn.postgres.binaries import version_of
from jobchurn.settings import Settings
from jobchurn.stack.control import status
from jobchurn.stack.ports import obstacle, owner
from jobchurn.stack.record import State
from jobchurn.stack.services import CHECKOUT, services_of
from jobchurn.store import Store

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)

SCARCE_BYTES, TOO_FEW_BYTES = 2 * 10**9, 2 * 10**8
"""Free disk space from which on there is a warning, and from which on nothing works."""

_BY_OTHERS = 0o001
"""The right of everybody to enter a folder."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    """Something works less well, or not at all until it is cured, but the rest does."""
    FAIL = "fail"
    """The stack cannot run."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what.
        state: how bad it is.
        found: what was found, in words.
        cure: what to do about it; empty where nothing needs to be done.
    """

    name: str
    state: Level
    found: str
    cure: str = ""


def doctor(settings: Settings, *, browser: bool = False) -> list[Finding]:
    """Look at everything that the stack needs; nothing is changed.

    Args:
        settings: the environment's.
        browser: look for the browser of the end-to-end tests too.
    """
    looks: list[tuple[str, Callable[[Settings], Iterator[Finding]]]] = [
        ("Python", _python),
        ("packages", _packages),
        ("programs", _programs),
        ("home", _home),
        ("PostgreSQL", _postgres),
        ("ports", _ports),
        ("database", _database),
    ]
    if browser:
        looks.append(("browser", _browser))
    found: list[Finding] = []
    for subject, look in looks:
        try:
            found += look(settings)
        except JobchurnError as error:
            found.append(Finding(subject, Level.FAIL, error.message, error.cure))
    return found


def _python(_: Settings) -> Iterator[Finding]:
    version = sys.version_info[:2]
    name = f"Python {sys.version.split()[0]}"
    if OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        yield Finding("Python", Level.OK, name)
    else:
        cure = "Run `make setup` with PYTHON set to a Python from 3.11 to 3.14."
        yield Finding("Python", Level.FAIL, f"{name} is not supported", cure)


def _packages(_: Settings) -> Iterator[Finding]:
    lock = CHECKOUT / "requirements.lock"
    if not lock.exists():
        yield Finding("packages", Level.OK, "installed without a checkout; there is no lock")
        return
    strange = differences(lock.read_text(encoding="utf-8"), _installed)
    if strange:
        more = f" and {len(strange) - 5} more" if len(strange) > 5 else ""
        message = f"not as locked: {'; '.join(strange[:5])}{more}"
        yield Finding("packages", Level.WARN, message, "Run `make setup`.")
    else:
        yield Finding("packages", Level.OK, "as locked")


def differences(lock: str, installed: Callable[[str], str | None]) -> list[str]:
    """Which packages are not as a lock file has them.

    Args:
        lock: the text of a file such as ``uv pip compile`` writes; a package may stand in it in
            several versions, or with a condition.
        installed: the installed version of a package, or ``None``.
    """
    locked: dict[str, set[str]] = {}
    conditional = set()
    for line in re.finditer(
        r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ \\;]+)([^\n]*)", lock, re.MULTILINE
    ):
        locked.setdefault(line[1], set()).add(line[2])
        if ";" in line[3]:
            conditional.add(line[1])
    strange = []
    for name, versions in locked.items():
        # A version may be written with a v before it, and be the same.
        have = (installed(name) or "").removeprefix("v") or None
        if have is None and name not in conditional:
            strange.append(f"{name} is missing")
        elif have is not None and have not in versions:
            strange.append(f"{name} is {have}, not {' or '.join(sorted(versions))}")
    return strange


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _programs(_: Settings) -> Iterator[Finding]:
    attempt = ["setpriv", "--pdeathsig", "TERM", "true"]
    try:
        works = subprocess.run(attempt, check=False, capture_output=True).returncode == 0  # noqa: S603
    except FileNotFoundError:
        works = False
    if works:
        yield Finding("programs", Level.OK, "setpriv ends children with their parent")
    else:
        cure = "Install util-linux (its setpriv, 2.33 or newer)."
        yield Finding("programs", Level.FAIL, "there is no setpriv that knows --pdeathsig", cure)
    if os.geteuid() == 0 and shutil.which("unshare") is None:
        message = "there is no unshare; as root, PostgreSQL may find no user to run as"
        yield Finding("programs", Level.WARN, message, "Install util-linux.")


def _home(settings: Settings) -> Iterator[Finding]:
    home = settings.home
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        cure = "Set JOBCHURN_HOME to a folder that you may write to."
        yield Finding("home", Level.FAIL, f"{there} cannot be written to", cure)
        return
    free = shutil.disk_usage(there).free
    level = Level.OK
    if free < SCARCE_BYTES:
        level = Level.FAIL if free < TOO_FEW_BYTES else Level.WARN
    cure = "" if level is Level.OK else "Free some space, or set JOBCHURN_HOME to another disk."
    yield Finding("home", level, f"{home}: {free / 10**9:.1f} GB free", cure)
    # Homes of earlier versions were made open, and somebody may have wanted theirs to be.
    data = Folders(home).data
    if data.is_dir() and home.stat().st_mode & data.stat().st_mode & _BY_OTHERS:
        told = f"everybody on this machine may read people's records in {data}"
        yield Finding("home", Level.WARN, told, f"Run `chmod o-rwx {data}`.")


def _postgres(settings: Settings) -> Iterator[Finding]:
    if settings.database_url is not None:
        yield Finding("PostgreSQL", Level.OK, "your own, by DATABASE_URL")
        return
    binaries = find_binaries(settings)
    EmbeddedPostgres(settings.home, settings.postgres_port, binaries).check_version()
    yield Finding("PostgreSQL", Level.OK, f"version {version_of(binaries)} in {binaries}")


def _ports(settings: Settings) -> Iterator[Finding]:
    ours = {row.name for row in status(settings) if row.state not in (State.STOPPED, State.FAILED)}
    for service in services_of(settings):
        if service.port is None:
            continue
        subject = f"port {service.port}"
        if service.name in ours:
            yield Finding(subject, Level.OK, f"{service.name} runs there")
        elif obstacle(service.host, service.port) is None:
            yield Finding(subject, Level.OK, f"free for {service.name}")
        else:
            holder = owner(service.port) or "another program"
            cure = f"End it, or set {service.port_variable} to another port."
            yield Finding(subject, Level.FAIL, f"{service.name}'s, is taken by {holder}", cure)


def _database(settings: Settings) -> Iterator[Finding]:
    url = _running_database(settings)
    if url is None:
        yield Finding("database", Level.OK, "not running; it is started when it is needed")
        return
    store = Store.connect(url, wiring.contract())
    try:
        missing = store.missing()
        access = _roles(settings, store)
        room = _partitions(store)
        model = _model(store)
    except DatabaseOutdated as error:
        yield Finding("database", Level.WARN, error.message, error.cure)
        return
    finally:
        store.close()
    if missing:
        yield Finding("database", Level.WARN, "; ".join(missing), "Run `jobchurn db migrate`.")
    else:
        yield Finding("database", Level.OK, "it answers, and its tables are those of this version")
    yield access
    yield room
    yield model


def _roles(settings: Settings, store: Store) -> Finding:
    given = (settings.api_database_url, settings.ingestion_database_url)
    if settings.database_url is not None and None in given:
        found = "the API or Airflow's tasks reach the database as its owner, who may do everything"
        cure = "Give each a role of its own: see `jobchurn db roles`, and the settings."
        return Finding("database roles", Level.WARN, found, cure)
    if store.roles().lacking:
        found = "roles or their rights are not as they are to be"
        cure = "Run `jobchurn db migrate`; what is left is in `jobchurn db roles --sql`."
        return Finding("database roles", Level.WARN, found, cure)
    return Finding("database roles", Level.OK, "each service may do what it needs, and no more")


def _partitions(store: Store) -> Finding:
    absent = store.partitions.absent()
    if absent:
        found = f"there is no {' and no '.join(absent)}: rows go to predictions_default"
        cure = "Run `jobchurn tidy` as the owner, and find out why nobody does once a day."
        return Finding("partitions", Level.WARN, found, cure)
    return Finding("partitions", Level.OK, "those of this month and the next are there")


def _model(store: Store) -> Finding:
    champion = store.models.champion()
    if champion is None:
        return Finding("model", Level.WARN, "there is no champion", "Run `jobchurn train`.")
    try:
        baseline_of(store, champion)
    except BaselineUnusable as error:
        blind = f"the champion is {champion}, whose drift cannot be measured: {error.message}"
        return Finding("model", Level.WARN, blind, error.cure)
    return Finding("model", Level.OK, f"the champion is {champion}")


def _running_database(settings: Settings) -> str | None:
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    postgres = EmbeddedPostgres(settings.home, settings.postgres_port, find_binaries(settings))
    return postgres.url() if postgres.is_running() else None


def _browser(_: Settings) -> Iterator[Finding]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found:
        yield Finding("browser", Level.OK, str(Path(found)))
    else:
        cure = "Install Debian's package chromium, or its like."
        yield Finding("browser", Level.WARN, "there is no Chromium for `make e2e`", cure)
