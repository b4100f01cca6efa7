"""The keys of the containers: what the service ``secrets`` made is what the API takes."""

import importlib.util
from pathlib import Path

import pytest

from jobchurn.access import Key, Scope, is_genuine

INIT = Path(__file__).parents[2] / "deploy" / "init"


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, INIT / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_secrets, register_keys = loaded("make_secrets"), loaded("register_keys")


@pytest.fixture
def root(tmp_path):
    for reader in ("postgres", "owner", "api", "ingestion", "app", "webapp", "airflow", "grafana"):
        (tmp_path / reader).mkdir()
    make_secrets.main(tmp_path, demo=False)
    return tmp_path


def key_of(root, reader):
    return Key.parse((root / reader / "API_KEY").read_text())


def alive(store):
    return {known.name: known for known in store.api_keys.alive()}


def test_each_service_that_asks_the_api_has_a_key_for_what_it_asks(root, store):
    for _ in range(2):
        register_keys.register(store.api_keys, root / "owner")
    known = alive(store)
    assert {name: key.scopes for name, key in known.items()} == {
        "service:webapp": {Scope.PREDICT, Scope.READ},
        "service:ingestion": {Scope.SCHEDULED},
    }
    for reader in ("webapp", "ingestion"):
        assert is_genuine(key_of(root, reader), known[f"service:{reader}"])


def test_a_key_of_an_older_version_is_for_what_its_service_asks_now(root, store):
    store.api_keys.replace(key_of(root, "ingestion"), "service:ingestion", {Scope.PREDICT})
    register_keys.register(store.api_keys, root / "owner")
    known = alive(store)["service:ingestion"]
    assert is_genuine(key_of(root, "ingestion"), known)
    assert known.scopes == {Scope.SCHEDULED}


def test_a_revoked_key_stays_so_and_is_told_until_another_is_made(root, store, capsys):
    register_keys.register(store.api_keys, root / "owner")
    store.api_keys.revoke("service:webapp")
    register_keys.register(store.api_keys, root / "owner")
    assert "secrets-webapp" in capsys.readouterr().err
    assert alive(store).keys() == {"service:ingestion"}
    (root / "webapp" / "API_KEY").unlink()
    make_secrets.main(root, demo=False)
    register_keys.register(store.api_keys, root / "owner")
    assert is_genuine(key_of(root, "webapp"), alive(store)["service:webapp"])


def test_what_is_no_key_is_not_registered(root, store):
    (root / "owner" / "webapp.key").write_text("")
    with pytest.raises(ValueError, match="webapp"):
        register_keys.register(store.api_keys, root / "owner")
    assert alive(store) == {}
