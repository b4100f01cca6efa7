"""The tables. Those that Alembic makes are free of the domain; a contract adds its columns.

``columns`` derives those from the contract, and ``adoption`` adds them to the database. Text from
outside is stored as :func:`~jobchurn.store.names.encoded` writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, MetaData, Table, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

from jobchurn.contract import Contract, Value
from jobchurn.errors import ContractUnusable
from jobchurn.store.columns import PREDICTIONS, column_of

_MOMENT = sa.DateTime(timezone=True)
_SYSTEM_COLUMNS = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}


@dataclass(frozen=True, slots=True)
class Tables:
    """Every table, ``predictions`` with the contract's columns."""

    metadata: MetaData
    arrivals: Table
    runs: Table
    issues: Table
    requests: Table
    predictions: Table
    predicted_files: Table
    models: Table
    baselines: Table
    alerts: Table
    alert_states: Table
    drift_windows: Table
    drift_metrics: Table
    request_log: Table
    job_runs: Table
    api_keys: Table
    redactions: Table


def tables_of(contract: Contract) -> Tables:
    """The tables, given the columns of ``contract``.

    Raises:
        ContractUnusable: a column cannot be stored.
    """
    metadata = MetaData()
    return Tables(
        metadata=metadata,
        arrivals=_arrivals(metadata),
        runs=_runs(metadata),
        issues=_issues(metadata),
        requests=_requests(metadata),
        predictions=_predictions(metadata, contract),
        predicted_files=_predicted_files(metadata),
        models=_models(metadata),
        baselines=_baselines(metadata),
        alerts=_alerts(metadata),
        alert_states=_alert_states(metadata),
        drift_windows=_drift_windows(metadata),
        drift_metrics=_drift_metrics(metadata),
        request_log=_request_log(metadata),
        job_runs=_job_runs(metadata),
        api_keys=_api_keys(metadata),
        redactions=_redactions(metadata),
    )


def record_of(row: sa.Row[Any], contract: Contract) -> dict[str, Value]:
    """The values of the contract's columns in a row of the predictions table."""
    found = row._mapping
    return {column.name: found[column.name] for column in contract.columns}


def _arrivals(metadata: MetaData) -> Table:
    return Table(
        "arrivals",
        metadata,
        Column("run_id", sa.Text, primary_key=True),
        Column("name", sa.Text, nullable=False),
        Column("sha256", sa.Text, nullable=False),
        Column("size", sa.BigInteger, nullable=False),
        # Inode numbers are unsigned: they do not fit into a bigint.
        Column("inode", sa.Numeric(20), nullable=False),
        Column("trigger", sa.Text, nullable=False),
        Column("holder", sa.Text, nullable=False),
        Column("token", sa.BigInteger, nullable=False),
        Column("attempts", sa.Integer, nullable=False),
        Column("lease_until", _MOMENT, nullable=False),
        # When the raw file came, by its file system; older arrivals do not know it.
        Column("arrived_at", _MOMENT),
        Column("started_at", _MOMENT, nullable=False),
        Column("closed_at", _MOMENT),
        Column("outcome", sa.Text),
        Column("duplicate_of", sa.Text, ForeignKey("arrivals.run_id")),
        Column("routed_name", sa.Text),
        sa.UniqueConstraint("routed_name", name="arrivals_routed_name_key"),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="arrivals_sha256"),
        sa.CheckConstraint("outcome IN ('published', 'withdrawn')", name="arrivals_outcome"),
        sa.CheckConstraint("(closed_at IS NULL) = (outcome IS NULL)", name="arrivals_closed"),
        # One open arrival for each content: a second one of the same content has to wait.
        Index(
            "arrivals_open_content",
            "sha256",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("arrivals_open", "run_id", postgresql_where=text("closed_at IS NULL")),
    )


