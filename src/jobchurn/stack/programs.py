"""The programs that run the services, and the environment in which they find each other.

A :class:`Program` is what supervisor runs; most services are one. supervisor's configuration is
derived from these.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from pydantic import SecretStr

from jobchurn.postgres import EmbeddedPostgres
from jobchurn.settings import Settings
from jobchurn.stack.services import CHECKOUT, plain_target


@dataclass(frozen=True, kw_only=True)
class Program:
    """One supervised program.

    Attributes:
        name: as supervisor and the log file name it.
        command: what the gate becomes.
        environment: set on top of the stack's; may hold secrets.
        waits: targets that must answer before it starts (see ``gate.answers``).
        first: commands to run to their end before.
        folder: its working folder.
        stop_signal: asks it to end.
        stop_seconds: how long it may take over that before it is killed.
        signal_group: whether its children are asked to end together with it.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    waits: tuple[str, ...] = ()
    first: tuple[tuple[str, ...], ...] = ()
    folder: Path = CHECKOUT
    stop_signal: str = "TERM"
    stop_seconds: int = 15
    signal_group: bool = False


def secret_variables() -> tuple[str, ...]:
    """The variables of all settings that are secrets: each program is told its own alone."""
    return tuple(
        name.upper()
        for name, setting in Settings.model_fields.items()
        if SecretStr in get_args(setting.annotation)
    )


def secrets_of(settings: Settings, *names: str) -> dict[str, str]:
    """The variables of some settings that are secrets, as far as they are set."""
    found: dict[str, SecretStr | None] = {name.upper(): getattr(settings, name) for name in names}
    return {name: secret.get_secret_value() for name, secret in found.items() if secret}


def shared_environment(settings: Settings) -> dict[str, str]:
    """What every program's environment holds: the settings, and where to find each other."""
    exported = {
        name.upper(): str(value)
        for name in sorted(settings.model_fields_set)
        if (value := getattr(settings, name)) is not None
    }
    return exported | {
        "JOBCHURN_HOME": str(settings.home),
        # Empty, as what a program is not told it would inherit.
        **dict.fromkeys(secret_variables(), ""),
        "API_URL": settings.api_address,
        "GX_ANALYTICS_ENABLED": "false",
        # Two OpenMP threads on a busy small machine can be 30 times slower than one.
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }


def postgres_program(postgres: EmbeddedPostgres) -> Program:
    """The embedded PostgreSQL."""
    return Program(
        name="postgres",
        command=tuple(postgres.command(parent_death_signal="INT")),
        # PostgreSQL warns of any other folder that it may not enter.
        folder=Path("/"),
        environment={"LC_ALL": "C"},
        # PostgreSQL's fast shutdown: sessions are ended, everything is written, nothing to recover.
        stop_signal="INT",
        stop_seconds=60,
    )


def api_program(settings: Settings, database: str) -> Program:
    """The HTTP API.

    Args:
        settings: the environment's.
        database: the address of the application's database, with the password of the API's role.
    """
    return Program(
        name="api",
        command=(sys.executable, "-m", "jobchurn.api"),
        environment={"DATABASE_URL": database, **secrets_of(settings, "link_secret")},
        waits=(plain_target(database),),
    )


def webapp_program(settings: Settings, key: Mapping[str, str]) -> Program:
    """The web app.

    Args:
        settings: the environment's.
        key: the variable with its key of the API, where it is given one.
    """
    return Program(
        name="webapp",
        environment={**secrets_of(settings, "api_key"), **key},
        command=(
            *(sys.executable, "-m", "streamlit", "run", str(CHECKOUT / "webapp" / "Home.py")),
            *("--server.address", "127.0.0.1", "--server.port", str(settings.webapp_port)),
            *("--server.headless", "true", "--server.fileWatcherType", "none"),
            *("--browser.gatherUsageStats", "false"),
        ),
        folder=CHECKOUT / "webapp",
        stop_seconds=5,
    )
