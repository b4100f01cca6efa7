"""Retention: what has been kept long enough goes, by the settings that say how long that is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jobchurn import files
from jobchurn.flow.services import Services
from jobchurn.store.redactions import Redaction
from jobchurn.store.runs import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tidied:
    """How much went.

    Attributes:
        entries: of the logs of requests and of runs of jobs.
        predictions: rows of the database.
        files: good and bad rows, reasons and reports.
        keys: of the API, long expired.
        partitions: how many were made for coming months.
    """

    entries: int = 0
    predictions: int = 0
    files: int = 0
    keys: int = 0
    partitions: int = 0

    @property
    def anything(self) -> bool:
        """Whether there was anything to do."""
        return self != Tidied()


def tidy(
    services: Services, now: datetime | None = None, *, make_partitions: bool = False
) -> Tidied:
    """Remove what is older than the settings say; a repeat finds nothing.

    A service that has a role of its own removes entries of logs alone: the rest is for the owner of
    the database, whose command is ``jobchurn tidy``.

    Args:
        services: the settings, the folders and the database.
        now: the moment of looking back; by default the present.
        make_partitions: also make room for what is to come.
    """
    settings, store = services.settings, services.store
    now = now or datetime.now(UTC)
    oldest_entry = now - timedelta(days=settings.log_days)
    entries = store.request_log.forget(oldest_entry) + store.job_runs.forget(oldest_entry)
    if not store.retention.may_remove():
        if settings.prediction_days or settings.file_days:
            log.warning(
                "PREDICTION_DAYS and FILE_DAYS wait for `jobchurn tidy`, in the name of the "
                "database's owner: this one may not remove predictions."
            )
        return Tidied(entries)
    made = store.partitions.make() if make_partitions else []
    predictions = 0
    if settings.prediction_days:
        oldest = now - timedelta(days=settings.prediction_days)
        predictions = store.retention.forget_predictions(oldest)
    gone = 0
    if settings.file_days:
        oldest = now - timedelta(days=settings.file_days)
        with files.held(services.folders.data):
            gone = sum(_without_files(services, run) for run in _runs(services, oldest))
    keys = store.retention.forget_keys(oldest_entry)
    return Tidied(entries, predictions, gone, keys, len(made))


def _runs(services: Services, before: datetime) -> list[Run]:
    return services.store.retention.runs_with_files(before)


def _without_files(services: Services, run: Run) -> int:
    """Remove a run's files, and then the ledger's word on them; how many there were.

    Written down first: whoever is killed in between repeats it.
    """
    there = [(path, rows) for path, rows in _files_of(services, run) if path.is_file()]
    services.store.redactions.record(
        [
            Redaction(
                rows=rows,
                run_id=run.run_id,
                file=path.relative_to(services.folders.root).as_posix(),
                sha256_before=files.sha256_of(path),
            )
            for path, rows in there
        ]
    )
    for path, _ in there:
        files.remove(path)
    services.store.retention.release_files(run.run_id)
    return len(there)


def _files_of(services: Services, run: Run) -> Iterator[tuple[Path, int]]:
    """Where a run's files lie in this home, wherever that lay before, with their rows."""
    folders = services.folders
    for path, folder, rows in (
        (run.good, folders.good_data, run.rows_valid),
        (run.bad, folders.bad_data, run.rows_invalid),
        (run.reasons, folders.bad_data, run.rows_invalid),
        (run.report, folders.reports, 0),
    ):
        if path is not None:
            yield folder / Path(path).name, rows
