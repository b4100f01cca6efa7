"""What people are still to be told of services, and how far each channel has come: two files.

The keeper alone writes the one, the process that tells alone the other: neither waits, and whoever
takes the place of one that was killed goes on where that one stopped. Between the two, an event is
a line of text, so that people are told also where nothing can be written down.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from jobchurn.stack.history import Event, Turn
from jobchurn.stack.private import write_private

log = logging.getLogger(__name__)


def read_untold(path: Path) -> dict[int, Event]:
    """The events by their numbers, in the order in which they happened; empty without a file."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {int(number): _event_of(fields) for number, fields in kept.items()}


def write_untold(path: Path, events: Mapping[int, Event]) -> None:
    """Keep the events, in place of those that were kept before."""
    write_private(path, json.dumps({number: asdict(event) for number, event in events.items()}))


def line_of(number: int, event: Event) -> str:
    """A numbered event as a line."""
    return f"{json.dumps([number, asdict(event)])}\n"


def of_line(line: str) -> tuple[int, Event]:
    """The numbered event that :func:`line_of` wrote."""
    number, fields = json.loads(line)
    return number, _event_of(fields)


def read_told(path: Path) -> dict[str, int]:
    """Channel → the number of the last event that is done with there; empty without a file."""
    try:
        kept: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return kept


def read_failing(path: Path) -> set[str]:
    """The services of which people were told that they fail, and not yet that it is over."""
    try:
        return set(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return set()


def write_failing(path: Path, services: set[str]) -> None:
    """Keep these services, in place of those that were kept before."""
    write_private(path, json.dumps(sorted(services)))


class Told:
    """How far each channel has come, as the process that tells keeps it. Threads may share it.

    Args:
        path: where it is kept.
        channels: those that are told now; others are forgotten.
    """

    def __init__(self, path: Path, channels: tuple[str, ...]) -> None:
        known = read_told(path)
        self._path = path
        self._last = {channel: known.get(channel, 0) for channel in channels}
        self._lock = threading.Lock()
        self._is_kept = True
        self._trouble: str | None = None

    def last(self, channel: str) -> int:
        """The number of the last event that is done with there; 0 where none is."""
        return self._last[channel]

    def mark(self, channel: str, number: int) -> None:
        """An event is done with in a channel: it was told, or given up."""
        with self._lock:
            self._last[channel] = number
            self._is_kept = False
        self.is_kept()

    def is_kept(self) -> bool:
        """Whether all of it is written down; what could not be is written now, where that works.

        While it does not, say on a full disk, this process alone knows: it must not end, or the
        next one would tell people twice.
        """
        with self._lock:
            if not self._is_kept:
                try:
                    write_private(self._path, json.dumps(self._last))
                except OSError as trouble:
                    self._trouble = said_once(self._trouble, trouble)
                else:
                    self._is_kept, self._trouble = True, None
            return self._is_kept


def said_once(before: str | None, trouble: OSError) -> str:
    """Say why nothing can be written down, where that is not what was said before; what was said.

    By way of the log: its own file may lie on the disk that is full, and must end nothing.
    """
    said = str(trouble)
    if said != before:
        log.warning("what people are told of services cannot be written down: %s", said)
    return said


def _event_of(fields: Mapping[str, object]) -> Event:
    turn = fields["turn"]
    known = dict(fields) | {"turn": None if turn is None else Turn(str(turn))}
    return Event(**known)  # type: ignore[arg-type]
