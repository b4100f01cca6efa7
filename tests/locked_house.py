"""A house whose API asks everybody for a key, and keys to it."""

from contextlib import ExitStack, contextmanager
from dataclasses import replace

from starlette.testclient import TestClient

from api_house import open_house
from jobchurn.access import Key, Scope
from jobchurn.api import create_app

OPEN = {"/health", "/ready"}
"""The paths that are answered without a key."""

# Every endpoint as a client asks it, and the scopes that it is for. What an endpoint is for is
# written down here once more, on purpose: a slip beside the endpoint is found.
ENDPOINTS = {
    ("POST", "/predict"): {Scope.PREDICT, Scope.SCHEDULED},
    ("POST", "/explain"): {Scope.PREDICT},
    ("GET", "/model"): {Scope.PREDICT, Scope.READ},
    ("GET", "/"): {Scope.READ},
    ("GET", "/openapi.json"): {Scope.READ},
    ("GET", "/past-predictions"): {Scope.READ},
    ("GET", "/ingestion-runs"): {Scope.READ},
    ("GET", "/panels"): {Scope.READ},
    ("GET", "/panels/{dashboard}"): {Scope.READ},
    ("GET", "/reports/{report_name}"): {Scope.READ},
    ("GET", "/runbook/{rule}"): {Scope.READ},
    ("POST", "/links"): {Scope.READ},
    ("GET", "/metrics"): {Scope.ADMIN},
    ("GET", "/keys"): {Scope.ADMIN},
    ("DELETE", "/keys/{id}"): {Scope.ADMIN},
}


def locked_house(store, home, **changes):
    """Services whose API asks for keys."""
    house = open_house(store, home)
    settings = house.settings.model_copy(update={"api_keys": "always", **changes})
    return replace(house, settings=settings)


def key_for(store, *scopes, **how):
    """A key with some scopes, known to the store."""
    key = Key.make()
    store.api_keys.add(key, f"key-{key.id}", set(scopes), **how)
    return key


def sent(key):
    """The header with which a key is sent."""
    return {"Authorization": f"Bearer {key.text}"}


@contextmanager
def clients(house):
    """Makes clients of one API, each at an address of its own, so that none is told to wait."""
    with ExitStack() as stack:
        app = create_app(house)
        served = stack.enter_context(TestClient(app))

        def client(number=0):
            made = TestClient(
                app,
                client=(f"10.1.{number // 256}.{number % 256}", 1),
                raise_server_exceptions=False,
                follow_redirects=False,
            )
            # All on the one event loop that the application lives on, as its connections do.
            made.portal = served.portal
            return made

        yield client
