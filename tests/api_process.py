"""The API as a process of its own, for the tests of those who call it."""

import os
import subprocess
import sys
import time

import httpx

from ports import free_port


class Served:
    """``python -m jobchurn.api`` over a database and a home, on a free port."""

    def __init__(self, database, home):
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.database, self.home = database, home
        self.begin()

    def begin(self):
        """Start it, and wait until it is ready."""
        self.log = (self.home / "api.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jobchurn.api"],
            env=os.environ
            | {
                "API_PORT": str(self.port),
                "DATABASE_URL": self.database,
                "JOBCHURN_HOME": str(self.home),
                "OMP_NUM_THREADS": "1",
            },
            stderr=self.log,
        )
        end = time.monotonic() + 120
        try:
            while not self.is_ready():
                assert self.process.poll() is None, (self.home / "api.log").read_text()
                assert time.monotonic() < end
                time.sleep(0.05)
        except BaseException:
            self.end()  # who called has nothing to end it by
            raise

    def is_ready(self):
        try:
            return httpx.get(f"{self.address}/ready", timeout=30).status_code == 200
        except httpx.TransportError:
            return False

    def end(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
