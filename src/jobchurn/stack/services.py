"""The services of the stack, declared in one place.

A :class:`Service` is what people see: a name, an address, a state. ``programs`` says what runs for
it. The order of start, the port checks and the table of states are derived from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from jobchurn.errors import InvalidSettings, NotFound
from jobchurn.postgres.server import USER
from jobchurn.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[3]
"""The folder that holds the web app's and Airflow's rooms, in an installation from a checkout."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """What people see.

    Attributes:
        name: on the command line and in tables.
        title: in sentences.
        address: where it answers, fit to be printed.
        health: the target that answers while it is well (see ``gate.answers``).
        needs: services that must run for it.
        host, port: where it listens; no port where it is not ours to start.
        port_variable: the environment variable that changes the port.
        external: whether it runs elsewhere and is only used.
    """

    name: str
    title: str
    address: str
    health: str
    needs: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int | None = None
    port_variable: str = ""
    external: bool = False


def services_of(settings: Settings) -> tuple[Service, ...]:
    """The services, in the order in which they start; those whose room is absent are left out."""
    found = [_postgres_service(settings), _api_service(settings)]
    if (CHECKOUT / "webapp" / "Home.py").is_file():
        found.append(
            Service(
                name="webapp",
                title="The web app",
                address=f"http://127.0.0.1:{settings.webapp_port}",
                health=f"http://127.0.0.1:{settings.webapp_port}/_stcore/health",
                needs=() if settings.api_url else ("api",),
                port=settings.webapp_port,
                port_variable="WEBAPP_PORT",
            )
        )
    if (CHECKOUT / "dags").is_dir():
        found.append(
            Service(
                name="airflow",
                title="Airflow",
                address=f"http://127.0.0.1:{settings.airflow_port}",
                health=f"http://127.0.0.1:{settings.airflow_port}/api/v2/monitor/health"
                "#scheduler,dag_processor",
                needs=("postgres",) if settings.api_url else ("postgres", "api"),
                port=settings.airflow_port,
                port_variable="AIRFLOW_PORT",
            )
        )
    return tuple(found)


def chosen(services: Iterable[Service], only: Iterable[str] | None) -> tuple[Service, ...]:
    """The named services and what they need, in the order of start; all where ``only`` is None.

    Raises:
        NotFound: there is no service of that name.
    """
    known = {service.name: service for service in services}
    if only is None:
        return tuple(known.values())
    wanted: set[str] = set()
    waiting = list(only)
    while waiting:
        name = waiting.pop()
        if name not in known:
            raise NotFound(f"There is no service {name}.", f"Choose among {', '.join(known)}.")
        if name not in wanted:
            wanted.add(name)
            waiting.extend(known[name].needs)
    return tuple(service for service in known.values() if service.name in wanted)


def plain_target(database: str) -> str:
    """The gate's target for a database: its address without password, driver and options.

    Raises:
        InvalidSettings: the address is none.
    """
    try:
        url = urlsplit(database)
        asked = dict(parse_qsl(url.query))  # libpq's parameters, which come before the rest
        host = asked.get("host") or url.hostname or "127.0.0.1"
        port = int(asked.get("port") or url.port or 5432)
    except ValueError:
        url = None
    if url is None or not url.scheme:
        # The text may hold a password, so it is not repeated.
        raise InvalidSettings(
            "The database's URL cannot be read.",
            "Set DATABASE_URL to postgresql://USER:PASSWORD@HOST:PORT/DATABASE.",
        )
    if host.startswith("/"):
        return f"file://{quote(host)}/.s.PGSQL.{port}"
    user = f"{url.username}@" if url.username else ""
    return f"postgresql://{user}{f'[{host}]' if ':' in host else host}:{port}{url.path}"


def _postgres_service(settings: Settings) -> Service:
    if settings.database_url is not None:
        target = plain_target(settings.database_url.get_secret_value())
        return Service(
            name="postgres",
            title="PostgreSQL",
            address=urlsplit(target).netloc.rpartition("@")[2] or unquote(urlsplit(target).path),
            health=target,
            external=True,
        )
    return Service(
        name="postgres",
        title="PostgreSQL",
        address=f"127.0.0.1:{settings.postgres_port}",
        health=f"postgresql://{USER}@127.0.0.1:{settings.postgres_port}/postgres",
        port=settings.postgres_port,
        port_variable="POSTGRES_PORT",
    )


def _api_service(settings: Settings) -> Service:
    anywhere = settings.api_host in ("0.0.0.0", "::")  # noqa: S104 (compared, not bound)
    host = "127.0.0.1" if anywhere else settings.api_host
    return Service(
        name="api",
        title="The API",
        address=f"http://{host}:{settings.api_port}",
        health=f"http://{host}:{settings.api_port}/ready",
        needs=("postgres",),
        host=settings.api_host,
        port=settings.api_port,
        port_variable="API_PORT",
    )
