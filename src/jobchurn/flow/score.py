"""Score: the good files that no prediction covers yet, and a person's own CSV file.

A good file is scored in chunks, each under a key made of the file's content: whoever scores it
again, after whatever was killed, gets the first answers back and stores nothing new.
"""

from __future__ import annotations

import csv
import logging
from bisect import bisect_right
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import numpy as np

from jobchurn import files
from jobchurn.columnar import Records
from jobchurn.errors import (
    DatabaseLocked,
    DataUnusable,
    IdempotencyConflict,
    InvalidRecords,
    JobchurnError,
    TooLarge,
)
from jobchurn.flow.bulk import fingerprint_of, predict_bulk
from jobchurn.flow.predict import Asked, Source, predict
from jobchurn.flow.rows import Admitted, Rows, read_admitted, read_rows
from jobchurn.flow.services import Services
from jobchurn.store.predictions import GoodFile

log = logging.getLogger(__name__)

_SOURCE: Source = "scheduled"


class Predictor(Protocol):
    """Predicts and keeps records of a good file, exactly once for each key."""

    def __call__(
        self, records: Records, *, key: str, run_id: str, file: str, first_row: int
    ) -> None:
        """Return once the predictions are committed."""


@dataclass(frozen=True)
class Scored:
    """A good file that is now predicted."""

    file: str
    rows: int


def here(services: Services) -> Predictor:
    """A predictor inside this process, with the champion of the moment."""

    def predictor(records: Records, *, key: str, run_id: str, file: str, first_row: int) -> None:
        with ThreadPoolExecutor(1, "scoring") as scoring:
            predict_bulk(
                services,
                services.registry.champion(),
                Asked(
                    records=records,
                    source=_SOURCE,
                    key=key,
                    run_id=run_id,
                    file_name=file,
                    first_row=first_row,
                ),
                lambda *_: None,
                scoring,
            )

    return predictor


def new_files(services: Services) -> list[GoodFile]:
    """Good files of finished runs whose content no prediction covers, oldest first."""
    return services.store.predictions.unpredicted()


def score_file(services: Services, good: GoodFile, predictor: Predictor) -> Scored:
    """Predict every row of a good file, then note its content as predicted.

    A request that is too large for whoever takes it, a proxy say, is sent in halves.

    Raises:
        DataUnusable: the file is no longer there, or cannot be read.
        TooLarge: a single row is too large.
    """
    path = Path(good.path)
    try:
        status = path.stat()
    except OSError as error:
        raise DataUnusable(
            f"The good rows of run {good.run_id} cannot be read from {path}: {error.strerror}.",
            "Put the file back: nothing else holds these rows.",
        ) from error
    found = read_admitted(path, services.contract)
    if strange := _no_longer_admitted(found):
        log.warning(
            "%s: %d of its %d rows are not predicted: the contract of today does not admit them.",
            files.printable(path.name),
            strange,
            found.sheet.rows,
        )
    digest, records = found.sheet.sha256, found.records
    # What was removed on request leaves a gap, at which a part ends.
    gaps = [*(np.flatnonzero(np.diff(found.rows) != 1) + 1).tolist(), len(records)]
    start, number, limit = 0, 0, services.settings.max_records
    while start < len(records):
        rows = slice(start, gaps[bisect_right(gaps, start)])
        part = _part(services, found, rows, f"file:{digest}:{number}", limit)
        try:
            if not part.is_stored:
                predictor(
                    part.records,
                    key=part.key,
                    run_id=good.run_id,
                    file=files.printable(path.name),
                    first_row=part.first_row,
                )
        except TooLarge:
            if len(part.records) == 1:
                raise
            limit = len(part.records) // 2
            continue
        start += len(part.records)
        number += 1
    services.store.predictions.mark_predicted(
        digest, name=path.name, mtime=status.st_mtime, rows=len(records), run_id=good.run_id
    )
    return Scored(path.name, len(records))


