"""Files that end whoever reads them: those with the first delivery's first row, and no others."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from jobchurn import files

FIRST = "1"
"""The id of the first row of a scene's first delivery."""


def _is_deadly(data: bytes) -> bool:
    return f"\n{FIRST},".encode() in data


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _by_being_cut() -> None:
    real = files.reading

    def reading(path, contract):
        if _is_deadly(path.read_bytes()):
            _die()
        return real(path, contract)

    files.reading = reading


def _once_it_is_routed() -> None:
    real = files.route

    def route(source, *given):
        done = real(source, *given)
        if _is_deadly(source.read_bytes()):
            _die()
        return done

    files.route = route


def _by_an_error_of_ours() -> None:
    from jobchurn import quality

    real = quality.Judge.take

    def take(judge, cells, *given):
        if int(FIRST) in next(iter(cells.values())).numbers:
            raise AssertionError("nobody has foreseen this")
        return real(judge, cells, *given)

    quality.Judge.take = take


DEADLY: dict[str, Callable[[], None]] = {
    "by being cut": _by_being_cut,
    "once it is routed": _once_it_is_routed,
    "by an error of ours": _by_an_error_of_ours,
}
"""How the file ends a worker → how to make it so."""
