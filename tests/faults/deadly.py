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
    real = files.cut

    def cut(path, contract):
        if _is_deadly(path.read_bytes()):
            _die()
        return real(path, contract)

    files.cut = cut


def _once_it_is_routed() -> None:
    real = files.route

    def route(sheet, *places):
        real(sheet, *places)
        if _is_deadly(sheet.data):
            _die()

    files.route = route


def _by_an_error_of_ours() -> None:
    from jobchurn.flow import ingest

    real = ingest.quality.judge

    def judge(columns, *given, **named):
        if FIRST in next(iter(columns.values())):
            raise AssertionError("nobody has foreseen this")
        return real(columns, *given, **named)

    ingest.quality.judge = judge


DEADLY: dict[str, Callable[[], None]] = {
    "by being cut": _by_being_cut,
    "once it is routed": _once_it_is_routed,
    "by an error of ours": _by_an_error_of_ours,
}
"""How the file ends a worker → how to make it so."""