def _no_longer_admitted(found: Admitted) -> int:
    """How many rows are left out, though nobody has emptied them on request."""
    left_out = np.setdiff1d(np.arange(found.sheet.rows) + 1, found.rows, assume_unique=True)
    return sum(bool(found.sheet.record(row).strip(b' \t\r\n,"')) for row in left_out.tolist())


@dataclass(frozen=True)
class _Part:
    """Neighbouring rows of a good file that are predicted by one request.

    Attributes:
        records: the rows.
        key: of the request.
        first_row: the first one's number.
        is_stored: whether the request is stored already, whatever was removed of it since.
    """

    records: Records
    key: str
    first_row: int
    is_stored: bool


def _part(services: Services, found: Admitted, rows: slice, key: str, limit: int) -> _Part:
    """The first of some neighbouring rows of a good file, as many as one request is of.

    How many that are where they are stored says their request: the limit may have been another one.

    Args:
        services: the database.
        found: the file's rows.
        rows: the places of the neighbouring ones, from 0.
        key: of the part's request.
        limit: how many it may be of, where it is not stored.
    """
    known = services.store.predictions.request(key)
    size = known.n if known is not None and known.n else limit
    records = found.records[rows.start : min(rows.start + size, rows.stop)].compact()
    is_stored = known is not None and known.fingerprint in (None, _fingerprint_of(records))
    return _Part(records, key, int(found.rows[rows.start]), is_stored)


def _fingerprint_of(records: Records) -> str:
    return fingerprint_of(records, source=_SOURCE, refused=())


def score_new(
    services: Services, predictor: Predictor | None = None, runs: Collection[str] | None = None
) -> Iterator[Scored]:
    """One run as the prediction DAG does it: every new good file, one after the other.

    One that another worker is predicting, and does not come to an end with, is left to a later run.

    Args:
        services: the folders and the database.
        predictor: predicts and keeps; by default this process does.
        runs: only the files of these runs; by default of all.

    Raises:
        DataUnusable, InvalidRequest: what kept the first such file from being predicted, once the
            others are, which need not wait for it.
    """
    predictor = predictor or here(services)
    failure: JobchurnError | None = None
    for good in new_files(services):
        if runs is not None and good.run_id not in runs:
            continue
        try:
            scored = score_file(services, good, predictor)
        except (DataUnusable, InvalidRecords, IdempotencyConflict, TooLarge) as error:
            # Another worker may have done it meanwhile, and some of its rows been forgotten since.
            if good in new_files(services):
                failure = failure or error
        except DatabaseLocked:
            name = files.printable(good.name)
            log.warning("%s waits: another worker has begun to predict it, and sleeps.", name)
        else:
            yield scored
    if failure is not None:
        raise failure


def predict_file(services: Services, path: Path, out: IO[str]) -> Rows:
    """Predict a person's CSV file; write its rows, in order, with what was found to ``out``.

    Every row comes back: with prediction and probability, or with the reasons why it was refused.
    The predictions are kept, as all are. Values are written in canonical spelling; a text that a
    spreadsheet would run as a formula gets an apostrophe.

    Raises:
        DataUnusable: the file cannot be read, or lacks a required column.
        NoChampion: there is no model yet.
    """
    rows = read_rows(path, services.contract)
    answer = predict(
        services, services.registry.champion(), list(rows.records.values()), source="webapp"
    )
    answers = dict(zip(rows.records, answer.predictions, strict=True))
    columns = rows.sheet.columns
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*columns, "prediction", "probability", "model_version", "refused_because"])
    for row in range(1, rows.sheet.rows + 1):
        if found := answers.get(row):
            values = [_written(services, name, rows.records[row][name]) for name in columns]
            writer.writerow(
                [*values, found.prediction, found.probability, answer.model_version, ""]
            )
        else:
            texts = [files.without_formula(cells[row - 1]) for cells in columns.values()]
            reasons = "; ".join(reason.message for reason in rows.refused[row])
            writer.writerow([*texts, "", "", "", files.without_formula(reasons)])
    return rows


def _written(services: Services, name: str, value: str | float | None) -> str:
    column = services.contract[name]
    text = column.write(value)
    return text if column.is_numeric else files.without_formula(text)
