"""The gate before a program: waits until what the program needs answers, then becomes the program.

supervisor knows no health checks and no order of start beyond the first; this is both. It is run as
``python -m jobchurn.stack.gate SPEC``, where SPEC is a private JSON file: an environment holds
secrets, which belong neither on a command line nor in supervisor's configuration. Standard library
only, so that it starts in a blink.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

PROTOCOL = 196608
"""PostgreSQL's wire protocol 3.0, as its startup message spells it."""

STARTING_UP = b"C57P03\0"
"""The SQLSTATE field by which a PostgreSQL says that it is not ready yet."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What the gate waits for and what it becomes.

    Attributes:
        command: the program and its arguments.
        environment: set on top of the inherited environment.
        waits: targets that must answer first; see :func:`answers`.
        seconds: how long to wait for all of them together.
        first: commands to run to their end before; each must succeed.
        folder: the working folder of all of them.
    """

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    waits: list[str] = field(default_factory=list)
    seconds: float = 300.0
    first: list[list[str]] = field(default_factory=list)
    folder: str = "/"

    def to_json(self) -> str:
        """The spec as JSON text."""
        return json.dumps(asdict(self), indent=2)


def answers(target: str, timeout: float = 1.0) -> bool:
    """Whether a target answers now.

    Targets are addresses: ``tcp://host:port`` accepts connections, ``http://host:port/path``
    answers below 400, ``http://host:port/path#a,b`` answers with JSON that calls its parts a and b
    healthy, ``postgresql://user@host:port/name`` takes sessions (a server in recovery does not),
    ``file:///path`` exists.
    """
    address = urlsplit(target)
    if address.scheme == "file":
        return Path(unquote(address.path)).exists()
    try:
        with socket.create_connection((address.hostname, address.port), timeout) as connection:
            connection.settimeout(timeout)
            if address.scheme == "http":
                return _http_answers(connection, address.path or "/", address.fragment)
            if address.scheme == "postgresql":
                database = address.path.lstrip("/") or "postgres"
                return _postgres_answers(connection, address.username or "postgres", database)
            return True
    except OSError:
        return False


def _http_answers(connection: socket.socket, path: str, parts: str) -> bool:
    connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    with connection.makefile("rb") as answer:
        status = answer.readline(1024).split(b" ", 2)
        if len(status) < 2 or not status[1].isdigit() or not 200 <= int(status[1]) < 400:
            return False
        return not parts or _are_healthy(answer.read(65536).partition(b"\r\n\r\n")[2], parts)


def _are_healthy(content: bytes, parts: str) -> bool:
    """Whether a health document, ``{"part": {"status": "healthy"}}``, says so of all parts."""
    try:
        document = json.loads(content)
        return all(document[part]["status"] == "healthy" for part in parts.split(","))
    except (ValueError, KeyError, TypeError):
        return False


def _postgres_answers(connection: socket.socket, user: str, database: str) -> bool:
    """Ask for a session and hear whether the server refuses all, as ``pg_isready`` does."""
    asked = b"user\0%s\0database\0%s\0\0" % (user.encode(), database.encode())
    connection.sendall(struct.pack("!ii", len(asked) + 8, PROTOCOL) + asked)
    answer = connection.recv(1024)
    return bool(answer) and not (answer[:1] == b"E" and STARTING_UP in answer)


def wait_for(targets: list[str], seconds: float) -> str | None:
    """Wait until all targets answer; return the one that did not in time, or ``None``."""
    deadline = time.monotonic() + seconds
    for target in targets:
        told = False
        while not answers(target):
            if time.monotonic() > deadline:
                return target
            if not told:
                _say(f"waiting for {shown(target)}")
                told = True
            time.sleep(0.1)
    return None


def shown(target: str) -> str:
    """The target as logs may hold it: without user or password."""
    address = urlsplit(target)
    return address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()


def is_supervised(pid_file: Path) -> bool:
    """Whether our parent is the supervisord that wrote this file.

    It may have died before the kernel was asked to tell us of its death.
    """
    try:
        return int(pid_file.read_text(encoding="ascii")) == os.getppid()
    except (FileNotFoundError, ValueError):
        return False


def _say(text: str) -> None:
    sys.stderr.write(f"gate: {text}\n")
    sys.stderr.flush()


def main(arguments: list[str]) -> int:
    """Wait, then become the program; returns an exit code only where that fails."""
    spec = Spec(**json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    environment = os.environ | spec.environment
    if not is_supervised(Path("supervisord.pid")):
        _say("supervisord has ended; giving up")
        return os.EX_TEMPFAIL
    os.chdir(spec.folder)
    missing = wait_for(spec.waits, spec.seconds)
    if missing is not None:
        _say(f"{shown(missing)} did not answer within {spec.seconds:.0f} s; giving up")
        return os.EX_TEMPFAIL
    for command in spec.first:
        code = subprocess.run(command, env=environment, check=False).returncode  # noqa: S603
        if code:
            _say(f"{' '.join(command[-3:])} ended with {code}")
            return code if code > 0 else 128 - code
    return os.execvpe(spec.command[0], spec.command, environment)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
