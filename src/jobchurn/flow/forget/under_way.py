"""Finish what is under way with a person's data, so that no worker brings them back later.

A raw file keeps the hash with which it came, so that a repeat of it is known; the keys of all parts
of a good file are used up once it is scored, so that no retry stores anything.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from jobchurn import files
from jobchurn.errors import DataUnusable, LeaseLost, NoChampion, NotFound
from jobchurn.flow import ingest, score
from jobchurn.flow.forget.person import Person, trace_in
from jobchurn.flow.services import Services

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
            stuck[path] = "another worker is at work on it"
        if not stuck or time.monotonic() >= deadline:
            break
        time.sleep(_PAUSE)
    _score(services, person)
    return stuck


def waiting(services: Services, person: Person) -> list[Path]:
    """The arriving files that hold the person."""
    return list(_holding(services, person, files.arriving(services.folders.raw_data)))


def worked_on(services: Services, person: Person) -> list[Path]:
    """The raw files of runs under way that hold the person."""
    claimed = (path for path in services.folders.work.glob("*/*") if path.name.startswith("raw"))
    return list(_holding(services, person, sorted(claimed)))


def _holding(services: Services, person: Person, paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        with suppress(FileNotFoundError):  # a worker was faster
            trace = trace_in(files.cut(path, services.contract), person)
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
    return "" if run else "another worker is at work on it"


def _score(services: Services, person: Person) -> None:
    """Score the new good files that hold the person.

    One that cannot be scored now is scored later as it is then, without them.
    """
    predictor = score.here(services)
    for good in score.new_files(services):
        path = Path(good.path)
        if path.is_file() and trace_in(files.cut(path, services.contract), person).rows:
            with suppress(NoChampion, DataUnusable):
                score.score_file(services, good, predictor)
