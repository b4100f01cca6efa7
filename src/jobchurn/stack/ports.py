"""Ports: whether one is free, and who holds it where that can be known."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from pathlib import Path

from jobchurn.errors import StackFailed
from jobchurn.stack.services import Service

LISTENING = "0A"
"""The state of a listening socket in ``/proc/net/tcp``."""


def refuse_taken(services: Iterable[Service]) -> None:
    """Check that every service can listen where it is set to.

    Raises:
        StackFailed: a port is taken, set twice, or may not be opened; the message names it, who
            holds it, and the variable that changes it.
    """
    seen: dict[int, Service] = {}
    for service in services:
        if service.port is None:
            continue
        cure = f"Set {service.port_variable} to another port."
        if service.port in seen:
            raise StackFailed(
                f"{service.title} and {seen[service.port].title} are both set to port "
                f"{service.port}.",
                cure,
            )
        seen[service.port] = service
        match obstacle(service.host, service.port):
            case None:
                pass
            case errno.EADDRINUSE:
                holder = owner(service.port)
                raise StackFailed(
                    f"Port {service.port} of {service.name} is taken"
                    f"{f' by {holder}' if holder else ''}.",
                    f"End what holds it, or set {service.port_variable} to another port.",
                )
            case code:
                raise StackFailed(
                    f"{service.title} cannot listen on {service.host}, port {service.port}: "
                    f"{errno.errorcode.get(code, code)}.",
                    cure,
                )


def obstacle(host: str, port: int) -> int | None:
    """The error number with which listening there fails, or ``None`` where it works."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # As servers do: connections that linger from an earlier run are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        return error.errno or errno.EIO
    return None


def owner(port: int) -> str | None:
    """Who listens on a port, as "name (pid N)", or ``None`` where the system does not say."""
    inodes = _listening_inodes(port)
    for link in Path("/proc").glob("[0-9]*/fd/[0-9]*") if inodes else ():
        try:
            target = str(link.readlink())
        except OSError:
            # Another user's process, or one that has just ended.
            continue
        if target.removeprefix("socket:[").removesuffix("]") in inodes:
            process = link.parents[1]
            try:
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
            except OSError:
                continue
            return f"{name} (pid {process.name})"
    return None


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text(encoding="ascii").splitlines()[1:]:
            local, state, inode = (line.split()[index] for index in (1, 3, 9))
            if state == LISTENING and int(local.rpartition(":")[2], 16) == port:
                found.add(inode)
    return found
