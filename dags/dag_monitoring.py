"""Monitoring, every 5 minutes: drift is measured, the alert rules are evaluated, people are told.

Each task is one call into ``jobchurn.flow`` and leaves what it found in the database; whatever is
killed is done by the task's next try, or by a later run. Neither rules nor alerts wait for a step
that failed before them: the run fails all the same, by its last task.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sized
from datetime import timedelta
from itertools import pairwise

import pendulum
from airflow.exceptions import AirflowFailException, AirflowSkipException
from airflow.sdk import dag, task

log = logging.getLogger(__name__)


def logged(lines: Iterable[str]) -> None:
    """Write lines into the task's log."""
    for line in lines:
        log.info("%s", line)


def skip_unless(found: Sized, otherwise: str) -> None:
    """Skip the task where it found nothing, so that quiet runs look quiet."""
    if not found:
        raise AirflowSkipException(otherwise)


def fail_if(rules: list[str]) -> None:
    """Fail the task where rules could not be evaluated; the log says why.

    At once: the next run comes soon, and the alerts of the other rules need not wait.
    """
    if rules:
        raise AirflowFailException(f"Not evaluated: {', '.join(rules)}.")


@dag(
    schedule="*/5 * * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "retries": 3,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=10),
    },
    tags=["jobchurn"],
    doc_md=__doc__,
)
def dag_monitoring() -> None:
    """Windows of predictions → drift → rules → alerts."""

    @task
    def measure_drift() -> None:
        """Judge the windows that are full; skip where none is."""
        from jobchurn import wiring
        from jobchurn.flow import watch
        from jobchurn.flow.watch.words import unjudged_words, window_words

        with wiring.services() as services:
            measured = watch.measure_drift(services)
        logged(map(unjudged_words, measured.unjudged))
        logged(map(window_words, measured.windows))
        skip_unless(measured.windows, "No window is full.")

    @task(trigger_rule="all_done")
    def evaluate_rules() -> None:
        """Take every rule a step on; skip where none has anything to say."""
        from jobchurn import wiring
        from jobchurn.flow import watch
        from jobchurn.flow.watch.words import rule_words

        with wiring.services() as services:
            rules = watch.evaluate_rules(services)
        logged(map(rule_words, rules))
        fail_if([said.rule.name for said in rules if said.error])
        skip_unless([said for said in rules if said.news], "There is nothing new to say.")

    @task(trigger_rule="all_done")
    def send_alerts() -> None:
        """Tell people, and those again who were not reached; skip where nobody is to be told."""
        from jobchurn import wiring
        from jobchurn.flow.alert import retry_alerts
        from jobchurn.flow.retention import tidy
        from jobchurn.flow.watch.words import delivery_words

        with wiring.services() as services:
            deliveries = retry_alerts(services)
            tidy(services)
        logged(map(delivery_words, deliveries))
        skip_unless(deliveries, "Nobody is to be told anything.")

    @task(trigger_rule="one_failed")
    def fail_the_run() -> None:
        """Let the run fail where a task did, since those after it went on."""
        raise AirflowFailException("A task of this run failed.")

    steps = [measure_drift(), evaluate_rules(), send_alerts()]
    for step, following in pairwise(steps):
        step >> following
    steps >> fail_the_run()


dag_monitoring()
