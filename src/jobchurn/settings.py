"""The typed environment: every setting, its meaning and its default.

Read once, by :func:`read_settings`; the rest of the house is given a :class:`Settings`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PositiveInt, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobchurn.access import MOST_PER_MINUTE, Key, is_loopback
from jobchurn.errors import InvalidSettings

Port = Annotated[int, Field(ge=1, le=65535)]
Share = Annotated[float, Field(ge=0, le=1)]
Cost = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _address(text: str) -> str:
    """An address to which paths can be appended; what is refused is not repeated."""
    form = "an address is written http://HOST:PORT or https://HOST, with a path where it has one"
    try:
        parts = urlsplit(text)
        names_a_place = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(form) from None
    written = re.fullmatch(r"https?://[!-~]+", text)
    if not written or not names_a_place or parts.query or parts.fragment:
        raise ValueError(form)
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{form}, and holds no password")
    return text


Address = Annotated[str, AfterValidator(_address)]
"""Where a service answers: people and programs go there."""


def _place(path: Path) -> Path:
    """A place for files that every program can be told of."""
    try:
        written = str(path.expanduser())
    except RuntimeError:
        raise ValueError("there is no such user") from None
    if not written.isprintable():
        raise ValueError("a place is written in characters that can be shown")
    return path


Place = Annotated[Path, AfterValidator(_place)]
"""Where files lie."""


class Settings(BaseSettings):
    """Settings, each read from the environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    jobchurn_home: Place = Field(Path("var"), description="Where all run-time state lives.")
    jobchurn_csv: Place | None = Field(
        None, description="A data set of your own, used in place of the built-in one."
    )

    database_url: SecretStr | None = Field(
        None, description="A PostgreSQL of your own (15 or newer); without it one is started here."
    )
    api_database_url: SecretStr | None = Field(
        None,
        description="The database of DATABASE_URL as the API is to reach it, in the name of the "
        "role jobchurn_api; by default as DATABASE_URL says.",
    )
    ingestion_database_url: SecretStr | None = Field(
        None,
        description="The database of DATABASE_URL as Airflow's tasks are to reach it, in the name "
        "of the role jobchurn_ingestion; by default as DATABASE_URL says.",
    )
    postgres_bin: Place | None = Field(
        None, description="The folder of the PostgreSQL programs to use for the embedded database."
    )
    database_seconds: float = Field(
        30.0,
        gt=0,
        le=3_600,
        description="How long a query may run, and a little longer how long its answer is waited "
        "for; then the database counts as away.",
    )
    postgres_port: Port = Field(5433, description="The embedded PostgreSQL's port.")

    api_host: str = Field("127.0.0.1", description="The address on which the API listens.")
    api_port: Port = Field(8000, description="The API's port.")
    api_keys: Literal["beyond-loopback", "always"] = Field(
        "beyond-loopback",
        description="When whoever asks the API must have a key: where it listens beyond this "
        "machine, which cannot be turned off, or always.",
    )
    api_rate: int = Field(
        6_000,
        ge=1,
        le=MOST_PER_MINUTE,
        description="How many requests a minute a key may make that has no number of its own; "
        "each process that serves counts for itself.",
    )
    api_key: SecretStr | None = Field(
        None, description="The key with which the scheduled jobs and the web app ask the API."
    )
    webapp_port: Port = Field(8501, description="The web app's port.")
    airflow_port: Port = Field(8080, description="Airflow's port.")
    grafana_port: Port = Field(3000, description="Grafana's port (compose only).")
    api_url: Address | None = Field(
        None, description="Where the API answers; by default this machine's, at its port."
    )
    api_public_url: Address | None = Field(
        None, description="The API's address as the readers of alerts reach it."
    )
    teams_webhook: SecretStr | None = Field(
        None, description="The Teams Workflows webhook that alerts are posted to."
    )
    alert_urls: SecretStr | None = Field(
        None,
        description="Further channels for alerts, as addresses of the library apprise "
        "(slack://…, mailtos://…), separated by blanks or commas.",
    )
    alert_criticality: Literal["low", "medium", "high"] = Field(
        "low", description="From which criticality of a file on an alert is sent."
    )

    webhook_hosts: str = Field(
        "*.logic.azure.com *.api.powerplatform.com *.webhook.office.com localhost 127.0.0.1 ::1",
        description="The hosts that alerts may be posted to, separated by blanks or commas; *. at "
        "the beginning stands for all below. Beyond this machine by https alone.",
    )
    link_secret: SecretStr | None = Field(
        None,
        description="What signs the links in alerts, 32 characters or more; by default one is "
        "made and kept in JOBCHURN_HOME.",
    )
    link_days: PositiveInt = Field(
        30, le=3_650, description="For how long the links in alerts open without a key."
    )
    remind_minutes: PositiveInt = Field(
        240,
        le=525_600,
        description="After how long people are reminded of an alert that is not over.",
    )
    runbook_url: Address | None = Field(
        None,
        description="Where the runbook's pages are read; by default at the API's public address.",
    )
    grafana_url: Address | None = Field(
        None, description="Grafana's address as the readers of alerts reach it, where there is one."
    )
    grafana_database_password: SecretStr | None = Field(
        None,
        description="With it the database role jobchurn_reader, which can only read, may log in, "
        "as Grafana does.",
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        None, description="Where traces go, by OTLP over HTTP; without it none are made."
    )

    miss_cost: Cost = Field(
        2.0, description="How many needless calls one missed positive costs; sets the threshold."
    )
    bad_ratio_medium: Share = Field(
        0.10, description="From this share of bad rows on a file's criticality is medium."
    )
    bad_ratio_high: Share = Field(
        0.50, description="From this share of bad rows on a file's criticality is high."
    )

    drift_window_rows: int = Field(
        500, ge=100, le=100_000, description="How many predictions one drift window holds."
    )
    drift_wait_minutes: PositiveInt = Field(
        60,
        le=525_600,
        description="After how long a drift window is judged that is not full; it must hold at "
        "least 100 predictions.",
    )
    log_days: PositiveInt = Field(
        14, le=36_500, description="How long the log of requests and of runs of jobs is kept."
    )

    prediction_days: PositiveInt | None = Field(
        None,
        le=36_500,
        description="For how many days predictions are kept; by default for good.",
    )
    file_days: PositiveInt | None = Field(
        None,
        le=36_500,
        description="For how many days the files of an ingestion run are kept: good and bad rows, "
        "reasons and report; by default for good.",
    )

    settle_seconds: float = Field(
        1.0,
        ge=0,
        le=3_600,
        description="How long a file must have been unchanged before it is taken.",
    )
    lease_seconds: float = Field(
        120.0,
        gt=0,
        le=86_400,
        description="How long a worker may be silent before its file is taken over.",
    )
    attempts: PositiveInt = Field(
        5,
        le=1_000,
        description="How many workers may end over one file without a word; the next one refuses "
        "it unread.",
    )
    max_records: PositiveInt = Field(100_000, description="The most records of one request.")
    max_body_bytes: PositiveInt = Field(
        64 * 1024 * 1024, description="The most bytes of one request's body."
    )
    api_workers: PositiveInt = Field(
        1,
        le=64,
        description="How many processes serve the API at its one address; each counts rates and "
        "holds connections to the database for itself.",
    )
    api_threads: PositiveInt = Field(
        8, description="How many requests the API works on at once; each may hold a connection."
    )
    api_waiting: PositiveInt = Field(
        128,
        description="How many further requests may wait for their turn, and of those with few "
        "records as many for the next batch; more are asked to come back later.",
    )
    start_files: PositiveInt = Field(
        20, description="Into how many files the first start splits the data set."
    )

    @field_validator("api_key")
    @classmethod
    def _is_a_key(cls, found: SecretStr | None) -> SecretStr | None:
        """A key, without the line break that a file of it may end with."""
        if found is None:
            return None
        key = Key.parse(found.get_secret_value().strip())
        if key is None:
            raise ValueError("it is no key as `jobchurn keys create` prints them")
        return SecretStr(key.text)

    @property
    def home(self) -> Path:
        """The absolute folder of all run-time state."""
        return self.jobchurn_home.expanduser().absolute()

    @property
    def keys_required(self) -> bool:
        """Whether whoever asks the API must have a key."""
        return self.api_keys == "always" or not is_loopback(self.api_host)

    @property
    def api_address(self) -> str:
        """Where the API answers."""
        anywhere = self.api_host in ("0.0.0.0", "::")  # noqa: S104 (compared, not bound)
        host = "127.0.0.1" if anywhere else self.api_host
        host = f"[{host}]" if ":" in host else host
        return (self.api_url or f"http://{host}:{self.api_port}").rstrip("/")

    @property
    def api_public_address(self) -> str:
        """Where the API answers the readers of alerts."""
        return (self.api_public_url or self.api_address).rstrip("/")

    @property
    def api_names(self) -> frozenset[str]:
        """The hosts by whose names the API is asked, in lower case."""
        addresses = self.api_address, self.api_public_address
        return frozenset(urlsplit(address).hostname or "" for address in addresses)

    @property
    def runbook_address(self) -> str:
        """Where the readers of alerts find the runbook's pages."""
        return (self.runbook_url or f"{self.api_public_address}/runbook").rstrip("/")


def read_settings() -> Settings:
    """The settings that the environment holds.

    Raises:
        InvalidSettings: a variable's value cannot be used; the message names each.
    """
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()
        )
        raise InvalidSettings(
            f"The environment cannot be used: {wrong}.", "Correct or unset these variables."
        ) from None
