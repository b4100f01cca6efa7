"""What a worker does: take in every raw file, then score every new good one, and perhaps die."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path

from faults.boundaries import Death, watch
from faults.deadly import DEADLY
from faults.plants import PLANTS
from jobchurn import wiring
from jobchurn.contract import JOB_CHANGE
from jobchurn.flow import ingest, score
from jobchurn.notify import Delivery, Notifier
from jobchurn.quality import judge
from jobchurn.settings import Settings

LONGEST_LIFE = 600
"""Seconds; a worker that takes longer hangs, and is ended as one that failed."""

HEARD = "heard"
"""The file, in a home, in which the channel of the workers keeps what it was told."""


class Channel:
    """Writes down which file it was told about."""

    channel = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, message) -> Delivery:
        with self._path.open("a") as heard:
            heard.write(f"{message.title}\n")
        return Delivery(self.channel, ok=True)


def warm_up() -> None:
    """Let all that is loaded late be loaded, so that each worker finds it done."""
    columns = {column.name: [column.write(column.examples[0])] for column in JOB_CHANGE.columns}
    judge(columns, JOB_CHANGE, rows=1)


def services_over(home: Path, database: str, **settings):
    """The services of a command, which does not wait for files to settle."""
    given = {"jobchurn_home": home, "database_url": database, "settle_seconds": 0}
    settings = Settings(**given | settings)
    services = wiring.services_at(settings, database)
    return dataclasses.replace(services, notifier=Notifier([Channel(home / HEARD)]))


def work(home: str, database: str, death: Death | None, plant: str | None, settings) -> list[str]:
    """Do what ``jobchurn ingest --all`` and ``jobchurn predict --new`` do.

    Returns:
        the boundaries that were met.
    """
    signal.alarm(LONGEST_LIFE)
    root = Path(home)
    services = services_over(root, database, **settings)
    services.store.missing()  # connects, which is no boundary of the flow
    stash = services.folders.data.with_name(f"stash-{os.getpid()}")
    trace: list[str] = []
    if not os.path.ismount(services.folders.data):  # else nothing of it can be stashed
        trace = watch(services.folders.data, stash, death).trace
    if plant is not None:
        (PLANTS | DEADLY)[plant]()
    for _ in ingest.ingest_all(services, trigger="cli"):
        pass
    for _ in score.score_new(services):
        pass
    services.store.close()
    return trace
