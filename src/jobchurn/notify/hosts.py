"""The hosts that messages may go to: an address that was mistyped, or slipped in, tells nobody."""

from __future__ import annotations

import ipaddress
import re

from jobchurn.errors import InvalidSettings

_NAME = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)


class Hosts:
    """A list of hosts: names, addresses, and ``*.example.org`` for all that end so.

    Args:
        text: the hosts, separated by blanks or commas.

    Raises:
        InvalidSettings: one is no host.
    """

    def __init__(self, text: str) -> None:
        self._named = frozenset(filter(None, re.split(r"[\s,]+", text.lower())))
        for name in self._named:
            if not _NAME.fullmatch(name) and not _is_address(name):
                raise InvalidSettings(
                    "WEBHOOK_HOSTS holds what is no host.",
                    "Write hosts such as hooks.example.org or *.example.org, without https://.",
                )

    def admit(self, host: str) -> bool:
        """Whether messages may go to ``host``."""
        host = host.lower().removesuffix(".")
        above = host.split(".")[1:]
        wild = {f"*.{'.'.join(above[place:])}" for place in range(len(above))}
        return bool(host) and not self._named.isdisjoint({host} | wild)


def is_loopback(host: str) -> bool:
    """Whether a host is this very machine, by its own name or address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


THIS_MACHINE = Hosts("localhost 127.0.0.1 ::1")
"""This very machine alone."""
