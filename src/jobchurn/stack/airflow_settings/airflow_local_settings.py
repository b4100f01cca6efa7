"""Airflow's local settings: the scheduler imports what tasks need before it forks them.

Airflow imports this module in each of its processes. In the scheduler the imports are shared with
every task that it forks, so that a task starts in 0.4 s and not in 20 s; no other process pays for
them. Nothing here may start a thread: a fork would leave it behind.
"""

import sys

__all__: list[str] = []

if sys.argv[1:2] == ["scheduler"]:
    from jobchurn.flow import ingest, score  # noqa: F401
