"""What a message is, whatever it is about, and how foreign text is made harmless in it.

Cards, plain text and channels know messages alone: what is told of a file (:mod:`.alert`) and what
is told of a rule (:mod:`.rule_alert`) are two kinds of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

_LINK_LENGTH = 1000

# Invisible, reordering and unassigned characters, by the first letters of Unicode's category:
# controls (Cc), formats such as right-to-left overrides (Cf), surrogates (Cs), private use (Co),
# unassigned (Cn), and the separators of lines and paragraphs (Zl, Zp).
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))

# What a chat client may take for more than text: mark-up and mentions of people, a date function of
# Adaptive Cards, a Markdown link, an address. Their signs give way to others that look alike.
_ACTIVE = (
    ("<", "‹"),
    (">", "›"),
    ("@", "＠"),
    ("{{", "{ {"),
    ("${", "$ {"),
    ("](", "] ("),
    ("://", ":⁄⁄"),
)
_WEB_HOST = re.compile(r"\bwww\.", re.IGNORECASE)


class Tone(StrEnum):
    """How a message is meant, which channels show by a colour or a sign."""

    GOOD = "good"
    NOTICE = "notice"
    WARNING = "warning"
    URGENT = "urgent"


class Fact(NamedTuple):
    """A name and its value, each fit to be shown."""

    name: str
    value: str


class Link(NamedTuple):
    """Where a reader can go on to: what to click on, and the address."""

    title: str
    address: str


class Table(NamedTuple):
    """A message's lines as a table; the last column is of numbers."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Message(Protocol):
    """What people are told. All text is fit to be shown: what is foreign in it is inert."""

    @property
    def headline(self) -> str:
        """The matter in one sentence, in words of our own."""
        ...

    @property
    def title(self) -> str:
        """The matter in one line that stands alone, such as a mail's subject."""
        ...

    @property
    def tone(self) -> Tone:
        """How it is meant."""
        ...

    @property
    def explanation(self) -> str:
        """What it means for people; may be empty."""
        ...

    @property
    def facts(self) -> Sequence[Fact]:
        """What is known of the matter."""
        ...

    @property
    def lines(self) -> Sequence[str]:
        """What else there is to say, line by line."""
        ...

    @property
    def table(self) -> Table | None:
        """The same lines as a table, where they are one."""
        ...

    @property
    def unlisted(self) -> str:
        """A sentence of our own about what the lines leave out; empty where they are all."""
        ...

    @property
    def links(self) -> Sequence[Link]:
        """Where to go on."""
        ...


def text_of(message: Message) -> str:
    """A message as plain text of a few lines, for channels without tables; without its headline."""
    lines = [message.explanation] if message.explanation else []
    lines += [f"{fact.name}: {fact.value}" for fact in message.facts]
    lines += [f"- {line}" for line in message.lines]
    lines += [message.unlisted] if message.unlisted else []
    lines += [f"{link.title}: {link.address}" for link in message.links]
    return "\n".join(lines)


def links_of(*candidates: tuple[str, str | None]) -> tuple[Link, ...]:
    """Those of the titles and addresses whose address is one that a reader can be given."""
    return tuple(Link(title, found) for title, address in candidates if (found := _web(address)))


def _web(address: str | None) -> str | None:
    address = address or ""
    plain = address.startswith(("https://", "http://")) and address.isascii()
    fit = plain and address.isprintable() and " " not in address and len(address) <= _LINK_LENGTH
    return address if fit else None


def shown_moment(moment: datetime) -> str:
    """A moment for a reader, to the minute."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def inert(text: str, limit: int) -> str:
    """Foreign text that no chat client, mail reader or log takes for more than text.

    Characters that cannot be seen or that turn the direction of text are spelt out; signs that
    mark links, mentions, mark-up or functions give way to ones that look alike; the rest is cut to
    ``limit`` characters. Emphasis in Markdown is left to the channel: it alone knows its dialect.
    """
    # Cut first, so that a text of megabytes costs no more than a name.
    shown = "".join(map(_visible, text[: limit + 1]))
    for active, harmless in _ACTIVE:
        shown = shown.replace(active, harmless)
    shown = _WEB_HOST.sub(lambda found: f"{found[0][:-1]}․", shown)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    return ascii(character)[1:-1] if category in _HIDDEN else character
