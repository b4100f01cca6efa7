"""The core: arrivals, runs, predictions, models, alerts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _ingestion()
    _predictions()
    _models()
    _alerts()


def _ingestion() -> None:
    op.create_table(
        "arrivals",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("inode", sa.Numeric(20), nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease_until", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT),
        sa.Column("outcome", sa.Text),
        sa.Column("duplicate_of", sa.Text, sa.ForeignKey("arrivals.run_id")),
        sa.Column("routed_name", sa.Text),
        sa.UniqueConstraint("routed_name", name="arrivals_routed_name_key"),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="arrivals_sha256"),
        sa.CheckConstraint("outcome IN ('published', 'withdrawn')", name="arrivals_outcome"),
        sa.CheckConstraint("(closed_at IS NULL) = (outcome IS NULL)", name="arrivals_closed"),
    )
    is_open = sa.text("closed_at IS NULL")
    op.create_index(
        "arrivals_open_content", "arrivals", ["sha256"], unique=True, postgresql_where=is_open
    )
    op.create_index("arrivals_open", "arrivals", ["run_id"], postgresql_where=is_open)
    op.create_table(
        "ingestion_runs",
        sa.Column("run_id", sa.Text, sa.ForeignKey("arrivals.run_id"), primary_key=True),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("contract", sa.Text, nullable=False),
        sa.Column("rows_total", sa.BigInteger, nullable=False),
        sa.Column("rows_valid", sa.BigInteger, nullable=False),
        sa.Column("rows_invalid", sa.BigInteger, nullable=False),
        sa.Column("invalid_ratio", sa.Double, nullable=False),
        sa.Column("criticality", sa.Text, nullable=False),
        sa.Column("duplicate_of", sa.Text, sa.ForeignKey("arrivals.run_id")),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("good", sa.Text),
        sa.Column("bad", sa.Text),
        sa.Column("reasons", sa.Text),
        sa.Column("report", sa.Text),
        sa.Column("notes", JSONB, nullable=False),
        sa.CheckConstraint("rows_total = rows_valid + rows_invalid", name="ingestion_runs_rows"),
        sa.CheckConstraint("invalid_ratio BETWEEN 0 AND 1", name="ingestion_runs_invalid_ratio"),
    )
    op.create_index("ingestion_runs_content", "ingestion_runs", ["sha256"])
    op.create_index("ingestion_runs_finished", "ingestion_runs", ["finished_at", "run_id"])
    op.create_table(
        "ingestion_issues",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("run_id", sa.Text, sa.ForeignKey("ingestion_runs.run_id"), nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("column_name", sa.Text),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.UniqueConstraint(
            "run_id",
            "rule",
            "column_name",
            name="ingestion_issues_run_id_rule_column_name_key",
            postgresql_nulls_not_distinct=True,
        ),
    )


def _predictions() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("policy_version", sa.Text, nullable=False),
        sa.Column("refused", JSONB),
        sa.UniqueConstraint("key", name="requests_key_key"),
    )
    op.create_table(
        "predictions",
        sa.Column("created_at", MOMENT, primary_key=True),
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("file_name", sa.Text),
        sa.Column("row_number", sa.BigInteger),
        sa.Column("request_id", sa.BigInteger),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("policy_version", sa.Text, nullable=False),
        sa.Column("contract", sa.Text, nullable=False),
        sa.Column("probability", sa.Double, nullable=False),
        sa.Column("prediction", sa.SmallInteger, nullable=False),
        sa.CheckConstraint("probability BETWEEN 0 AND 1", name="predictions_probability"),
        sa.CheckConstraint("prediction IN (0, 1)", name="predictions_prediction"),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.create_index(
        "predictions_source",
        "predictions",
        ["source", sa.text("created_at DESC"), sa.text("id DESC")],
    )
    # Whatever falls into no month's partition; the months are made by ``store.partitions``.
    op.execute("CREATE TABLE predictions_default PARTITION OF predictions DEFAULT")
    op.create_table(
        "predicted_files",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, sa.ForeignKey("arrivals.run_id"), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("mtime", sa.Double, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("predicted_at", MOMENT, nullable=False),
    )
    op.create_index("predicted_files_run", "predicted_files", ["run_id"])
    op.create_index("predicted_files_predicted_at", "predicted_files", ["predicted_at"])


def _models() -> None:
    op.create_table(
        "models",
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("card_sha256", sa.Text, nullable=False),
        sa.Column("card", JSONB, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("promoted_at", MOMENT),
        sa.Column("champion", sa.Boolean, nullable=False),
    )
    op.create_index(
        "models_champion",
        "models",
        ["champion"],
        unique=True,
        postgresql_where=sa.text("champion"),
    )
    op.create_table(
        "feature_baseline",
        sa.Column("model_version", sa.Text, sa.ForeignKey("models.version"), primary_key=True),
        sa.Column("feature", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("baseline", JSONB, nullable=False),
    )


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("run_id", sa.Text, sa.ForeignKey("arrivals.run_id")),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", JSONB, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("delivered_at", MOMENT),
        sa.UniqueConstraint("run_id", "channel", name="alerts_run_id_channel_key"),
        sa.CheckConstraint(
            "status IN ('pending', 'delivered', 'failed', 'skipped')", name="alerts_status"
        ),
    )
    op.create_index(
        "alerts_open",
        "alerts",
        ["created_at"],
        postgresql_where=sa.text("status IN ('pending', 'failed')"),
    )
