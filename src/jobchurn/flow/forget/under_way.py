"""Finish what is under way with a person's data, so that no worker brings them back later.

A raw file keeps the hash with which it came, so that a repeat of it is known; the keys of all parts
of a good file are used up once it is scored, so that no retry stores anything.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from jobchurn import files
from jobchurn.errors import (
    DatabaseLocked,
    DataUnusable,
    IdempotencyConflict,
    LeaseLost,
    NoChampion,
    NotFound,
)
from jobchurn.flow import ingest, score, work
from jobchurn.flow.forget.person import Person, trace_in
from jobchurn.flow.services import Services

log = logging.getLogger(__name__)

_AT_WORK = "another worker is at work on it"
_PAUSE = 0.2


def finish(services: Services, person: Person, *, patience: float) -> dict[Path, str]:
    """Ingest and score whatever holds the person.

    Args:
        services: the folders and the database.
        person: who.
        patience: for how many seconds other workers are waited for.

    Returns:
        The files with which that could not be done, and why.
    """
    deadline = time.monotonic() + patience
    while True:
        stuck: dict[Path, str] = {}
        for path in waiting(services, person):
            if why := _ingested(services, path):
                stuck[path] = why
        while claim := ingest.left_behind(services):
            with suppress(LeaseLost):  # another worker has it, and is waited for
                ingest.ingest(services, claim)
        for path in worked_on(services, person):
            stuck[path] = _AT_WORK
        stuck |= _not_scored(services, person)
        if not stuck or time.monotonic() >= deadline:
            return stuck
        time.sleep(_PAUSE)


def of(services: Services, person: Person) -> list[Path]:
    """Whatever holds the person and is not published yet, or may hold them and cannot be read."""
    return [*waiting(services, person), *worked_on(services, person)]


def waiting(services: Services, person: Person) -> list[Path]:
    """The arriving files that hold the person."""
    return list(_holding(services, person, files.arriving(services.folders.raw_data)))


def worked_on(services: Services, person: Person) -> list[Path]:
    """The raw files of runs under way that hold the person."""
    return list(_holding(services, person, work.claimed_files(services)))


def _holding(services: Services, person: Person, paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        try:
            trace = trace_in(files.cut(path, services.contract), person)
        except FileNotFoundError:  # a worker was faster
            continue
        except PermissionError:  # it may
            yield path
            continue
        if trace.rows or trace.doubtful or trace.unreadable:
            yield path


def _ingested(services: Services, path: Path) -> str:
    """Why an arriving file could not be ingested; empty where it was."""
    try:
        run = ingest.ingest_one(services, trigger="cli", file=path)
    except (NotFound, LeaseLost):
        run = None
    except (DataUnusable, PermissionError) as error:
        return str(error)
    return "" if run else _AT_WORK


def _not_scored(services: Services, person: Person) -> dict[Path, str]:
    """Score the new good files that hold the person; those with which another worker is not done.

    One that nobody can score now is scored later as it is then, without them.
    """
    predictor, stuck = score.here(services), dict[Path, str]()
    for good in score.new_files(services):
        path = Path(good.path)
        if not path.is_file() or not trace_in(files.cut(path, services.contract), person).rows:
            continue
        try:
            score.score_file(services, good, predictor)
        except (DatabaseLocked, IdempotencyConflict):  # the latter: it parts the file otherwise
            stuck[path] = _AT_WORK
        except (NoChampion, DataUnusable) as error:
            log.info(
                "%s is not scored before they are forgotten: %s", files.printable(path.name), error
            )
    return stuck
