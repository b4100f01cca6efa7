"""Speaking to a running supervisord over its Unix socket."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ProgramState:
    """What supervisor knows of a program.

    Attributes:
        name: the program's.
        state: supervisor's word: STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL.
        pid: the process, or ``None``.
        started, stopped: when it last did, in whole seconds of the epoch; 0 for never.
        exit_code: the last one.
        trouble: why it could not be started, or empty.
    """

    name: str
    state: str
    pid: int | None
    started: int
    stopped: int
    exit_code: int
    trouble: str


class Supervisor:
    """A running supervisord, spoken to over its socket.

    Each call raises ``OSError`` or ``xmlrpc.client.Error`` where it does not answer.
    """

    def __init__(self, path: Path, timeout: float = 5.0) -> None:
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=_Unix(path, timeout))
        self._call: Any = proxy.supervisor

    def programs(self) -> dict[str, ProgramState]:
        """Every program's state, by name."""
        return {
            info["name"]: ProgramState(
                name=info["name"],
                state=info["statename"],
                pid=info["pid"] or None,
                started=info["start"],
                stopped=info["stop"],
                exit_code=info["exitstatus"],
                trouble=info["spawnerr"],
            )
            for info in self._call.getAllProcessInfo()
        }

    def start(self, program: str) -> None:
        """Start a program; return before it is up."""
        self._call.startProcess(program, False)

    def shut_down(self) -> None:
        """Stop everything in reverse order, and supervisord with it; return before it is done."""
        self._call.shutdown()


class _Unix(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__()
        self._path = path
        self._timeout = timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        """A fresh connection for each call: supervisord closes it after the answer."""
        self.close()
        connection = _UnixConnection(self._path, self._timeout)
        self._connection = host, connection
        return connection


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
