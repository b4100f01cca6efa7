"""Telling people what they should know: what is said, and the channels that carry it.

:func:`alert_of` says what happened in a file, a :class:`RuleAlert` what an alert rule found; both
are a :class:`Message`. A :class:`Notifier` hands it to its channels, and a channel that fails never
raises: it reports a :class:`Delivery`, which ``flow.alert`` records and retries. Nothing of a
person is in a message: counts, rules, names of files and columns, and links.
"""

from jobchurn.notify.alert import Alert, Issue, alert_of
from jobchurn.notify.card import card_of
from jobchurn.notify.channels import Delivery, Notifier, Sender
from jobchurn.notify.hosts import Hosts
from jobchurn.notify.message import Message, Tone, inert, text_of
from jobchurn.notify.quantity import quantity
from jobchurn.notify.rule_alert import News, RuleAlert
from jobchurn.notify.services import AppriseSender, senders_of
from jobchurn.notify.teams import TeamsSender

__all__ = [
    "Alert",
    "AppriseSender",
    "Delivery",
    "Hosts",
    "Issue",
    "Message",
    "News",
    "Notifier",
    "RuleAlert",
    "Sender",
    "TeamsSender",
    "Tone",
    "alert_of",
    "card_of",
    "inert",
    "quantity",
    "senders_of",
    "text_of",
]
