"""What a running stack writes down about itself, for commands in other terminals to read."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import time
import xmlrpc.client
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Self, TextIO
from xml.parsers import expat

from jobchurn.stack.gate import answers
from jobchurn.stack.private import private_folder, write_private
from jobchurn.stack.processes import lives
from jobchurn.stack.services import Service
from jobchurn.stack.supervisor_client import ProgramState, Supervisor

ALIVE = {"STARTING", "RUNNING", "BACKOFF"}
"""supervisor's words for a program that lives, or is about to."""

PATIENCE = 5.0
"""Seconds that a service may take to answer; a busy machine is slow."""

SILENT = (OSError, xmlrpc.client.Error, http.client.HTTPException, expat.ExpatError)
"""What asking a supervisord raises that is not, or no longer, there; it may end within a word."""


class State(StrEnum):
    """How a service fares."""

    RUNNING = "running"
    """It answers."""
    STARTING = "starting"
    """Its processes live, or are being started again, but it does not answer."""
    STOPPED = "stopped"
    FAILED = "failed"
    """It ended again and again; it is tried anew once a minute."""
    EXTERNAL = "external"
    """It runs elsewhere and is only used."""


@dataclass(frozen=True)
class ServiceState:
    """One row of ``jobchurn status``.

    Attributes:
        name: of the service.
        state: how it fares.
        pid: its first process, or ``None``.
        address: where it answers.
        since: from when on it is in that state, ISO 8601 in UTC; ``None`` where it is not known.
        restarts: how often one of its programs was restarted since the stack was started.
        failing: whether it fails again and again, although it may answer just now.
        last_words: the last line that it wrote, where it fails.
    """

    name: str
    state: State
    pid: int | None
    address: str
    since: str | None = None
    restarts: int = 0
    failing: bool = False
    last_words: str | None = None

    @property
    def is_up(self) -> bool:
        """Whether it can be used."""
        return self.state in (State.RUNNING, State.EXTERNAL)

    def to_dict(self) -> dict[str, Any]:
        """The row in JSON's types."""
        return asdict(self)


@dataclass(frozen=True)
class Record:
    """A stack that was started.

    Attributes:
        socket: where its supervisord listens.
        services: in the order of start.
        programs: the names of the programs of each service, by its name.
        environment: the variables by which other programs find it.
    """

    socket: str
    programs: Mapping[str, Sequence[str]]
    services: Sequence[Service]
    environment: Mapping[str, str]

    def save(self, folder: StackFolder) -> None:
        """Write it into the home."""
        write_private(folder.record, json.dumps(asdict(self), indent=2))

    def remove(self, folder: StackFolder) -> None:
        """Forget the stack: it has ended, and cleanly so."""
        folder.record.unlink(missing_ok=True)
        listening = Path(self.socket)
        listening.unlink(missing_ok=True)
        if listening.parent != folder.run and listening.parent.exists():
            listening.parent.rmdir()

    def answers(self) -> bool:
        """Whether its supervisord answers."""
        try:
            self.supervisor(timeout=2.0).programs()
        except SILENT:
            return False
        return True

    def shut_down(self) -> bool:
        """Tell its supervisord to stop everything; return whether it was still there."""
        if not self.answers():
            return False
        with suppress(*SILENT):  # it may have ended in between
            self.supervisor().shut_down()
        return True

    def supervisor(self, timeout: float = 5.0) -> Supervisor:
        """The supervisord that this record tells of."""
        return Supervisor(Path(self.socket), timeout)

    def processes(self, known: Mapping[str, ProgramState]) -> dict[str, dict[str, int]]:
        """The living processes of each service, by program, given what supervisord says."""
        return {
            service: {name: pid for name in names if name in known and (pid := known[name].pid)}
            for service, names in self.programs.items()
        }

    def states(self, known: Mapping[str, ProgramState] | None = None) -> list[ServiceState]:
        """How every service fares now.

        Args:
            known: what supervisord says of the programs, where it was asked already.
        """
        if known is None:
            try:
                known = self.supervisor().programs()
            except SILENT:
                known = {}
        # Side by side: a service that hangs must not delay word of the others.
        with ThreadPoolExecutor(len(self.services)) as pool:
            return list(pool.map(partial(self.state_of, known=known), self.services))

    def state_of(self, service: Service, known: Mapping[str, ProgramState]) -> ServiceState:
        """How one service fares, given what supervisord says."""
        if service.external:
            return ServiceState(service.name, State.EXTERNAL, None, service.address)
        programs = [known[name] for name in self.programs[service.name] if name in known]
        pid = next((program.pid for program in programs if program.pid), None)
        return ServiceState(service.name, _state(service, programs), pid, service.address)


