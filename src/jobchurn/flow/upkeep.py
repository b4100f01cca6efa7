"""Upkeep: what the database's owner does once a day, kept among the runs of jobs."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from jobchurn.errors import JobchurnError
from jobchurn.flow.retention import Tidied, tidy
from jobchurn.flow.services import Services

JOB = "tidy"
"""By what name it is among the runs of jobs."""


def keep_up(services: Services) -> Tidied:
    """Make the partitions of coming months, remove what was kept for long enough, write that down.

    Raises what :func:`~jobchurn.flow.retention.tidy` raises; that is written down, too.
    """
    begun = datetime.now(UTC)
    try:
        done = tidy(services, make_partitions=True)
    except Exception:
        with suppress(JobchurnError):  # what went wrong first is what is told
            _keep(services, begun, "failed")
        raise
    _keep(services, begun, "success" if done.anything else "quiet")
    return done


def _keep(services: Services, begun: datetime, outcome: str) -> None:
    run, ended = begun.isoformat(), datetime.now(UTC)
    services.store.job_runs.save(JOB, run, outcome, begun, begun, ended)
