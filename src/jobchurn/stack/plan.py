"""The plan of a start: the wanted services, the programs that run them, and what those share."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pydantic import SecretStr

from jobchurn import roles
from jobchurn.postgres import EmbeddedPostgres, find_binaries
from jobchurn.postgres.server import DATABASES
from jobchurn.settings import Settings
from jobchurn.stack import airflow, programs
from jobchurn.stack.keys import ServiceKey
from jobchurn.stack.programs import Program
from jobchurn.stack.services import Service


@dataclass(frozen=True)
class Plan:
    """What is to be started.

    Attributes:
        settings: the environment's.
        services: in the order of start.
        demo: whether passwords are the well-known ones of a demonstration.
        keys: service → the key with which it asks the API.
    """

    settings: Settings
    services: Sequence[Service]
    demo: bool = False
    keys: Mapping[str, ServiceKey] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The services' names, in the order of start."""
        return tuple(service.name for service in self.services)

    @cached_property
    def postgres(self) -> EmbeddedPostgres | None:
        """The embedded PostgreSQL, where it is to be started.

        Raises:
            PostgresMissing: there is none on this machine.
        """
        if self.settings.database_url is not None or "postgres" not in self.names:
            return None
        binaries = find_binaries(self.settings)
        return EmbeddedPostgres(self.settings.home, self.settings.postgres_port, binaries)

    @property
    def database(self) -> str | None:
        """The address of the application's database, as its owner reaches it."""
        if self.settings.database_url is not None:
            return self.settings.database_url.get_secret_value()
        return self.postgres.url() if self.postgres else None

    @property
    def environment(self) -> dict[str, str]:
        """The environment that all programs share."""
        return programs.shared_environment(self.settings)

    @property
    def owners_environment(self) -> dict[str, str] | None:
        """What a command in the name of the database's owner finds; no secret beside that.

        ``None`` where the stack has no database. The embedded one is found by the home.
        """
        if "postgres" not in self.names:
            return None
        owner = programs.secrets_of(self.settings, "database_url")
        return {**os.environ, **self.environment, **owner}

    @property
    def public_environment(self) -> dict[str, str]:
        """The variables by which other programs find the stack (``jobchurn env``)."""
        kept = ("JOBCHURN_HOME", "API_URL")
        found = {name: value for name, value in self.environment.items() if name in kept}
        if self.database is not None:
            found["DATABASE_URL"] = self.database
        for service in self.services:
            if service.name in ("webapp", "airflow"):
                found[f"{service.name.upper()}_URL"] = service.address
        return found

    def announcements(self) -> list[str]:
        """What a person is told once everything is up: passwords that were not shown before."""
        if "airflow" not in self.names:
            return []
        return airflow.announcements(self.settings, demo=self.demo)

    def programs(self) -> Mapping[str, tuple[Program, ...]]:
        """The programs of each service, by its name; an external service has none.

        Makes the secrets that they share where there are none yet.
        """
        return {service.name: self._programs_of(service) for service in self.services}

    def _programs_of(self, service: Service) -> tuple[Program, ...]:
        if service.external:
            return ()
        match service.name:
            case "postgres" if self.postgres is not None:
                return (programs.postgres_program(self.postgres),)
            case "api":
                reached = self._database_of(roles.API, self.settings.api_database_url)
                return (programs.api_program(self.settings, reached),)
            case "webapp":
                return (programs.webapp_program(self.settings, self._key_of("webapp")),)
            case "airflow":
                reached = self._database_of(roles.INGESTION, self.settings.ingestion_database_url)
                return airflow.airflow_programs(
                    self.settings,
                    self._airflows_database(),
                    reached,
                    self._key_of("airflow"),
                    demo=self.demo,
                )
        raise ValueError(f"no program runs the service {service.name}")

    def _key_of(self, service: str) -> Mapping[str, str]:
        """What a service's environment says of its key; nothing where the API asks for none."""
        found = self.keys.get(service)
        return {"API_KEY": found.key.text} if found else {}

    def _database_of(self, role: str, given: SecretStr | None) -> str:
        """The address of the application's database, as a service reaches it by its role.

        On a database of the user's own only where an address was given: else as its owner does.
        """
        if self.settings.database_url is not None:
            return (given or self.settings.database_url).get_secret_value()
        return self._embedded().url(DATABASES[0], role)

    def _airflows_database(self) -> str:
        if self.settings.database_url is not None:
            return airflow.airflow_database(self.settings.database_url.get_secret_value())
        return self._embedded().url(airflow.DATABASE, airflow.DATABASE)

    def _embedded(self) -> EmbeddedPostgres:
        if self.postgres is None:
            raise ValueError("this service needs a database")
        return self.postgres
