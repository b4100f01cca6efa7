"""One server for all commands that need it, started by the first and stopped after the last.

Each user holds a shared lock on ``<home>/postgres.users``, which the kernel takes back from
whoever is killed. A *keeper* process (``python -m jobchurn.postgres``) runs the server, waits for
an exclusive lock on that file, and stops the server when it gets it. A server that a supervisor
runs has no keeper, and is left running.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from jobchurn.errors import StackFailed
from jobchurn.postgres.binaries import find_binaries
from jobchurn.postgres.postmaster import Postmaster
from jobchurn.postgres.server import EmbeddedPostgres, environment, lock_file, locked

if TYPE_CHECKING:
    from jobchurn.settings import Settings

_START_SECONDS = 300.0
"""How long a start may take, recovery after a crash included."""


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """The database's URL for as long as the block runs: the given one, or the embedded one.

    The embedded server is joined where it runs. Else it is started, and stopped when the last of
    those who use it, in whichever process, has left or died.

    Raises:
        PostgresMissing: there is no PostgreSQL on this machine.
        PostgresMismatch: the data was made by another version.
        StackFailed: the server does not start, or the home is another user's.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    server = EmbeddedPostgres(settings.home, settings.postgres_port, find_binaries(settings))
    with _users(server.home) as users:
        fcntl.flock(users, fcntl.LOCK_SH)  # waits while a keeper is stopping the server
        keeper = None
        try:
            with locked(server.home / "postgres.start"):
                if not server.is_running():
                    keeper = _started(server)
            yield server.url()
        finally:
            _leave(server.home, users)
            if keeper is not None and not _is_kept(server.home):
                keeper.wait()  # takes its exit code, so that no zombie stays


def keep(server: EmbeddedPostgres) -> None:
    """Run the server until nobody uses it; what the keeper's process does. Never returns."""
    with _users(server.home) as users, _keeper(server.home) as keeper:
        fcntl.flock(keeper, fcntl.LOCK_EX)
        process = subprocess.Popen(  # noqa: S603
            server.command(parent_death_signal="INT"),
            stdin=subprocess.DEVNULL,
            env=environment(),
            cwd="/",
        )
        # However the server ends, the keeper ends with it.
        watch = threading.Thread(target=lambda: os._exit(process.wait() and 1))
        watch.start()
        fcntl.flock(users, fcntl.LOCK_EX)
        process.send_signal(signal.SIGINT)
        watch.join()


def _started(server: EmbeddedPostgres) -> subprocess.Popen[bytes] | None:
    """Start a keeper and wait for its server, or for one that is starting already.

    Raises:
        StackFailed: the server has not come up.
    """
    log = server.home / "logs" / "postgres.log"
    log.parent.mkdir(exist_ok=True, mode=0o700)
    keeper = None
    if Postmaster.of(server.data) is None:
        server.ensure_cluster()
        with log.open("ab") as output:
            keeper = subprocess.Popen(  # noqa: S603
                [
                    *(sys.executable, "-m", "jobchurn.postgres"),
                    *(str(server.home), str(server.port), str(server.binaries)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the command, which then lets go of it
            )
    deadline = time.monotonic() + _START_SECONDS
    while not server.is_running():
        ended = keeper.poll() is not None if keeper else Postmaster.of(server.data) is None
        if ended or time.monotonic() > deadline:
            raise StackFailed(
                f"The database did not start: {_last_line(log)}",
                f"See {log}; or set DATABASE_URL to a PostgreSQL of your own.",
            )
        time.sleep(0.02)
    return keeper


def _leave(home: Path, users: IO[str]) -> None:
    """Use the server no more; where nobody else does, return once the keeper has stopped it."""
    fcntl.flock(users, fcntl.LOCK_UN)
    while _is_kept(home):
        if _locks(users, fcntl.LOCK_EX):  # nobody uses it, and the keeper has yet to notice
            fcntl.flock(users, fcntl.LOCK_UN)
            time.sleep(0.01)
            continue
        if not _locks(users, fcntl.LOCK_SH):  # the keeper is stopping it
            fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(users, fcntl.LOCK_UN)
        return


def _is_kept(home: Path) -> bool:
    """Whether a keeper lives."""
    with _keeper(home) as keeper:
        return not _locks(keeper, fcntl.LOCK_SH)


def _locks(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _users(home: Path) -> IO[str]:
    return lock_file(home / "postgres.users")


def _keeper(home: Path) -> IO[str]:
    return lock_file(home / "postgres.keeper")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return lines[-1] if lines else "it said nothing"
