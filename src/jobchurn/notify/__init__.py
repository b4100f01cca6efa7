"""Telling people about files with problems: what is said, and the channels that carry it.

:func:`alert_of` says what happened in a file; a :class:`Notifier` hands it to its channels, and a
channel that fails never raises: it reports a :class:`Delivery`, which ``flow.alert`` records and
retries. Nothing of a person is in an alert: counts, rules and the file's name, and a link.
"""

from jobchurn.notify.alert import Alert, Issue, alert_of, inert
from jobchurn.notify.card import card_of
from jobchurn.notify.channels import Delivery, Notifier, Sender
from jobchurn.notify.services import AppriseSender, senders_of
from jobchurn.notify.teams import TeamsSender

__all__ = [
    "Alert",
    "AppriseSender",
    "Delivery",
    "Issue",
    "Notifier",
    "Sender",
    "TeamsSender",
    "alert_of",
    "card_of",
    "inert",
    "senders_of",
]
