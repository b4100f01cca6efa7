"""The server process of a cluster: whether it lives, and what a dead one left behind."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_PROC = Path("/proc")
_ORPHANS_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A living server process on a cluster.

    Attributes:
        pid: its process.
        port: where it listens.
        ready: whether it says that it takes connections.
    """

    pid: int
    port: int
    ready: bool

    @classmethod
    def of(cls, data: Path) -> Self | None:
        """The process that runs on the cluster, or ``None``.

        ``postmaster.pid`` holds, line by line: process, folder, start, port, socket folder,
        address, shared memory, status (PostgreSQL's miscadmin.h). A server that was killed leaves
        it behind, and its number may be another process's by now.
        """
        try:
            lines = (data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        if len(lines) < 4 or not lines[0].isdecimal() or not lines[3].isdecimal():
            return None
        if not _works_in(int(lines[0]), data):
            return None
        ready = len(lines) > 7 and lines[7].strip() == "ready"
        return cls(int(lines[0]), int(lines[3]), ready)


def clear_stale(data: Path) -> None:
    """Remove what a killed server left, once the last of its processes has ended.

    PostgreSQL does so itself, save where the dead server's number has become another process's, as
    is common in containers.
    """
    if Postmaster.of(data) is not None:
        return
    deadline = time.monotonic() + _ORPHANS_SECONDS
    while any(_workers(data)) and time.monotonic() < deadline:
        time.sleep(0.05)
    if not any(_workers(data)):
        (data / "postmaster.pid").unlink(missing_ok=True)


def is_taken(port: int) -> bool:
    """Whether another program holds the port on loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def listens(port: int) -> bool:
    """Whether something takes connections at the port on loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _works_in(pid: int, data: Path) -> bool:
    """Whether the process lives and works in the cluster's folder, as the server does."""
    if not (_PROC / "self").exists():  # no Linux: its number is all there is
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
    process = _PROC / str(pid)
    try:
        try:
            return (process / "cwd").samefile(data)
        except PermissionError:  # another user's: the server's where the cluster is theirs
            return process.stat().st_uid == data.stat().st_uid
    except (FileNotFoundError, ProcessLookupError):
        return False


def _workers(data: Path) -> Iterator[int]:
    """The processes that work in the cluster's folder."""
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if entry.name.isdecimal():
            try:
                found = (entry / "cwd").samefile(data)
            except OSError:  # ended meanwhile, or another user's
                continue
            if found:
                yield int(entry.name)
