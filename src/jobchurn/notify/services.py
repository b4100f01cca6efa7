"""Slack, e-mail and every other channel that the library ``apprise`` knows, by address."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Any

from jobchurn.errors import InvalidSettings
from jobchurn.notify.channels import Delivery, Sender
from jobchurn.notify.hosts import THIS_MACHINE, Hosts, is_loopback
from jobchurn.notify.message import Message, Tone, inert, text_of
from jobchurn.notify.secret import kept_secret
from jobchurn.notify.teams import TeamsSender

_SHOWN = 200
_MAIL = "mailto"
_COMPLAINTS = ("WARNING", "ERROR", "CRITICAL")
_ADDRESS = re.compile(r"([a-z][a-z0-9]*)://\S+", re.IGNORECASE)


class AppriseSender:
    """One channel by its address (``slack://…``, ``mailto://…``), which is a secret.

    Args:
        url: the address, as apprise's documentation of the service has it.
        channel: the channel's name.
        hosts: where addresses may lead that name the host themselves.
    """

    def __init__(self, url: str, channel: str, hosts: Hosts = THIS_MACHINE) -> None:
        self._url = url
        self._hosts = hosts
        self.channel = channel

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.channel})"

    def send(self, message: Message) -> Delivery:
        """Send the message as plain text, which apprise escapes as the service needs."""
        # Here, since it takes most of a second to load and only what there is to tell needs it.
        import apprise  # noqa: PLC0415

        with kept_secret(self._url) as masked:
            service = apprise.Apprise.instantiate(self._url, asset=_asset())
            if service is None:
                return Delivery(self.channel, ok=False, error="apprise does not take this address")
            if mistrust := _mistrust(service, self._url, self._hosts):
                return Delivery(self.channel, ok=False, error=mistrust)
            service.redirects = False  # even where the address itself asks for them
            carrier = apprise.Apprise()
            carrier.add(service)
            result = carrier.notify(
                title=message.title,
                body=text_of(message),
                notify_type=_sign(message.tone),
                body_format=apprise.NotifyFormat.TEXT,
            )
            if result:
                return Delivery(self.channel, ok=True)
            said = " ".join(e.message for e in result.logs() if e.level in _COMPLAINTS)
            error = inert(masked(" ".join(said.split())), _SHOWN)
            return Delivery(self.channel, ok=False, error=error or "the service refused it")


def senders_of(teams_webhook: str | None, alert_urls: str | None, hosts: Hosts) -> list[Sender]:
    """The channels that two settings ask for.

    Args:
        teams_webhook: a Teams Workflows webhook.
        alert_urls: addresses that apprise knows, separated by blanks or commas; a comma inside of
            an address (two recipients of a mail, say) is part of it.
        hosts: where webhooks may lead.

    Raises:
        InvalidSettings: an address is none, or the Teams webhook leads elsewhere; the message does
            not show it. Where the others lead is known when they are used.
    """
    senders: list[Sender] = [TeamsSender(teams_webhook, hosts)] if teams_webhook else []
    taken = Counter(sender.channel for sender in senders)
    addresses = re.split(r"[\s,]+(?=[A-Za-z][A-Za-z0-9]*://)", (alert_urls or "").strip(" ,\t\n"))
    for number, address in enumerate(filter(None, addresses), 1):
        scheme = _ADDRESS.fullmatch(address)
        if scheme is None:
            raise InvalidSettings(
                f"ALERT_URLS: number {number} is not an address such as slack://… or mailto://….",
                "Write the addresses as apprise's documentation has them, separated by blanks.",
            )
        channel = scheme[1].lower()
        taken[channel] += 1
        name = channel if taken[channel] == 1 else f"{channel}-{taken[channel]}"
        senders.append(AppriseSender(address, name, hosts))
    return senders


def _mistrust(service: Any, url: str, hosts: Hosts) -> str | None:
    """Why a service is not trusted with a message; ``None`` where it is.

    Most services have one host of their own, by https. Some take the host from the address.
    """
    host = str(service.host or "")
    if "host" not in service.template_tokens or is_loopback(host):
        return None
    plain = service.protocol or ()
    plain = (plain,) if isinstance(plain, str) else plain
    if url.partition(":")[0].lower() in ("http", *plain) and not service.secure:
        return "the address is not encrypted: most services have a second scheme with an s"
    if _MAIL in plain or hosts.admit(host):
        return None
    return "the address leads to a host that is not among WEBHOOK_HOSTS"


def _sign(tone: Tone) -> Any:
    import apprise  # noqa: PLC0415

    match tone:
        case Tone.GOOD:
            return apprise.NotifyType.SUCCESS
        case Tone.URGENT:
            return apprise.NotifyType.FAILURE
        case _:
            return apprise.NotifyType.WARNING


@cache
def _asset() -> Any:
    import apprise  # noqa: PLC0415

    return apprise.AppriseAsset(
        app_id="jobchurn",
        app_desc="jobchurn alerts",
        app_url="",
        image_url_mask="",  # no pictures that a reader's client would fetch from elsewhere
        image_url_logo="",
        async_mode=False,
        http_redirects=False,
        secure_logging=True,
        service_timeout=0,  # the notifier bounds the time of all channels together
        storage_mode="memory",
    )