def _state(service: Service, programs: Sequence[ProgramState]) -> State:
    words = {program.state for program in programs}
    if "FATAL" in words:
        return State.FAILED
    if not words & ALIVE:
        return State.STOPPED
    all_live = words <= {"RUNNING", "STARTING"}
    return State.RUNNING if all_live and answers(service.health, PATIENCE) else State.STARTING


@dataclass(frozen=True)
class StackFolder:
    """Where the stack keeps what it needs while it runs, under a home."""

    home: Path

    @property
    def run(self) -> Path:
        """Configuration, socket, lock and record."""
        return self.home / "run"

    @property
    def logs(self) -> Path:
        """One log per program, and supervisord's and the keeper's own."""
        return self.home / "logs"

    def log(self, program: str) -> Path:
        """The log of a program, of ``supervisord``, or of ``up`` in the background."""
        return self.logs / f"{program}.log"

    def make(self) -> Self:
        """Make the folders, closed to others."""
        private_folder(self.run)
        private_folder(self.logs)
        return self

    @property
    def record(self) -> Path:
        """The :class:`Record`; present while a stack runs, or after it ended uncleanly."""
        return self.run / "stack.json"

    @property
    def courses(self) -> Path:
        """How the services have fared (:mod:`.history`)."""
        return self.run / "courses.json"

    @property
    def untold(self) -> Path:
        """What people are still to be told of services, wherever they are (:mod:`.untold`)."""
        return self.run / "untold.json"

    @property
    def told(self) -> Path:
        """How far each channel has come with that."""
        return self.run / "told.json"

    @property
    def failing(self) -> Path:
        """The services that people think fail, since they were told; it outlives the stack."""
        return self.run / "failing.json"

    @property
    def lock(self) -> Path:
        """Locked while a stack runs; holds the id of the process that was started by hand."""
        return self.run / "keeper.lock"

    def read_record(self) -> Record | None:
        """The record, or ``None`` where there is none."""
        try:
            kept = json.loads(self.record.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        services = [
            Service(**service | {"needs": tuple(service["needs"])}) for service in kept["services"]
        ]
        return Record(kept["socket"], kept["programs"], services, kept["environment"])

    def keeper(self) -> int | None:
        """The id of the process that keeps the stack which runs here now, or ``None``."""
        try:
            with self.lock.open("r", encoding="ascii") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(file.read().strip() or 0) or None
        except FileNotFoundError:
            pass
        return None

    @contextmanager
    def locked(self, patience: float = 0.0) -> Iterator[bool]:
        """Keep the stack here, where nobody else does; yields whether that worked.

        Children that were forked meanwhile share the lock: it is free when all of them have ended.

        Args:
            patience: for how many seconds to wait for those, where the process that they belonged
                to was killed.
        """
        deadline = time.monotonic() + patience
        with self.lock.open("a+", encoding="ascii") as file:
            while not _lock(file):
                holder = self.keeper()
                if time.monotonic() > deadline or (holder is not None and lives(holder)):
                    yield False
                    return
                time.sleep(0.1)
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield True


def _lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
