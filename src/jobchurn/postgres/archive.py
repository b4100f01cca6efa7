"""PostgreSQL's own programs that write a database into a file and read it back."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from jobchurn.errors import StackFailed
from jobchurn.postgres.server import environment


def dump(url: str, binaries: Path, snapshot: str, target: Path) -> None:
    """Write a database as a snapshot shows it; without owners and rights, which a server gives.

    Args:
        url: of the database.
        binaries: the folder of the PostgreSQL programs; of the server's version or a newer one.
        snapshot: the name of an exported snapshot, which is held until this returns.
        target: the file, in ``pg_restore``'s format.

    Raises:
        StackFailed: it cannot be read or written.
    """
    _run(
        [
            *(str(binaries / "pg_dump"), "--format=custom", "--no-owner", "--no-acl"),
            *(f"--snapshot={snapshot}", f"--file={target}"),
        ],
        url,
    )


def restore(url: str, binaries: Path, source: Path) -> None:
    """Read what :func:`dump` wrote into an empty database; all of it, or nothing.

    Raises:
        StackFailed: it cannot be read or written.
    """
    _run(
        [
            *(str(binaries / "pg_restore"), "--no-owner", "--no-acl", "--exit-on-error"),
            *("--single-transaction", str(source)),
        ],
        url,
    )


def _run(command: list[str], url: str) -> None:
    address, password = _without_password(url)
    known = environment() | ({"PGPASSWORD": password} if password else {})
    done = subprocess.run(  # noqa: S603 (our own command)
        [*command, f"--dbname={address}"], env=known, capture_output=True, text=True, check=False
    )
    if done.returncode:
        program = Path(command[0]).name
        raise StackFailed(
            f"{program} ended with {done.returncode}: {done.stderr.strip()[-500:]}",
            "The programs must be of the server's version or newer: set POSTGRES_BIN to theirs.",
        )


def _without_password(url: str) -> tuple[str, str]:
    """A database's address as a command line may hold it, and the password, which it may not."""
    parts = urlsplit(url)
    place, _, host = parts.netloc.rpartition("@")
    user, _, password = place.partition(":")
    query = parse_qsl(parts.query)
    password = next((value for name, value in query if name == "password"), unquote(password))
    return (
        parts._replace(
            scheme="postgresql",
            netloc=f"{user}@{host}" if user else host,
            query=urlencode([(name, value) for name, value in query if name != "password"]),
        ).geturl(),
        password,
    )
