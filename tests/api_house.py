"""A house for the API's tests: real services over a test's database, a small model in charge."""

from contextlib import contextmanager

from starlette.testclient import TestClient

from jobchurn.api import create_app
from jobchurn.api.schema import example_of
from jobchurn.contract import JOB_CHANGE
from jobchurn.files import Folders
from jobchurn.flow.services import Services
from jobchurn.policy import DecisionPolicy
from jobchurn.registry import Registry
from jobchurn.settings import Settings
from small_model import small_model

RECORD = example_of(JOB_CHANGE)


def open_house(store, home, contract=JOB_CHANGE, *, champion=True):
    """Services over ``store``, their files under ``home``."""
    folders = Folders(home)
    folders.make()
    services = Services(
        settings=Settings(jobchurn_home=home),
        contract=contract,
        folders=folders,
        store=store,
        registry=Registry(folders.models, store.models, contract),
        policy=DecisionPolicy(1),
    )
    if champion:
        model = small_model(contract)
        services.registry.add(model)
        services.registry.promote(model.version)
    return services


@contextmanager
def serving(services):
    """A client of the API over ``services``; what breaks inside is answered, not raised."""
    with TestClient(
        create_app(services), base_url="http://127.0.0.1", raise_server_exceptions=False
    ) as client:
        yield client
