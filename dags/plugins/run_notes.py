"""Notes on quiet runs: Airflow has no skipped run state, so a run that did nothing says so."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin
from sqlalchemy.orm import object_session

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

NOTES = {
    "dag_ingestion": "Nothing to ingest: no raw file was waiting.",
    "dag_prediction": "Nothing to predict: no good file was new.",
}


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:  # noqa: ARG001  (the hook's signature)
    """Note why a run of ours succeeded although all of its tasks were skipped."""
    note = NOTES.get(dag_run.dag_id)
    # The scheduler's own session: another one would commit in the middle of its work.
    session = object_session(dag_run)
    if note is None or session is None:  # nobody's, where a person calls dag.test()
        return
    tasks = dag_run.get_task_instances(session=session)
    if all(task.state == "skipped" for task in tasks):
        dag_run.note = note


class RunNotes(AirflowPlugin):
    """Registers this module's listener."""

    name = "jobchurn_run_notes"
    listeners = [sys.modules[__name__]]  # noqa: RUF012  (Airflow's own declaration)
