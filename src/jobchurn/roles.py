"""Who may do what in the database: the one truth of roles, tables and rights.

The *owner* makes the tables and may do everything with them; people's commands work in its name.
Each service has a role of its own that may do what its queries need and nothing else: what is not
written here nobody but the owner may do. ``store.admission`` brings a database in line with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

API = "jobchurn_api"
INGESTION = "jobchurn_ingestion"
READER = "jobchurn_reader"


READER_SETTINGS: Mapping[str, str] = {
    "default_transaction_read_only": "on",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    "TimeZone": "UTC",
    # To compile a panel's query takes longer than to run it.
    "jit": "off",
    # Predictions lie in the order of their times: a day of a month is read by its index.
    "random_page_cost": "1.1",
}
"""What a session of the reader's begins with; whoever logs in may change it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role of the server.

    Attributes:
        name: as the server knows it.
        purpose: who works in its name, and at what.
        reads_panels: whether it may become the reader, which it otherwise gains nothing of.
        settings: what a session begins with that logs in as it.
    """

    name: str
    purpose: str
    reads_panels: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


ROLES = (
    Role(
        name=READER,
        purpose="looks: Grafana, and every query of a panel or an alert rule",
        settings=READER_SETTINGS,
    ),
    Role(name=API, purpose="predicts: the HTTP API", reads_panels=True),
    Role(name=INGESTION, purpose="ingests and watches: Airflow's tasks", reads_panels=True),
)
"""The reader first, as the others may become it."""

BUT_IDS = "SELECT but ids"
"""In place of a right: SELECT on each column, save those that tell who a person is."""

PUBLIC = "public"
"""Everybody who can connect: they may do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What each role may do with one table, as GRANT has it; an empty text is nothing at all."""

    api: str = ""
    ingestion: str = ""
    reader: str = ""

    def of(self, role: str) -> frozenset[str]:
        """The rights of one role, each with its column where it is limited to one."""
        text = {API: self.api, INGESTION: self.ingestion, READER: self.reader}.get(role, "")
        return frozenset(filter(None, text.split(", ")))


RIGHTS: Mapping[str, Rights] = {
    "arrivals": Rights(ingestion="SELECT, INSERT, UPDATE", reader="SELECT"),
    "ingestion_runs": Rights(api="SELECT", ingestion="SELECT, INSERT, UPDATE", reader="SELECT"),
    "ingestion_issues": Rights(api="SELECT", ingestion="SELECT, INSERT, DELETE", reader="SELECT"),
    "requests": Rights(
        api="SELECT, INSERT",
        # Which parts of a good file are stored already.
        ingestion="SELECT (id), SELECT (key), SELECT (fingerprint), SELECT (n)",
        # What was refused holds values, those of ids among them.
        reader="SELECT (id), SELECT (key), SELECT (fingerprint), SELECT (created_at), SELECT (n), "
        "SELECT (model_version), SELECT (policy_version)",
    ),
    # Stored once and never changed: who asks to be forgotten is forgotten by the owner.
    "predictions": Rights(api="SELECT, INSERT", ingestion="SELECT", reader=BUT_IDS),
    # COPY is given its numbers, and answers with none.
    "predictions_id_seq": Rights(api="USAGE"),
    "predicted_files": Rights(ingestion="SELECT, INSERT", reader="SELECT"),
    # Which model is in charge is for people to say.
    "models": Rights(api="SELECT", ingestion="SELECT", reader="SELECT"),
    "feature_baseline": Rights(api="SELECT", ingestion="SELECT", reader="SELECT"),
    "alerts": Rights(ingestion="SELECT, INSERT, UPDATE", reader="SELECT"),
    "alert_states": Rights(ingestion="SELECT, INSERT, UPDATE", reader="SELECT"),
    "drift_windows": Rights(ingestion="SELECT, INSERT", reader="SELECT"),
    "drift_metrics": Rights(ingestion="SELECT, INSERT", reader="SELECT"),
    # Whoever may add to a log may not take from it.
    "request_log": Rights(api="INSERT", ingestion="SELECT, DELETE", reader="SELECT"),
    "job_runs": Rights(ingestion="SELECT, INSERT, UPDATE, DELETE", reader="SELECT"),
    # Whoever makes keys, or says what they are for, is the owner.
    "api_keys": Rights(api="SELECT, UPDATE (last_used_at), UPDATE (revoked_at)"),
    "redactions": Rights(api="SELECT", ingestion="SELECT", reader="SELECT"),
    "alembic_version": Rights(api="SELECT", ingestion="SELECT"),
}
"""Relation → rights. Partitions are reached by way of their table, and of no right of their own."""


def rights_of(role: str) -> dict[str, frozenset[str]]:
    """What a role may do, by relation; those that it may do nothing with are left out."""
    return {name: found for name, rights in RIGHTS.items() if (found := rights.of(role))}
