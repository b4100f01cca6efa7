"""A house to measure: a home with the built-in data and a champion, and a PostgreSQL of its own."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from benchmarks.machine import ROOT
from benchmarks.processes import free_port, running
from jobchurn import postgres, wiring
from jobchurn.contract import Value
from jobchurn.flow.services import Services
from jobchurn.flow.start import prepare
from jobchurn.settings import Settings
from jobchurn.synth import generate


@dataclass(frozen=True)
class House:
    """A home with a champion, and its running database.

    Attributes:
        services: over it, in this process.
        url: of the database, as its owner.
        processes: address of each API that runs → the number of its process.
    """

    services: Services
    url: str
    processes: dict[str, int] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """Where all of it lies."""
        return self.services.settings.home

    def database(self) -> psycopg.Connection[tuple[object, ...]]:
        """A new connection, which commits by itself."""
        return psycopg.connect(self.url, autocommit=True)

    @property
    def postgres_version(self) -> str:
        """The server's."""
        with self.database() as connection:
            version = connection.info.server_version
        return f"{version // 10_000}.{version % 10_000}"

    @contextmanager
    def api(self, module: str = "jobchurn.api", **settings: str) -> Iterator[str]:
        """The API as a process of its own over this house; yields its address.

        Args:
            module: what is run: the API, or a module that serves it in another way.
            settings: further variables of its environment.
        """
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        with running(
            [sys.executable, "-m", module],
            ready=f"{address}/ready",
            log=self.home / "benchmark-api.log",
            environment={
                "JOBCHURN_HOME": str(self.home),
                "POSTGRES_PORT": str(self.services.settings.postgres_port),
                "API_PORT": str(port),
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": str(ROOT),
                **settings,
            },
        ) as pid:
            self.processes[address] = pid
            yield address


@contextmanager
def new_house() -> Iterator[House]:
    """A house that is gone afterwards. It takes some ten seconds to be made."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(prefix="jobchurn-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)  # the server may be another user's
        settings = Settings(jobchurn_home=home, database_url=None, postgres_port=free_port())
        with wiring.services(settings) as services:
            prepare(services, lambda _: None)
            with postgres.serving(settings) as url:
                yield House(services, url)


def records(house: House, count: int, seed: int = 1) -> list[dict[str, Value]]:
    """Records to predict, canonical, as a client of the API sends them; none trained the model."""
    columns = house.services.contract.inputs
    texts = generate(count, seed)
    return [
        {column.name: column.read(texts[column.name][place]) for column in columns}
        for place in range(count)
    ]
