"""A house whose API asks everybody for a key, and keys to it."""

from contextlib import ExitStack, contextmanager
from dataclasses import replace

from starlette.testclient import TestClient

from api_house import open_house
from jobchurn.access import Key
from jobchurn.api import create_app


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
        stack.enter_context(TestClient(app))

        def client(number=0):
            return TestClient(
                app,
                client=(f"10.1.{number // 256}.{number % 256}", 1),
                raise_server_exceptions=False,
                follow_redirects=False,
            )

        yield client
