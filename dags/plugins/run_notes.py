"""Finished runs of our DAGs: a note on those that did nothing, and a record of each.

Airflow has no skipped run state, so a run that did nothing says so in its note. Each run is also
recorded in the application's database (``job_runs``), where monitoring looks for it. All of this
happens inside the scheduler, which must never wait for long nor fail for it: a database that does
not answer is left alone for a while.
"""

from __future__ import annotations

import logging
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin
from sqlalchemy.orm import object_session

from jobchurn.errors import JobchurnError

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)

NOTES = {
    "dag_ingestion": "Nothing to ingest: no raw file was waiting.",
    "dag_prediction": "Nothing to predict: no good file was new.",
    "dag_monitoring": "Nothing to tell: no window was full, and no alert is new.",
}

CONNECT_SECONDS = 2
PAUSE_SECONDS = 60
"""For how long no run is recorded after one that could not be."""

_paused_until = 0.0

Outcome = Literal["success", "quiet", "failed"]


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:  # noqa: ARG001  (the hook's signature)
    """Record a run of ours; note why it succeeded where all of its tasks were skipped."""
    if dag_run.dag_id not in NOTES:
        return
    # The scheduler's own session: another one would commit in the middle of its work.
    session = object_session(dag_run)
    if session is None:  # nobody's, where a person calls dag.test()
        return
    tasks = dag_run.get_task_instances(session=session)
    quiet = all(task.state == "skipped" for task in tasks)
    if quiet:
        dag_run.note = NOTES[dag_run.dag_id]
    record(dag_run, "quiet" if quiet else "success")


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:  # noqa: ARG001  (the hook's signature)
    """Record a run of ours that failed."""
    if dag_run.dag_id in NOTES:
        record(dag_run, "failed")


def record(dag_run: DagRun, outcome: Outcome) -> None:
    """Keep a finished run in the application's database, where the environment names one."""
    global _paused_until
    if time.monotonic() < _paused_until:
        return
    try:
        _save(dag_run, outcome)
    except Exception as error:
        _paused_until = time.monotonic() + PAUSE_SECONDS
        told = None if isinstance(error, JobchurnError) else error
        words = "The run %s of %s is not recorded: %s"
        log.warning(words, dag_run.run_id, dag_run.dag_id, error, exc_info=told)


def _save(dag_run: DagRun, outcome: Outcome) -> None:
    from jobchurn import wiring
    from jobchurn.settings import read_settings
    from jobchurn.store import Store

    database = read_settings().database_url
    if database is None:
        return
    # A connection for this one alone: the scheduler forks, and a forked one would be shared.
    store = Store.connect(_hasty(database.get_secret_value()), wiring.contract())
    try:
        ended = dag_run.end_date or datetime.now(UTC)
        store.job_runs.save(
            dag_run.dag_id,
            dag_run.run_id,
            outcome,
            dag_run.run_after or ended,
            dag_run.start_date or ended,
            ended,
        )
    finally:
        store.close()


def _hasty(url: str) -> str:
    """The database's address, with a limit to how long connecting may take."""
    if "connect_timeout=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}connect_timeout={CONNECT_SECONDS}"


class RunNotes(AirflowPlugin):
    """Registers this module's listener."""

    name = "jobchurn_run_notes"
    listeners = [sys.modules[__name__]]  # noqa: RUF012  (Airflow's own declaration)
