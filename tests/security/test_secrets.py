"""Secrets stand in the environment and in private files, and nowhere else."""

import base64
import json
import re

import pytest

from jobchurn.settings import Settings
from jobchurn.stack.airflow import airflow_secrets, announcements, passwords_file
from security.leaks import Search, forms, in_files, leaked, repository_files

TOKENS = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}|ghp_[A-Za-z0-9]{36}|AKIA[A-Z0-9]{16}"
)
GENERATED = {"postgres.password", "links.key", "airflow.json", "airflow-passwords.json"}


def test_a_secret_in_a_log_or_in_an_open_file_is_noticed(tmp_path):
    secrets = {"password": "a/b+c d-0123456789"}
    (tmp_path / "logs").mkdir()
    for number, form in enumerate(sorted(forms(secrets["password"]))):
        planted = tmp_path / "logs" / str(number)
        planted.write_bytes(b"x" + form + b"y")
        planted.chmod(0o600)
    (tmp_path / "open").write_text(secrets["password"])
    (tmp_path / "open").chmod(0o644)
    (tmp_path / "closed").write_text(secrets["password"])
    (tmp_path / "closed").chmod(0o600)
    found = in_files(tmp_path, Search(secrets), allowed=lambda path, _: "logs" not in path)
    written = {f"logs/{number}" for number in range(len(forms(secrets["password"])))}
    assert {path for path, _ in found} == {*written, "open"}


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "user:"])
@pytest.mark.parametrize("after", ["", "a", "ab", "@host"])
def test_a_secret_is_found_within_what_was_written_in_base64(before, after):
    secret = "a/b+c d?0123~456789ü"
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert leaked(encode(f"{before}{secret}{after}".encode()), {"it": secret}) == {"it"}
        assert leaked(encode(f"{before}{secret[:-3]}{after}".encode()), {"it": secret}) == set()


def test_passwords_of_airflow_are_generated_but_in_a_demonstration(tmp_path):
    made = []
    for name in "ab":
        settings = Settings(jobchurn_home=tmp_path / name)
        demo, real = (passwords_file(settings, demo=demo) for demo in (True, False))
        assert demo != real
        assert json.loads(demo.read_text()) == {"admin": "admin"}
        made.append(json.loads(real.read_text())["admin"])
        made += airflow_secrets(settings).values()
        assert made[-4] in " ".join(announcements(settings, demo=False))
        assert made[-4] not in " ".join(announcements(settings, demo=False))
        folder = settings.home / "secrets"
        assert folder.stat().st_mode & 0o077 == 0
        assert not [path for path in folder.iterdir() if path.stat().st_mode & 0o077]
    assert len(set(made)) == len(made) == 8
    assert min(map(len, made)) >= 16


def test_the_repository_holds_no_keys_and_no_generated_secrets():
    paths = repository_files()
    if paths is None:
        pytest.skip("this is no checkout")
    assert len(paths) > 100
    kept = [path for path in paths if path.is_file()]
    assert not [p for p in paths if p.name in GENERATED or p.suffix in (".pem", ".p12", ".key")]
    assert not [path for path in kept if TOKENS.search(path.read_bytes())]
