"""What may stand in a provisioning file.

Grafana passes over whatever it does not know, so that a mistyped key is a setting that is silently
lost: these models are closed, and hold no more of Grafana's formats than we use.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

Uid = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Duration = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]*)[smhd]$")]
Text = Annotated[str, StringConstraints(min_length=1)]
Plain = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^$]+$")]
"""A text in which Grafana would look for variables of the environment."""
FromEnvironment = Annotated[str, StringConstraints(pattern=r"^\$[A-Z][A-Z_]*$")]


class Closed(BaseModel):
    """A part of a file in which nothing else may stand."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


class SourceSettings(Closed):
    """How the database is reached."""

    database: FromEnvironment
    sslmode: FromEnvironment
    postgres_version: int = Field(ge=1500)
    timescaledb: Literal[False]
    time_interval: Duration
    max_open_conns: int = Field(ge=1)
    max_idle_conns: int = Field(ge=1)
    max_idle_conns_auto: bool
    conn_max_lifetime: int = Field(ge=1)


class SourceSecrets(Closed):
    """What is kept encrypted."""

    password: FromEnvironment


class Source(Closed):
    """A data source."""

    name: Uid
    uid: Uid
    type: Literal["grafana-postgresql-datasource"]
    access: Literal["proxy"]
    org_id: Literal[1]
    is_default: bool
    editable: Literal[False]
    url: FromEnvironment
    user: Literal["jobchurn_reader"]
    json_data: SourceSettings
    secure_json_data: SourceSecrets


class Sources(Closed):
    """``datasources/*.yaml``."""

    api_version: Literal[1]
    datasources: list[Source] = Field(min_length=1)


class Folder(Closed):
    """Where files are."""

    path: FromEnvironment


class Provider(Closed):
    """A folder of dashboards."""

    name: Uid
    org_id: Literal[1]
    folder: Plain
    type: Literal["file"]
    disable_deletion: bool
    allow_ui_updates: bool
    update_interval_seconds: int = Field(ge=10)
    options: Folder


class Providers(Closed):
    """``dashboards/*.yaml``."""

    api_version: Literal[1]
    providers: list[Provider] = Field(min_length=1)


class SourceRef(Closed):
    """Which source answers a query."""

    type: str
    uid: str


class Evaluator(Closed):
    """What a value is held against."""

    type: Literal["gt"]
    params: list[float] = Field(min_length=1, max_length=1)


class Condition(Closed):
    """A threshold."""

    evaluator: Evaluator


class Question(Closed):
    """The query of a rule."""

    ref_id: Literal["A"]
    datasource: SourceRef
    editor_mode: Literal["code"]
    format: Literal["time_series"]
    raw_query: Literal[True]
    raw_sql: Text


class Reduction(Closed):
    """The latest value of a query."""

    ref_id: Literal["B"]
    datasource: SourceRef
    type: Literal["reduce"]
    expression: Literal["A"]
    reducer: Literal["last"]


class Threshold(Closed):
    """Whether a value is above a limit."""

    ref_id: Literal["C"]
    datasource: SourceRef
    type: Literal["threshold"]
    expression: Literal["B"]
    conditions: list[Condition] = Field(min_length=1, max_length=1)


class Range(Closed):
    """So many seconds ago until so many seconds ago."""

    from_: int = Field(alias="from", ge=0)
    to: Literal[0]


class Query(Closed):
    """One step of a rule."""

    ref_id: Literal["A", "B", "C"]
    datasource_uid: Text
    relative_time_range: Range
    model: Question | Reduction | Threshold


class Labels(Closed):
    """What a rule's alerts are sorted by."""

    severity: Literal["warning", "critical"]


class Annotations(Closed):
    """What an alert says beside its name."""

    dashboard: Uid = Field(alias="__dashboardUid__")
    panel: str = Field(alias="__panelId__", pattern=r"^[1-9][0-9]*$")
    description: Text
    runbook_url: str = Field(alias="runbook_url", pattern=r"^\$\{RUNBOOK_URL\}/[a-z][a-z-]*$")
    summary: Text


class Rule(Closed):
    """An alert rule."""

    uid: Uid
    title: Plain
    condition: Literal["C"]
    data: list[Query] = Field(min_length=3, max_length=3)
    no_data_state: Literal["NoData"]
    exec_err_state: Literal["Error"]
    for_: Duration = Field(alias="for")
    labels: Labels
    annotations: Annotations
    dashboard_uid: Uid
    panel_id: int = Field(ge=1)
    is_paused: Literal[False]


class Group(Closed):
    """Rules that are judged together."""

    org_id: Literal[1]
    name: Plain
    folder: Plain
    interval: Literal["60s"]
    rules: list[Rule] = Field(min_length=1)


class TeamsSettings(Closed):
    """A webhook of Teams Workflows."""

    url: FromEnvironment
    title: Plain
    message: Plain


class EmailSettings(Closed):
    """Addresses of e-mail."""

    addresses: FromEnvironment
    single_email: bool


class WebhookSettings(Closed):
    """An address that is sent JSON."""

    url: FromEnvironment | Literal["grafana://noop"]
    http_method: Literal["POST"]


class TeamsReceiver(Closed):
    """Teams."""

    uid: Uid
    type: Literal["teams"]
    settings: TeamsSettings
    disable_resolve_message: Literal[False]


class EmailReceiver(Closed):
    """E-mail."""

    uid: Uid
    type: Literal["email"]
    settings: EmailSettings
    disable_resolve_message: Literal[False]


class WebhookReceiver(Closed):
    """Any other program."""

    uid: Uid
    type: Literal["webhook"]
    settings: WebhookSettings
    disable_resolve_message: Literal[False]


Receiver = Annotated[TeamsReceiver | EmailReceiver | WebhookReceiver, Field(discriminator="type")]


class ContactPoint(Closed):
    """Where messages go."""

    org_id: Literal[1]
    name: Plain
    receivers: list[Receiver] = Field(min_length=1)


class Deletion(Closed):
    """A channel that is no more."""

    org_id: Literal[1]
    uid: Uid


class Sending(Closed):
    """To whom alerts are sent, and when; here Grafana writes its names otherwise."""

    model_config = ConfigDict(alias_generator=None)

    receiver: Plain
    group_by: list[Text] = Field(min_length=1)
    group_wait: Duration
    group_interval: Duration
    repeat_interval: Duration


class Route(Sending):
    """For the alerts that bear some labels."""

    object_matchers: list[Annotated[list[Text], Field(min_length=3, max_length=3)]] = Field(
        min_length=1
    )


class Policy(Sending):
    """For all alerts, where no route says otherwise."""

    org_id: Literal[1] = Field(alias="orgId")
    routes: list[Route]


class Alerting(Closed):
    """``alerting/*.yaml``: one of its parts a file."""

    api_version: Literal[1]
    groups: list[Group] | None = None
    contact_points: list[ContactPoint] | None = None
    delete_contact_points: list[Deletion] | None = None
    policies: list[Policy] | None = None
