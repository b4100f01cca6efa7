"""Ingestion, every minute: one raw file is judged and its rows are routed to good or bad.

Each task is one call into ``jobchurn.flow.ingest`` and hands on the run's id, nothing else;
whatever is killed is taken up by the task's next try, or by a later run.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.exceptions import AirflowSkipException
from airflow.sdk import dag, get_current_context, task

RETRIES = {
    "retries": 3,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=1),
    "execution_timeout": timedelta(minutes=15),
}


def holder() -> str:
    """The name under which this DAG run holds its arrival: every task of the run shares it."""
    return f"dag:{get_current_context()['dag_run'].run_id}"


def taken(step: str, ingestion: str) -> str:
    """Take one step of ``flow.ingest``, by its name, in the run of that id; hand on the id."""
    from jobchurn import wiring
    from jobchurn.flow import ingest

    with wiring.services() as services:
        getattr(ingest, step)(services, ingest.resume(services, ingestion, holder()))
    return ingestion


@dag(
    schedule="* * * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args=RETRIES,
    tags=["jobchurn"],
    doc_md=__doc__,
)
def dag_ingestion() -> None:
    """Claim → judge → statistics, alerts and routing side by side → publish."""

    @task
    def read_data() -> str:
        """Claim one raw file; skip the run where none is waiting."""
        from jobchurn import wiring
        from jobchurn.flow import ingest

        with wiring.services() as services:
            claim = ingest.read_data(services, trigger="dag", holder=holder())
        if claim is None:
            raise AirflowSkipException("No raw file is waiting.")
        return claim.run_id

    @task
    def validate_data(ingestion: str) -> str:
        """Judge the file against the contract."""
        return taken("validate_data", ingestion)

    @task
    def save_statistics(ingestion: str) -> str:
        """Keep the verdict's figures."""
        return taken("save_statistics", ingestion)

    @task
    def send_alerts(ingestion: str) -> str:
        """Tell people of a file with problems."""
        return taken("send_alerts", ingestion)

    @task
    def split_and_save(ingestion: str) -> str:
        """Route the rows to good and bad."""
        return taken("split_and_save", ingestion)

    @task
    def finish(ingestions: list[str]) -> str:
        """Publish the run."""
        return taken("finish", ingestions[0])

    # Not named run_id: that is a key of Airflow's own context.
    judged = validate_data(read_data())
    finish([save_statistics(judged), send_alerts(judged), split_and_save(judged)])


dag_ingestion()
