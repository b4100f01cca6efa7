"""Secrets stand in the environment and in private files, and nowhere else."""

import base64
import json
import re
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from jobchurn.settings import Settings
from jobchurn.stack.airflow import airflow_secrets, announcements, passwords_file

ROOT = Path(__file__).parents[2]
TOKENS = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}|ghp_[A-Za-z0-9]{36}|AKIA[A-Z0-9]{16}"
)
GENERATED = {"postgres.password", "links.key", "airflow.json", "airflow-passwords.json"}


def forms(secret):
    """A secret as it is, in an address, and in base64."""
    plain = secret.encode()
    return {plain, quote(secret, safe="").encode(), base64.b64encode(plain)}


def leaked(content, secrets):
    """The names of those secrets that bytes hold in any form."""
    return {name for name, secret in secrets.items() if any(f in content for f in forms(secret))}


def open_files(home, secrets):
    """Files of a home that hold a secret, and are logs, or open to others than their owner."""
    for path in home.rglob("*"):
        if path.is_file() and not path.is_symlink() and leaked(path.read_bytes(), secrets):
            told = path.relative_to(home).parts[0] in ("logs", "reports", "data")
            if told or path.stat().st_mode & 0o077:
                yield str(path.relative_to(home))


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
    assert set(open_files(tmp_path, secrets)) == {"logs/0", "logs/1", "logs/2", "open"}


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
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this is no checkout")
    paths = [ROOT / name.decode() for name in done.stdout.split(b"\0") if name]
    assert len(paths) > 100
    kept = [path for path in paths if path.is_file()]
    assert not [p for p in paths if p.name in GENERATED or p.suffix in (".pem", ".p12", ".key")]
    assert not [path for path in kept if TOKENS.search(path.read_bytes())]
