"""Planted faults: what a careless change might do, for the harness to notice before it is trusted.

Each is put into a worker's or an API's process alone. ``ingest`` is loaded where it is needed: it
takes seconds, and an API does without.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import random
import shutil
import stat
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Transaction

from jobchurn import files
from jobchurn.files import atomic
from jobchurn.flow import score
from jobchurn.store import alerts, arrivals, engine, runs
from jobchurn.store.bulk import BulkRequests
from jobchurn.store.gathered import GatheredRequests
from jobchurn.store.predictions import Predictions
from jobchurn.store.requests import Requests


def _sync_of_files_skipped() -> None:
    real = os.fsync

    def folders_only(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            real(descriptor)

    os.fsync = folders_only


def _sync_of_folders_skipped() -> None:
    atomic._sync = lambda _: None


def _written_in_place() -> None:
    @contextmanager
    def written(path, staging=None):
        with path.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        atomic._sync(path.parent)

    _write_every_file_by(written)


def _raw_file_removed_before_its_rows_are_published() -> None:
    from jobchurn.flow import ingest, work

    def publish(services, claim):
        routes = ingest.routes_of(services, claim, ingest.staged_verdict(services, claim))
        shutil.rmtree(work.folder_of(services, claim))
        return services.store.runs.finish(
            claim, *(path and str(path) for path in dataclasses.astuple(routes))
        )

    ingest._publish = publish


def _published_before_its_rows_are_written() -> None:
    from jobchurn.flow import ingest

    real = ingest.split_and_save

    def split_and_save(services, claim):
        routes = ingest.routes_of(services, claim, ingest.staged_verdict(services, claim))
        paths = (path and str(path) for path in dataclasses.astuple(routes))
        services.store.runs.finish(claim, *paths)
        real(services, claim)

    ingest.split_and_save = split_and_save


def _each_by_itself() -> None:
    """Requests are answered each in a thread of its own, where the fault to come is planted."""
    from jobchurn.api.routes import predictions

    predictions.read_few = lambda *_: None


def _key_dropped() -> None:
    real, gathered, bulk = Predictions.write, GatheredRequests.write, BulkRequests.write

    def write(self, batch):
        stored = real(self, dataclasses.replace(batch, key=None))
        time.sleep(0.1)  # a kill between storing and answering is what shows it
        return stored

    async def write_together(self, batches):
        stored = await gathered(self, [dataclasses.replace(batch, key=None) for batch in batches])
        await asyncio.sleep(0.1)
        return stored

    def write_many(self, batch, predicted, sent):
        stored = bulk(self, dataclasses.replace(batch, key=None), predicted, sent)
        time.sleep(0.1)
        return stored

    Predictions.write, GatheredRequests.write = write, write_together
    BulkRequests.write = write_many


def _key_committed_before_its_predictions() -> None:
    _each_by_itself()
    real = Requests.registered

    def registered(self, connection, batch):
        found = real(self, connection, batch)
        connection.connection.driver_connection.commit()
        return found

    Requests.registered = registered


def _commit_comes_too_late() -> None:
    """In one transaction of two, so that it hides no other fault."""
    _each_by_itself()

    def end(connection: ExitStack, begun: Transaction) -> None:
        with connection:
            begun.commit()

    @contextmanager
    def transaction(database, **_):
        with engine.translated(database), ExitStack() as held:
            connection = held.enter_context(database.connect())
            begun = connection.begin()
            yield connection
            if random.random() < 0.5:
                begun.commit()
            else:
                threading.Timer(0.4, end, [held.pop_all(), begun]).start()

    for writes in (Requests, BulkRequests):
        writes.write.__globals__["transaction"] = transaction


def _files_from_the_future_never_settle() -> None:
    def settled(path, seconds, now=None):
        return path.exists() and time.time() - path.lstat().st_mtime >= seconds

    files.settled = settled


def _keys_forgotten_after_half_a_day() -> None:
    _each_by_itself()
    real = Requests.registered

    def registered(self, connection, batch):
        connection.exec_driver_sql(
            "UPDATE requests SET key = 'forgotten ' || id"
            " WHERE abs(extract(epoch FROM clock_timestamp() - created_at)) > 43200"
        )
        return real(self, connection, batch)

    Requests.registered = registered


def _answers_waited_for_without_end() -> None:
    del engine._Bounded.wait  # that of its base is left


def _marked_as_predicted_before_it_is() -> None:
    real = score.score_file

    def score_file(services, good, predictor):
        digest = files.sha256_of(Path(good.path))
        services.store.predictions.mark_predicted(
            digest, name=good.name, mtime=0.0, rows=good.rows, run_id=good.run_id
        )
        return real(services, good, predictor)

    score.score_file = score_file


def _some_requests_break_a_prediction() -> None:
    _each_by_itself()
    from jobchurn.api.routes import predictions

    real = predictions.answer_alone

    def answer_alone(services, model, asked, stage):
        if len(asked.records) % 2:
            raise RuntimeError("planted")
        return real(services, model, asked, stage)

    predictions.answer_alone = answer_alone


def _answers_break_their_schema() -> None:
    from jobchurn.api.routes import explanations

    real = explanations.answered
    explanations.answered = lambda content: real(content | {"n": -1})


def _unknown_fields_are_taken() -> None:
    from jobchurn.api.records import Reader

    Reader._unknown = lambda *_, **__: None
    real = Reader._read

    def read(self, record, **how):
        values, errors, uncounted = real(self, record, **how)
        return values, [error for error in errors if error], uncounted

    Reader._read = read


def _any_key_opens_the_metrics() -> None:
    from jobchurn.access import Scope
    from jobchurn.api.permits import needs
    from jobchurn.api.routes import metrics

    for route in metrics.router.routes:
        needs(*Scope)(route.endpoint)


def _nobody_is_fenced_off() -> None:
    def fence(*_):
        """Whoever holds the arrival, and however long ago."""

    for module in (alerts, arrivals, runs):
        if hasattr(module, "fence"):
            module.fence = fence


def _a_full_disk_is_passed_over() -> None:
    real = atomic.written_atomically

    @contextmanager
    def written(path, staging=None):
        with suppress(OSError), real(path, staging) as file:
            yield file

    _write_every_file_by(written)


def _write_every_file_by(written) -> None:
    files.written_atomically = atomic.written_atomically = written
    files.route.__globals__["written_atomically"] = written


PLANTS: dict[str, Callable[[], None]] = {
    "a file is not synced": _sync_of_files_skipped,
    "a folder is not synced": _sync_of_folders_skipped,
    "a file is written in place": _written_in_place,
    "the raw file goes before its rows are published": (
        _raw_file_removed_before_its_rows_are_published
    ),
    "rows are published before they are written": _published_before_its_rows_are_written,
    "the idempotency key is dropped": _key_dropped,
    "the key is committed before its predictions": _key_committed_before_its_predictions,
    "a commit comes too late": _commit_comes_too_late,
    "a file from the future never settles": _files_from_the_future_never_settle,
    "a key is forgotten after half a day": _keys_forgotten_after_half_a_day,
    "an answer is waited for without end": _answers_waited_for_without_end,
    "nobody is fenced off": _nobody_is_fenced_off,
    "a full disk is passed over": _a_full_disk_is_passed_over,
    "a file is marked as predicted before it is": _marked_as_predicted_before_it_is,
    "some requests break a prediction": _some_requests_break_a_prediction,
    "answers break their schema": _answers_break_their_schema,
    "unknown fields are taken": _unknown_fields_are_taken,
    "any key opens the metrics": _any_key_opens_the_metrics,
}
"""What is wrong → how to make it so."""
