"""A PostgreSQL and an API that may be killed, and how long they take to come back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psycopg

from jobchurn.postgres.binaries import find_binaries
from jobchurn.postgres.server import EmbeddedPostgres
from jobchurn.settings import Settings
from ports import free_port

TESTS = Path(__file__).parents[1]
LONGEST_START = 120

_TIED = ["setpriv", "--pdeathsig=KILL"] if shutil.which("setpriv") else []
"""Before a command that is not to outlive these tests, however they end."""


class Postgres:
    """An embedded PostgreSQL with all its syncs, whose server process is ours to kill."""

    def __init__(self, home: Path, **environment: str) -> None:
        self._environment = environment
        settings = Settings(jobchurn_home=home, database_url=None, postgres_port=free_port())
        home.mkdir()
        self._server = EmbeddedPostgres(home, settings.postgres_port, find_binaries(settings))
        self._log = (home / "server.log").open("ab")
        self.begin()

    @property
    def url(self) -> str:
        return self._server.url()

    def begin(self) -> None:
        """Start the server; returns once it answers."""
        self._server.ensure_cluster()
        command = self._server.command(parent_death_signal="KILL")
        # What changes to another user is not to see it: libfaketime would leave what that user
        # cannot open.
        program = command.index(str(self._server.binaries / "postgres"))
        command[program:program] = ["env", *(f"{k}={v}" for k, v in self._environment.items())]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            cwd="/",
        )
        wait_until(self._answers, self._process)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop every process of the server; what is sent to it meanwhile is neither read nor lost.

        The sockets stay open, and the kernel takes connections in the server's name.
        """
        stopped = [self._process.pid]
        os.kill(self._process.pid, signal.SIGSTOP)
        wait_until(lambda: _is_stopped(self._process.pid), self._process)
        for child in _children_of(self._process.pid):  # no more come
            with suppress(ProcessLookupError):  # a session that ended just now
                os.kill(child, signal.SIGSTOP)
                stopped.append(child)
        try:
            yield
        finally:
            for process in stopped:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)

    def end(self) -> None:
        self.kill()
        self._log.close()

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


class Api:
    """The API as a process of its own, with the named faults planted in it."""

    def __init__(
        self, database: str, home: Path, plants: Sequence[str] = (), **environment: str
    ) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.plants = tuple(plants)
        self._environment = os.environ | {
            "API_PORT": str(self.port),
            "DATABASE_URL": database,
            "JOBCHURN_HOME": str(home),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(TESTS), os.getenv("PYTHONPATH")])),
            **environment,
        }
        self._log = (home / "api.log").open("ab")
        self.begin()

    def begin(self) -> None:
        """Start the process; returns once it is ready."""
        program = ["from faults.clock import sleep_by_waiting", "sleep_by_waiting()"]
        program += ["from jobchurn.api.serve import main"]
        if self.plants:
            program.append("from faults.plants import PLANTS")
            program += [f"PLANTS[{name!r}]()" for name in self.plants]
        self.process = subprocess.Popen(
            [*_TIED, sys.executable, "-c", "\n".join([*program, "raise SystemExit(main())"])],
            env=self._environment,
            stderr=self._log,
        )
        wait_until(self.is_ready, self.process)

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/ready", timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        self.kill()
        self._log.close()


def _is_stopped(process: int) -> bool:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def _children_of(process: int) -> list[int]:
    """The processes that a stopped process has begun."""
    return [
        int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


def wait_until(holds, process: subprocess.Popen) -> None:
    """Wait until something holds, for as long as a process lives."""
    end = time.monotonic() + LONGEST_START
    while not holds():
        assert process.poll() is None, f"it ended with {process.returncode}"
        assert time.monotonic() < end, "it does not come up"
        time.sleep(0.02)
