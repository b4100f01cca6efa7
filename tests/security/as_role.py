"""A plugin of pytest: every store works in the name of one role, as the service's program does.

``pytest -p security.as_role --role jobchurn_api tests/integration/…``. What people do by hand, or
another service does, stays the owner's, so that tests of the service can set their scene.
"""

from __future__ import annotations

import sqlalchemy as sa

from jobchurn.roles import API, INGESTION
from jobchurn.store import Store

PASSWORD = "of the role"
BY_HAND = {
    "models": ("add", "promote", "rollback"),
    "api_keys": ("add", "replace"),
    "predictions": ("remove",),
}
BY_OTHERS = {
    API: {
        "arrivals": ("claim", "take_up", "renew", "check", "find", "get", "withdraw", "open"),
        "runs": ("save_statistics", "reserve_name", "finish"),
        "predictions": ("mark_predicted", "unpredicted", "is_predicted", "last_predicted"),
        "alerts": ("record", "held", "pending", "of_run", "latest"),
        "alert_states": ("all", "change"),
        "drift": ("sources", "next_window", "save", "drifted_before"),
        "job_runs": ("save", "forget"),
        "request_log": ("forget",),
    },
    INGESTION: {"predictions": ("write",), "request_log": ("write",)},
}


def pytest_addoption(parser):
    parser.addoption("--role", required=True, choices=list(BY_OTHERS))


def pytest_configure(config):
    role, connect = config.getoption("--role"), Store.connect

    def connect_as_role(url, contract, **options):
        own = sa.make_url(url).set(username=role, password=PASSWORD)
        store = connect(own.render_as_string(hide_password=False), contract, **options)
        owner = connect(url, contract)
        for others in (BY_HAND, BY_OTHERS[role]):
            for noun, verbs in others.items():
                for verb in verbs:
                    if hasattr(getattr(owner, noun), verb):
                        setattr(getattr(store, noun), verb, getattr(getattr(owner, noun), verb))
        store.migrate = lambda passwords=None: owner.migrate({role: PASSWORD} | (passwords or {}))
        store.partitions = owner.partitions
        close = store.close
        store.close = lambda: (close(), owner.close())
        return store

    Store.connect = connect_as_role
