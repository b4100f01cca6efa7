"""Makes the databases and their users, or brings them in line with the secrets.

The application and Airflow each own a database and cannot connect to the other's. The roles of the
API, of ingestion and of whoever only reads may connect to the application's; what they may do there
is the migration's business. Running this again changes nothing but a password that its secret has
left.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from jobchurn.roles import READER
from jobchurn.store.administration import administer

SECRETS = Path("/secrets")


def main() -> None:
    """Make roles, databases and grants."""
    addresses = [
        urlsplit(_secret(*place))
        for place in (
            ("owner", "DATABASE_URL"),
            ("owner", "API_DATABASE_URL"),
            ("owner", "INGESTION_DATABASE_URL"),
            ("airflow", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
        )
    ]
    passwords = {address.username or "": address.password or "" for address in addresses}
    server = addresses[0].netloc.rpartition("@")[2]
    admin = _secret("postgres", "POSTGRES_PASSWORD")
    administer(
        f"postgresql://postgres:{admin}@{server}/postgres",
        passwords | {READER: _secret("grafana", "GRAFANA_DATABASE_PASSWORD")},
    )


def _secret(reader: str, name: str) -> str:
    return (SECRETS / reader / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
