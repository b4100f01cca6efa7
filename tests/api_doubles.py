"""The API over doubles: services whose registry and store answer as the tests say."""

import asyncio
import time
from types import SimpleNamespace

import numpy as np

from jobchurn.api.schema import example_of
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import DatabaseUnreachable
from jobchurn.files import Folders
from jobchurn.flow.services import Services
from jobchurn.policy import DecisionPolicy
from jobchurn.settings import Settings

RECORD = example_of(JOB_CHANGE)
DOWN = DatabaseUnreachable("The database does not answer.", "Start it.")


class Model:
    def __init__(self, version):
        self.version = version

    def probabilities(self, records):
        return np.full(len(records), 0.4)


class Registry:
    """Which model is in charge, or the trouble with finding out."""

    def __init__(self):
        self.model = Model("lgbm-1")
        self.trouble = None

    def champion(self):
        if self.trouble:
            raise self.trouble
        return self.model


class Predictions:
    """Keeps what the test's own function keeps, in a thread, also where it was gathered."""

    def __init__(self):
        self.write = None

    def gathered(self):
        return Gathered(self)


class Gathered:
    def __init__(self, predictions):
        self._predictions = predictions

    async def write(self, batches):
        return [await asyncio.to_thread(self._predictions.write, batch) for batch in batches]

    def close(self):
        pass


def doubled_services(home):
    """Services that have a model in charge, and two threads with room for one who waits."""
    folders = Folders(home)
    folders.make()
    store = SimpleNamespace(
        predictions=Predictions(),
        panels=None,
        api_keys=SimpleNamespace(alive=list),
        request_log=SimpleNamespace(write=lambda _: None),
        missing=list,
    )
    return Services(
        settings=Settings(max_body_bytes=20_000, max_records=50, api_threads=2, api_waiting=1),
        contract=JOB_CHANGE,
        folders=folders,
        store=store,
        registry=Registry(),
        policy=DecisionPolicy(2),
    )


def problem_of(response, status):
    """The problem document of an answer of this status."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:jobchurn:problem:")
    assert {"title", "detail", "cure"} <= problem.keys()
    return problem


def until(holds, seconds=10):
    """Whether a condition comes to hold in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.01)
    return False
