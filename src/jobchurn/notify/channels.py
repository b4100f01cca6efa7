"""Handing a message to every channel, in bounded time, whatever a channel does."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from jobchurn.notify.message import Message
from jobchurn.policy import Criticality


@dataclass(frozen=True)
class Delivery:
    """How one channel fared with one message.

    Attributes:
        channel: the channel's name.
        ok: whether it accepted the message.
        status: the HTTP status, where the channel speaks HTTP and answered.
        error: why it failed, free of secrets; ``None`` where it did not.
    """

    channel: str
    ok: bool
    status: int | None = None
    error: str | None = None


class Sender(Protocol):
    """One channel."""

    @property
    def channel(self) -> str:
        """Its name, unique among the channels, without secrets."""
        ...

    def send(self, message: Message) -> Delivery:
        """Deliver the message; every failure is in the answer."""
        ...


class Notifier:
    """All channels of this installation.

    Args:
        senders: the channels; without any, nobody is told anything.
        minimum: from which criticality on a file is worth an alert. Files without problems never
            are.
        seconds: how long all channels together may take. One that takes longer has failed, and is
            left to end by itself: ingestion holds a lease on its file and cannot wait.
    """

    def __init__(
        self,
        senders: Sequence[Sender] = (),
        minimum: Criticality = Criticality.LOW,
        seconds: float = 30.0,
    ) -> None:
        self._senders = {sender.channel: sender for sender in senders}
        self._minimum = minimum
        self._seconds = seconds

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels."""
        return tuple(self._senders)

    def wants(self, criticality: Criticality) -> bool:
        """Whether a file of this criticality is worth an alert."""
        severity = list(Criticality).index
        return criticality is not Criticality.NONE and severity(criticality) >= severity(
            self._minimum
        )

    def deliver(self, message: Message, channels: Collection[str] | None = None) -> list[Delivery]:
        """Send the message through all channels at once, or through those named. Never raises.

        Returns:
            one delivery for each channel that was asked, in the channels' order; a name that this
            installation does not know is left out.
        """
        asked = [
            sender
            for channel, sender in self._senders.items()
            if channels is None or channel in channels
        ]
        arrived: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        for sender in asked:
            # A daemon thread: one that hangs must not keep the process from ending.
            threading.Thread(
                target=lambda sender=sender: arrived.put(_sent(sender, message)),
                name=f"alert through {sender.channel}",
                daemon=True,
            ).start()
        deadline = time.monotonic() + self._seconds
        done: dict[str, Delivery] = {}
        while len(done) < len(asked):
            try:
                delivery = arrived.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            done[delivery.channel] = delivery
        late = f"no answer within {self._seconds:g} s"
        return [
            done.get(sender.channel, Delivery(sender.channel, ok=False, error=late))
            for sender in asked
        ]


def _sent(sender: Sender, message: Message) -> Delivery:
    try:
        return sender.send(message)
    except Exception as error:  # noqa: BLE001  a channel's fault is the channel's; it is recorded
        # Not the message: a sender that raises has lost control of what stands in it.
        return Delivery(sender.channel, ok=False, error=type(error).__name__)