def _runs(metadata: MetaData) -> Table:
    return Table(
        "ingestion_runs",
        metadata,
        Column("run_id", sa.Text, ForeignKey("arrivals.run_id"), primary_key=True),
        Column("file", sa.Text, nullable=False),
        Column("sha256", sa.Text, nullable=False),
        Column("trigger", sa.Text, nullable=False),
        Column("contract", sa.Text, nullable=False),
        Column("rows_total", sa.BigInteger, nullable=False),
        Column("rows_valid", sa.BigInteger, nullable=False),
        Column("rows_invalid", sa.BigInteger, nullable=False),
        Column("invalid_ratio", sa.Double, nullable=False),
        Column("criticality", sa.Text, nullable=False),
        Column("duplicate_of", sa.Text, ForeignKey("arrivals.run_id")),
        Column("started_at", _MOMENT, nullable=False),
        Column("finished_at", _MOMENT),
        Column("good", sa.Text),
        Column("bad", sa.Text),
        Column("reasons", sa.Text),
        Column("report", sa.Text),
        Column("notes", JSONB, nullable=False),
        sa.CheckConstraint("rows_total = rows_valid + rows_invalid", name="ingestion_runs_rows"),
        sa.CheckConstraint("invalid_ratio BETWEEN 0 AND 1", name="ingestion_runs_invalid_ratio"),
        Index("ingestion_runs_content", "sha256"),
        Index("ingestion_runs_finished", "finished_at", "run_id"),
    )


def _issues(metadata: MetaData) -> Table:
    return Table(
        "ingestion_issues",
        metadata,
        Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        Column("run_id", sa.Text, ForeignKey("ingestion_runs.run_id"), nullable=False),
        Column("rule", sa.Text, nullable=False),
        Column("column_name", sa.Text),
        Column("rows", sa.BigInteger, nullable=False),
        sa.UniqueConstraint(
            "run_id",
            "rule",
            "column_name",
            name="ingestion_issues_run_id_rule_column_name_key",
            postgresql_nulls_not_distinct=True,
        ),
    )


def _requests(metadata: MetaData) -> Table:
    return Table(
        "requests",
        metadata,
        Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        Column("key", sa.Text, nullable=False),
        Column("fingerprint", sa.Text, nullable=False),
        Column("created_at", _MOMENT, nullable=False),
        Column("n", sa.Integer, nullable=False),
        Column("model_version", sa.Text, nullable=False),
        Column("policy_version", sa.Text, nullable=False),
        Column("refused", JSONB),
        sa.UniqueConstraint("key", name="requests_key_key"),
    )


def _predictions(metadata: MetaData, contract: Contract) -> Table:
    base: list[Column[Any]] = [
        Column("created_at", _MOMENT, primary_key=True),
        Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        Column("source", sa.Text, nullable=False),
        Column("run_id", sa.Text),
        Column("file_name", sa.Text),
        Column("row_number", sa.BigInteger),
        Column("request_id", sa.BigInteger),
        Column("position", sa.Integer, nullable=False),
        Column("model_version", sa.Text, nullable=False),
        Column("policy_version", sa.Text, nullable=False),
        Column("contract", sa.Text, nullable=False),
        Column("probability", sa.Double, nullable=False),
        Column("prediction", sa.SmallInteger, nullable=False),
    ]
    taken = _SYSTEM_COLUMNS | {column.name for column in base}
    if stray := [column.name for column in contract.columns if column.name in taken]:
        raise ContractUnusable(
            f"The database keeps a column of its own by the name {', '.join(stray)}.",
            "Give the contract's column another name.",
        )
    return Table(
        PREDICTIONS,
        metadata,
        *base,
        *(column_of(column) for column in contract.columns),
        sa.CheckConstraint("probability BETWEEN 0 AND 1", name="predictions_probability"),
        sa.CheckConstraint("prediction IN (0, 1)", name="predictions_prediction"),
        Index(
            "predictions_source",
            "source",
            text("created_at DESC"),
            text("id DESC"),
        ),
        # What of one model version comes after a window, for ``store.drift``.
        Index("predictions_windows", "source", "model_version", "created_at", "id"),
        postgresql_partition_by="RANGE (created_at)",
    )


def _predicted_files(metadata: MetaData) -> Table:
    return Table(
        "predicted_files",
        metadata,
        # The content of the good file; two raw files may leave the same good rows.
        Column("sha256", sa.Text, primary_key=True),
        Column("run_id", sa.Text, ForeignKey("arrivals.run_id"), primary_key=True),
        Column("name", sa.Text, nullable=False),
        # Seconds since 1970, as the file system gives them.
        Column("mtime", sa.Double, nullable=False),
        Column("rows", sa.BigInteger, nullable=False),
        Column("predicted_at", _MOMENT, nullable=False),
        Index("predicted_files_run", "run_id"),
        Index("predicted_files_predicted_at", "predicted_at"),
    )


