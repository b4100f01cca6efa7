"""Airflow in a process of its own, so that no test imports it: ``airflow_driver.py COMMAND``.

``structure`` prints what the DAGs' files declare; it needs no database. ``serve`` answers each line
of its input, a DAG's id and variables for the environment, by a line about the run that it made of
them by ``dag.test()``. ``record`` lets the listener record a failed run twice. The environment is
Airflow's (see ``jobchurn.stack.airflow``).
"""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

# Airflow writes to stdout what tasks say: answers go another way.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def the_dags():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"], bundle_name="dags-folder")
    assert not bag.import_errors, bag.import_errors
    return bag.dags


def structure():
    return {
        dag_id: {
            "schedule": dag.schedule,
            "catchup": dag.catchup,
            "max_active_runs": dag.max_active_runs,
            "timeout": dag.dagrun_timeout.total_seconds(),
            "paused_at_creation": dag.is_paused_upon_creation,
            "tasks": {
                task.task_id: {
                    "downstream": sorted(task.downstream_task_ids),
                    "retries": task.retries,
                    "backoff": bool(task.retry_exponential_backoff),
                    "delay": task.retry_delay.total_seconds(),
                    "longest_delay": task.max_retry_delay.total_seconds(),
                    "timeout": task.execution_timeout.total_seconds(),
                    "trigger_rule": task.trigger_rule.value,
                }
                for task in dag.tasks
            },
        }
        for dag_id, dag in the_dags().items()
    }


def tested(dag):
    from airflow.models.dagrun import DagRun
    from airflow.models.xcom import XComModel
    from airflow.settings import Session

    which = {"dag_id": dag.dag_id, "run_id": dag.test().run_id}
    with Session() as session:
        run = session.query(DagRun).filter_by(**which).one()
        xcoms = session.query(XComModel).filter_by(**which)
        return {
            "state": run.state,
            "tasks": {task.task_id: task.state for task in run.get_task_instances(session=session)},
            "xcoms": [[xcom.task_id, xcom.key, xcom.value] for xcom in xcoms],
        }


def serve():
    dags = the_dags()
    for line in sys.stdin:
        request = json.loads(line)
        os.environ.update(request["environment"])
        yield tested(dags[request["dag"]])


def recorded():
    sys.path.insert(0, os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"])
    import run_notes

    began = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
    run = SimpleNamespace(
        dag_id="dag_ingestion",
        run_id="scheduled__2026-11-24T07:30:00+00:00",
        run_after=began,
        start_date=began + timedelta(seconds=1),
        end_date=began + timedelta(seconds=5),
    )
    for _ in range(2):
        run_notes.on_dag_run_failed(run, "task_failure")


def main(command):
    once = {"structure": structure, "record": recorded}
    for answer in [once[command]()] if command in once else serve():
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
