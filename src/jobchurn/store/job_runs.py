"""Runs of jobs: how the scheduled jobs fared, whoever schedules them."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import insert

from jobchurn.store.engine import transaction
from jobchurn.store.names import encoded
from jobchurn.store.tables import Tables


class JobRuns:
    """The named queries about runs of jobs."""

    def __init__(self, engine: Engine, tables: Tables) -> None:
        self._engine = engine
        self._runs = tables.job_runs

    def save(
        self,
        job: str,
        run: str,
        outcome: str,
        due_at: datetime,
        started_at: datetime,
        finished_at: datetime,
    ) -> None:
        """Keep how a run ended; what was kept of the same run before is replaced.

        Args:
            job: the job's name.
            run: names the run among those of its job.
            outcome: ``success``, ``quiet`` (there was nothing to do) or ``failed``.
            due_at: when it was to begin.
            started_at: when it began.
            finished_at: when it ended.
        """
        values = {
            "outcome": outcome,
            "due_at": due_at,
            "started_at": started_at,
            "finished_at": finished_at,
        }
        with transaction(self._engine) as connection:
            connection.execute(
                insert(self._runs)
                .values(job=encoded(job), run=encoded(run), **values)
                .on_conflict_do_update(constraint="job_runs_job_run_key", set_=values)
            )

    def last(self, job: str) -> tuple[str, datetime] | None:
        """How the latest run of a job ended, and when; ``None`` where there is none."""
        runs = self._runs
        latest = (
            sa.select(runs.c.outcome, runs.c.finished_at)
            .where(runs.c.job == encoded(job))
            .order_by(runs.c.finished_at.desc())
            .limit(1)
        )
        with transaction(self._engine) as connection:
            row = connection.execute(latest).first()
        return None if row is None else (row.outcome, row.finished_at)

    def forget(self, before: datetime) -> int:
        """Remove the runs that ended before a moment; how many there were."""
        runs = self._runs
        with transaction(self._engine) as connection:
            return connection.execute(sa.delete(runs).where(runs.c.finished_at < before)).rowcount