def _models(metadata: MetaData) -> Table:
    return Table(
        "models",
        metadata,
        Column("version", sa.Text, primary_key=True),
        Column("sha256", sa.Text, nullable=False),
        Column("card_sha256", sa.Text, nullable=False),
        Column("card", JSONB, nullable=False),
        Column("created_at", _MOMENT, nullable=False),
        Column("promoted_at", _MOMENT),
        Column("champion", sa.Boolean, nullable=False),
        Index("models_champion", "champion", unique=True, postgresql_where=text("champion")),
    )


def _baselines(metadata: MetaData) -> Table:
    return Table(
        "feature_baseline",
        metadata,
        Column("model_version", sa.Text, ForeignKey("models.version"), primary_key=True),
        Column("feature", sa.Text, primary_key=True),
        # A part of the key, as a feature may be called score too.
        Column("kind", sa.Text, primary_key=True),
        Column("baseline", JSONB, nullable=False),
    )


def _alerts(metadata: MetaData) -> Table:
    return Table(
        "alerts",
        metadata,
        Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        Column("run_id", sa.Text, ForeignKey("arrivals.run_id")),
        Column("kind", sa.Text, nullable=False),
        Column("severity", sa.Text, nullable=False),
        Column("title", sa.Text, nullable=False),
        Column("body", JSONB, nullable=False),
        Column("channel", sa.Text, nullable=False),
        Column("status", sa.Text, nullable=False),
        Column("attempts", sa.Integer, nullable=False),
        Column("last_error", sa.Text),
        Column("created_at", _MOMENT, nullable=False),
        Column("delivered_at", _MOMENT),
        # Alerts that are about no run are never merged: NULLs are distinct here.
        sa.UniqueConstraint("run_id", "channel", name="alerts_run_id_channel_key"),
        sa.CheckConstraint(
            "status IN ('pending', 'delivered', 'failed', 'skipped')", name="alerts_status"
        ),
        Index(
            "alerts_open",
            "created_at",
            postgresql_where=text("status IN ('pending', 'failed')"),
        ),
    )


def _alert_states(metadata: MetaData) -> Table:
    return Table(
        "alert_states",
        metadata,
        Column("rule", sa.Text, primary_key=True),
        Column("state", sa.Text, nullable=False),
        # Null where the rule could not be evaluated: then ``error`` says why.
        Column("value", sa.Double),
        Column("error", sa.Text),
        # When the state was entered.
        Column("since", _MOMENT, nullable=False),
        # When people were last told, of the alert or as a reminder; null where they were not.
        Column("told_at", _MOMENT),
        Column("evaluated_at", _MOMENT, nullable=False),
        sa.CheckConstraint("state IN ('ok', 'pending', 'firing')", name="alert_states_state"),
    )


def _drift_windows(metadata: MetaData) -> Table:
    return Table(
        "drift_windows",
        metadata,
        Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        Column("source", sa.Text, nullable=False),
        Column("model_version", sa.Text, nullable=False),
        Column("rows", sa.BigInteger, nullable=False),
        Column("first_at", _MOMENT, nullable=False),
        # Of the window's last prediction; the next window begins after it.
        Column("last_at", _MOMENT, nullable=False),
        Column("last_id", sa.BigInteger, nullable=False),
        # Rows with a level of an open text column that the model has not seen.
        Column("unseen", sa.BigInteger, nullable=False),
        # 0 quiet, 1 warn, 2 page: the gravest of the window's features.
        Column("decision", sa.SmallInteger, nullable=False),
        Column("decided_at", _MOMENT, nullable=False),
        sa.UniqueConstraint(
            "source", "model_version", "last_at", "last_id", name="drift_windows_end_key"
        ),
        sa.CheckConstraint("decision IN (0, 1, 2)", name="drift_windows_decision"),
        Index("drift_windows_last_at", "last_at"),
    )


