"""Microsoft Teams: a Workflows webhook, posted to directly.

The library for the other channels posts to such webhooks too, but follows redirects and knows no
tables.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from jobchurn.errors import InvalidSettings
from jobchurn.notify.card import card_of
from jobchurn.notify.channels import Delivery
from jobchurn.notify.hosts import THIS_MACHINE, Hosts, is_loopback
from jobchurn.notify.message import Message, inert
from jobchurn.notify.secret import kept_secret

_SECONDS = 10.0
_SHOWN_BODY = 200


class TeamsSender:
    """Posts a message to one webhook. The webhook's address is a secret and is never shown.

    Args:
        url: the address, https only; plain http is taken for this very machine alone, for tests.
        hosts: where it may lead.
        seconds: how long connecting, writing and each wait for the answer may take.

    Raises:
        InvalidSettings: the address is no such address, or leads elsewhere.
    """

    channel = "teams"

    def __init__(self, url: str, hosts: Hosts = THIS_MACHINE, seconds: float = _SECONDS) -> None:
        self._url, self._seconds = url, seconds
        try:
            parts = urlsplit(url)
            # With a name before its host, an address looks like another's.
            host, _ = "" if "@" in parts.netloc else parts.hostname or "", parts.port
        except ValueError:
            host = ""
        self._local = is_loopback(host)
        if not host or not (parts.scheme == "https" or (parts.scheme == "http" and self._local)):
            raise InvalidSettings(
                "TEAMS_WEBHOOK is not the https address of a webhook.",
                "Copy the whole address that the Workflows app shows, or unset the variable.",
            )
        if not hosts.admit(host):
            raise InvalidSettings(
                "TEAMS_WEBHOOK leads to a host that is not among WEBHOOK_HOSTS.",
                "Copy the address anew, or add its host to WEBHOOK_HOSTS if you trust it.",
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def send(self, message: Message) -> Delivery:
        """Post the card; any status of 2xx is success (Workflows answers 202), and no other is.

        A redirect is refused: the address that was given is the address that is trusted.
        """
        # Here, so that a process that sends nothing needs no HTTP client.
        import httpx  # noqa: PLC0415

        body = json.dumps(card_of(message), ensure_ascii=False).encode()
        with kept_secret(self._url) as masked:
            try:
                with (
                    # The proxy that the environment names is for the outer world.
                    httpx.Client(timeout=self._seconds, trust_env=not self._local) as client,
                    client.stream(
                        "POST",
                        self._url,
                        content=body,
                        headers={"Content-Type": "application/json"},
                        follow_redirects=False,
                    ) as answer,
                ):
                    if answer.is_success:
                        return Delivery(self.channel, ok=True, status=answer.status_code)
                    said = next(answer.iter_bytes(4 * _SHOWN_BODY), b"")
                    error = _refusal(answer.status_code, said.decode("utf-8", "replace"))
                    return Delivery(
                        self.channel, ok=False, status=answer.status_code, error=masked(error)
                    )
            except httpx.HTTPError as error:
                said_so = f"{_words(type(error).__name__)}: {error}"
                return Delivery(self.channel, ok=False, error=masked(inert(said_so, _SHOWN_BODY)))


def _refusal(status: int, body: str) -> str:
    if 300 <= status < 400:
        return f"HTTP {status}: a redirect, which is not followed"
    said = inert(" ".join(body.split()), _SHOWN_BODY)
    return f"HTTP {status}: {said}" if said else f"HTTP {status}"


def _words(name: str) -> str:
    """``ConnectTimeout`` as "connect timeout"."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
