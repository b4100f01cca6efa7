"""Makes the secrets of the containers, each once, in one folder per reader.

Every folder is a volume that is mounted only where it is read. A file is named as the variable that
``deploy/entrypoint.sh`` makes of it. Running this again changes nothing, save that the well-known
passwords of a demonstration (``DEMO=1``) go when the demonstration is over.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jobchurn.access import Key
from jobchurn.links import Links

USER = "admin"
RUNBOOK = "/runbook/"
PRIVATE = 0o600
FOR_ANOTHER_USER = 0o444
"""Of images that run as a user of their own: whoever has the volume may read it."""


def main(root: Path, *, demo: bool) -> None:
    """Make what is missing."""
    postgres = root / "postgres"
    _once(postgres / "POSTGRES_PASSWORD", _password(), FOR_ANOTHER_USER)

    _databases(root)
    _keys(root)
    links = Links(_once(root / "app" / "LINK_SECRET", secrets.token_urlsafe(32)))

    airflow = root / "airflow"
    connection = f"postgresql+psycopg://airflow:{_password()}@postgres:5432/airflow"
    kept = _once(airflow / "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", connection)
    _once(
        airflow / "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC",
        kept.replace("+psycopg:", "+psycopg_async:", 1),
    )
    fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    _once(airflow / "AIRFLOW__CORE__FERNET_KEY", fernet)
    _once(airflow / "AIRFLOW__API__SECRET_KEY", secrets.token_urlsafe(32))
    _once(airflow / "AIRFLOW__API_AUTH__JWT_SECRET", secrets.token_urlsafe(64))
    _sign_in(airflow / "passwords.json", "Airflow", demo=demo)

    grafana = root / "grafana"
    _once(grafana / "GRAFANA_DATABASE_PASSWORD", _password(), FOR_ANOTHER_USER)
    _sign_in(grafana / "GF_SECURITY_ADMIN_PASSWORD", "Grafana", demo=demo)
    _open_runbook(grafana / "RUNBOOK_QUERY", links)


def _open_runbook(path: Path, links: Links) -> None:
    """With what Grafana's links open the runbook: Grafana has no key of the API, nor its readers.

    It holds for a year, and is made anew once half of that is over or the secret is another.
    """
    now = datetime.now(UTC)
    known = path.read_text(encoding="utf-8") if path.exists() else ""
    if not links.admits(f"{RUNBOOK}page?{known}", now + timedelta(days=183)):
        query = links.sign_folder(RUNBOOK, now + timedelta(days=365))
        _write(path, query, FOR_ANOTHER_USER)


def _databases(root: Path) -> None:
    """How the owner of the tables reaches the database, and how each service does by its role."""
    own = root / "owner" / "DATABASE_URL"
    former = root / "app" / "DATABASE_URL"
    if former.exists():  # of when every service was the owner
        _once(own, former.read_text(encoding="utf-8"))
        former.unlink()
    _once(own, _database("jobchurn"))
    for service in ("api", "ingestion"):
        address = _once(root / service / "DATABASE_URL", _database(f"jobchurn_{service}"))
        _once(root / "owner" / f"{service.upper()}_DATABASE_URL", address)


def _keys(root: Path) -> None:
    """With what those who ask the API come in; the owner, who lets the API know, has them too."""
    for reader in ("webapp", "ingestion"):
        key = _once(root / reader / "API_KEY", Key.make().text)
        registered = root / "owner" / f"{reader}.key"
        if not registered.exists() or registered.read_text(encoding="utf-8") != key:
            _write(registered, key, PRIVATE)


def _database(user: str) -> str:
    return f"postgresql://{user}:{_password()}@postgres:5432/jobchurn"


def _password() -> str:
    """128 bits in letters that need no quoting in an address."""
    return secrets.token_hex(16)


def _once(path: Path, content: str, mode: int = PRIVATE) -> str:
    """The file's content, made where there is none."""
    if not path.exists():
        _write(path, content, mode)
    return path.read_text(encoding="utf-8")


def _write(path: Path, content: str, mode: int) -> None:
    fresh = path.with_name(f".{path.name}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    fresh.chmod(mode)
    fresh.replace(path)


def _sign_in(path: Path, service: str, *, demo: bool) -> None:
    """The password with which a person signs in; a generated one is told once, here."""
    as_json = path.suffix == ".json"
    known = path.read_text(encoding="utf-8") if path.exists() else ""
    well_known = json.dumps({USER: USER}) if as_json else USER
    if demo:
        wanted = well_known
    elif known and known.strip() != well_known:
        return
    else:
        password = secrets.token_urlsafe(12)
        wanted = json.dumps({USER: password}) if as_json else password
        sys.stdout.write(f"{service}: sign in as {USER} with {password}\n")
    if known.strip() != wanted:
        _write(path, wanted, PRIVATE if as_json else FOR_ANOTHER_USER)


if __name__ == "__main__":
    main(Path("/secrets"), demo=os.environ.get("DEMO") == "1")