def _drift_metrics(metadata: MetaData) -> Table:
    return Table(
        "drift_metrics",
        metadata,
        Column("window_id", sa.BigInteger, ForeignKey("drift_windows.id"), primary_key=True),
        Column("feature", sa.Text, primary_key=True),
        # Of the column, or ``score``, as in feature_baseline.
        Column("kind", sa.Text, primary_key=True),
        # ``chi-square``, ``fisher`` or ``kolmogorov-smirnov``; null: there was nothing to compare.
        Column("test", sa.Text),
        Column("statistic", sa.Double),
        Column("p_value", sa.Double),
        # Of the share of blanks, which is tested on its own; null where blanks are refused.
        Column("missing_p_value", sa.Double),
        # The lesser of the two after Holm's correction over the whole window.
        Column("p_adjusted", sa.Double, nullable=False),
        # Total variation distance of levels, Kolmogorov-Smirnov distance of numbers: 0 to 1.
        Column("effect", sa.Double),
        Column("psi", sa.Double),
        # Share of blanks in the window, and in training.
        Column("missing", sa.Double, nullable=False),
        Column("missing_baseline", sa.Double, nullable=False),
        # Of numbers; the shift is in standard deviations of training.
        Column("mean", sa.Double),
        Column("shift", sa.Double),
        Column("decision", sa.SmallInteger, nullable=False),
        sa.CheckConstraint("decision IN (0, 1, 2)", name="drift_metrics_decision"),
    )


def _request_log(metadata: MetaData) -> Table:
    return Table(
        "request_log",
        metadata,
        Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        Column("at", _MOMENT, nullable=False),
        # As the API's description has it, with its parameters unfilled; what no route takes is "-".
        Column("route", sa.Text, nullable=False),
        Column("method", sa.Text, nullable=False),
        Column("status", sa.SmallInteger, nullable=False),
        Column("seconds", sa.Double, nullable=False),
        # Predicted for this request.
        Column("records", sa.BigInteger, nullable=False),
        # Requests that were under way or waiting when this one came.
        Column("waiting", sa.Integer, nullable=False),
        # How many requests this one stands for: in a rush only a sample is kept.
        Column("weight", sa.Double, nullable=False),
        Index("request_log_at", "at"),
        # So that which routes there are is found in as many steps.
        Index("request_log_route", "route"),
    )


def _job_runs(metadata: MetaData) -> Table:
    return Table(
        "job_runs",
        metadata,
        Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        Column("job", sa.Text, nullable=False),
        Column("run", sa.Text, nullable=False),
        Column("outcome", sa.Text, nullable=False),
        # When it was due, when it began, when it ended.
        Column("due_at", _MOMENT, nullable=False),
        Column("started_at", _MOMENT, nullable=False),
        Column("finished_at", _MOMENT, nullable=False),
        sa.UniqueConstraint("job", "run", name="job_runs_job_run_key"),
        sa.CheckConstraint("outcome IN ('success', 'quiet', 'failed')", name="job_runs_outcome"),
        Index("job_runs_finished_at", "finished_at"),
    )


def _api_keys(metadata: MetaData) -> Table:
    return Table(
        "api_keys",
        metadata,
        # The public part of the key: it names the key in listings, logs and metrics.
        Column("id", sa.Text, primary_key=True),
        Column("name", sa.Text, nullable=False),
        Column("scopes", postgresql.ARRAY(sa.Text), nullable=False),
        # Of the secret part, which is random and long: a slow hash would add nothing.
        Column("secret_sha256", sa.LargeBinary, nullable=False),
        # Null: the setting's.
        Column("requests_per_minute", sa.Integer),
        Column("created_at", _MOMENT, nullable=False),
        Column("expires_at", _MOMENT),
        Column("revoked_at", _MOMENT),
        # To the hour, so that a request need not write.
        Column("last_used_at", _MOMENT),
        sa.CheckConstraint("length(secret_sha256) = 32", name="api_keys_secret_sha256"),
        sa.CheckConstraint("cardinality(scopes) > 0", name="api_keys_scopes"),
        sa.CheckConstraint("requests_per_minute > 0", name="api_keys_requests_per_minute"),
        # A name may be used again once its key is revoked.
        Index("api_keys_name", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),
    )


def _redactions(metadata: MetaData) -> Table:
    return Table(
        "redactions",
        metadata,
        Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        Column("at", _MOMENT, nullable=False),
        # Null for files that belong to no run, as the training data.
        Column("run_id", sa.Text, ForeignKey("arrivals.run_id")),
        # Which file was rewritten, in the home; null: rows of the database.
        Column("file", sa.Text),
        # Of the file before and after; the ledger's hashes stay those of what had arrived.
        Column("sha256_before", sa.Text),
        Column("sha256_after", sa.Text),
        Column("rows", sa.BigInteger, nullable=False),
    )
