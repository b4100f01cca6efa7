"""One cluster under a home, and the server on it."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO

from jobchurn.errors import PostgresMismatch, StackFailed
from jobchurn.postgres.binaries import version_of
from jobchurn.postgres.identity import Identity, give, identity_for
from jobchurn.postgres.passwords import password_of, write_private
from jobchurn.postgres.postmaster import Postmaster, clear_stale, is_taken, listens

USER = "jobchurn"
DATABASES = ("jobchurn", "airflow")
"""What a new cluster holds: the application's database, and Airflow's."""

_PARAMETERS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedPostgres:
    """A cluster and its server.

    Attributes:
        home: the folder of all run-time state.
        port: where a server is to listen; one that runs already may listen elsewhere.
        binaries: the folder of the PostgreSQL programs.
        data: the cluster's folder.
    """

    def __init__(self, home: Path, port: int, binaries: Path) -> None:
        self.home = home
        self.port = port
        self.binaries = binaries
        self.data = home / "postgres"
        self._password = home / "postgres.password"

    def ensure_cluster(self) -> None:
        """Make the cluster where it is absent; make sure that a server can be started on it.

        Does nothing where one runs.

        Raises:
            PostgresMismatch: the cluster was made by another version.
            StackFailed: it cannot be made, or the port is taken by another program.
        """
        with locked(self.home / "postgres.lock"):
            if Postmaster.of(self.data) is not None:
                return
            if is_taken(self.port):
                raise StackFailed(
                    f"Port {self.port}, meant for the database, is taken by another program.",
                    "Set POSTGRES_PORT to a free port, or DATABASE_URL to a database of your own.",
                )
            if not (self.data / "PG_VERSION").exists():
                self._make_cluster()
            self.check_version()
            clear_stale(self.data)
            give(self.data, self._identity.owner)

    def check_version(self) -> None:
        """Make sure that the cluster, where there is one, is of the programs' major version.

        Raises:
            PostgresMismatch: it is of another.
        """
        try:
            found = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return
        have = version_of(self.binaries)
        if found != str(have):
            raise PostgresMismatch(
                f"{self.data} was made by PostgreSQL {found}; {self.binaries} is version {have}.",
                f"Set POSTGRES_BIN to the programs of PostgreSQL {found}; or carry the data over: "
                "start the database with those (jobchurn up --only postgres), dump it "
                f"(pg_dumpall --file dump.sql), stop, move {self.data} away, unset POSTGRES_BIN, "
                "start again and restore it (psql --file dump.sql).",
            )

    def command(self, parent_death_signal: str | None = None) -> list[str]:
        """The arguments that run the server in the foreground, not as root where we are root.

        Stop it by SIGINT, PostgreSQL's fast shutdown; SIGTERM waits for all clients to leave.

        Args:
            parent_death_signal: what the server is sent when its parent dies, ``INT`` for instance.

        Raises:
            StackFailed: we are root, and cannot be anybody else.
        """
        parameters = _PARAMETERS | {"port": str(self.port)}
        options = [f"--{name}={value}" for name, value in parameters.items()]
        server = [str(self.binaries / "postgres"), "-D", str(self.data), *options]
        return self._identity.command(server, parent_death_signal)

    def url(self, database: str = DATABASES[0], user: str = USER) -> str:
        """The URL of a database, with the password.

        Args:
            database: its name.
            user: who is to log in; by default the one who may do everything.

        Raises:
            StackFailed: the password is not there, or is another user's.
        """
        running = Postmaster.of(self.data)
        port = running.port if running else self.port
        password = self._read_password() if user == USER else self._password_of(user)
        return f"postgresql://{user}:{password}@127.0.0.1:{port}/{database}"

    def is_running(self) -> bool:
        """Whether a server runs on the cluster and takes connections."""
        running = Postmaster.of(self.data)
        return running is not None and running.ready and listens(running.port)

    @cached_property
    def _identity(self) -> Identity:
        return identity_for(self.home, self.binaries, self.data)

    def _make_cluster(self) -> None:
        """Make the cluster apart and rename it when it is whole, so that a kill leaves no half."""
        if not self._password.exists():
            write_private(self._password, secrets.token_urlsafe(24))
        new = self.home / "postgres.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        try:
            write_private(new / "password", self._read_password())
            give(new, self._identity.owner)
            self._run(
                "initdb",
                *("-D", str(new / "data"), "-U", USER, f"--pwfile={new / 'password'}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--data-checksums"),
            )
            made = "".join(f"CREATE DATABASE {name};\n" for name in DATABASES)
            self._run("postgres", "--single", "-D", str(new / "data"), "template1", said=made)
            (new / "data").rename(self.data)
        finally:
            shutil.rmtree(new)

    def _run(self, program: str, *arguments: str, said: str = "") -> None:
        """Run one of the programs as the user whom the cluster belongs to."""
        command = self._identity.command([str(self.binaries / program), *arguments])
        done = subprocess.run(  # noqa: S603
            command,
            check=False,
            capture_output=True,
            input=said,
            text=True,
            cwd="/",
            env=environment(),
        )
        if done.returncode != 0:
            raise StackFailed(
                f"The embedded PostgreSQL cannot be made: {program} failed: "
                f"{' '.join(done.stderr.split())[-500:]}",
                "Mend that, or set DATABASE_URL to a PostgreSQL of your own.",
            )

    def _read_password(self) -> str:
        try:
            return self._password.read_text().strip()
        except (FileNotFoundError, PermissionError) as error:
            raise StackFailed(
                f"The database's password cannot be read: {error}.",
                f"Work as the user whom {self.home} belongs to; a lost password is replaced by "
                f"removing {self.data} too, and all data with it.",
            ) from None

    def _password_of(self, user: str) -> str:
        try:
            return password_of(self.home, user)
        except PermissionError as error:
            raise StackFailed(
                f"The database password of {user} cannot be read: {error}.",
                f"Work as the user whom {self.home} belongs to.",
            ) from None


def environment() -> dict[str, str]:
    """What the programs see: whatever the user's language, their messages are in English."""
    return os.environ | {"LC_ALL": "C"}


def lock_file(path: Path) -> IO[str]:
    """A file that locks are held on, opened; made where it is absent, its folder too.

    It is closed to others: whoever may read a file may lock it, and keep everybody waiting.

    Raises:
        StackFailed: the folder is another user's.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a", opener=_private)  # noqa: SIM115  (whoever locks it closes it)
    except PermissionError as error:
        raise StackFailed(
            f"The home of the database cannot be written: {error}.",
            f"Work as the user whom {path.parent} belongs to, or set JOBCHURN_HOME to a folder of "
            "your own.",
        ) from None
    if os.fstat(file.fileno()).st_uid == os.geteuid():
        os.fchmod(file.fileno(), 0o600)  # that of an older home was open to others
    return file


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes out for as long as the block runs; a killed one's lock is freed."""
    with lock_file(path) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
