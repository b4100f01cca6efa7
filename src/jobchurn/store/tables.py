"""The tables. Those that Alembic makes are free of the domain; a contract adds its columns.

``columns`` derives those from the contract, and ``adoption`` adds them to the database. Text from
outside is stored as :func:`~jobchurn.store.names.encoded` writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, MetaData, Table, text
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
