"""Prediction, every 2 minutes: the good files that no prediction covers yet are predicted.

The rows go to the API, one request per file (or per chunk of the limit), each under a key made of
the file's content: a repeated task stores nothing new. Files in ``good_data/`` are only read.
"""

from __future__ import annotations

import logging
from datetime import timedelta

import pendulum
from airflow.exceptions import AirflowSkipException
from airflow.sdk import dag, task

log = logging.getLogger(__name__)


@dag(
    schedule="*/2 * * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "retries": 3,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=30),
    },
    tags=["jobchurn"],
    doc_md=__doc__,
)
def dag_prediction() -> None:
    """New good files → predictions."""

    @task
    def check_for_new_data() -> list[str]:
        """The runs whose good files are new; skip the DAG run where there is none."""
        from jobchurn import wiring
        from jobchurn.flow import score

        with wiring.services() as services:
            run_ids = [good.run_id for good in score.new_files(services)]
        if not run_ids:
            raise AirflowSkipException("No good file is new.")
        return run_ids

    @task
    def make_predictions(run_ids: list[str]) -> None:
        """Predict each file through the API."""
        from jobchurn import wiring
        from jobchurn.api_client import ApiPredictor
        from jobchurn.flow import score

        with wiring.services() as services, ApiPredictor.of(services.settings) as api:
            for scored in score.score_new(services, api, run_ids):
                log.info("%s: %s rows predicted.", scored.file, scored.rows)

    make_predictions(check_for_new_data())


dag_prediction()
