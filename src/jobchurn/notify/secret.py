"""Keeping the address of a channel secret: whoever has it can post, so it is a password."""

from __future__ import annotations

import contextvars
import logging
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

_MASK = "…"
# Shorter parts ("v1", "hook", a port) say nothing, and masking them would garble every sentence.
_SHORTEST = 5
# Schemes and hosts' common endings are no secrets, and messages need such words.
_PLAIN = frozenset(("https", "mailto", "mailtos", "localhost", "slack", "webhook", "webhooks"))

_hidden: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar("hidden", default=())


def parts_of(address: str) -> tuple[str, ...]:
    """The parts of an address that must not be shown, the longest first."""
    found = {address, unquote(address)}
    for text in (address, unquote(address)):
        found.update(part for part in re.split(r"[/:@?&=,;#+%\s]+", text))
    return tuple(
        sorted(
            (part for part in found if len(part) >= _SHORTEST and part.casefold() not in _PLAIN),
            key=len,
            reverse=True,
        )
    )


def masked(text: str, secrets: tuple[str, ...]) -> str:
    """``text`` without any of the secrets."""
    for secret in secrets:
        text = text.replace(secret, _MASK)
    return text


@contextmanager
def kept_secret(address: str) -> Iterator[Callable[[str], str]]:
    """While the block runs, no part of ``address`` reaches a log from this thread.

    HTTP libraries log the addresses that they call (httpx at INFO, urllib3 at DEBUG), and their
    exceptions quote them. Which loggers they use is theirs to change, so the records themselves
    are masked where they are made.

    Yields:
        what masks a text in the same way, for messages of one's own.
    """
    _watch_log_records()
    secrets = parts_of(address)
    token = _hidden.set(_hidden.get() + secrets)
    try:
        yield lambda text: masked(text, secrets)
    finally:
        _hidden.reset(token)


class _MaskingFactory:
    """Makes log records as before, and masks what is hidden at that moment."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._make(*args, **kwargs)
        secrets = _hidden.get()
        if secrets:
            text = record.getMessage()
            if record.exc_info and record.exc_info[1] is not None:
                # A traceback quotes its exception's message; as text it can be masked.
                text += "\n" + "".join(traceback.format_exception(record.exc_info[1]))
                record.exc_info = None
            record.msg, record.args = masked(text, secrets), ()
        return record


def _watch_log_records() -> None:
    make = logging.getLogRecordFactory()
    if not isinstance(make, _MaskingFactory):
        logging.setLogRecordFactory(_MaskingFactory(make))
