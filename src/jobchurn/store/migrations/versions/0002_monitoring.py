"""Monitoring: drift windows, the state of alert rules, the request log, runs of jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("arrivals", sa.Column("arrived_at", MOMENT))
    _alert_states()
    _drift()
    _request_log()
    _job_runs()


def _alert_states() -> None:
    op.create_table(
        "alert_states",
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("error", sa.Text),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("told_at", MOMENT),
        sa.Column("evaluated_at", MOMENT, nullable=False),
        sa.CheckConstraint("state IN ('ok', 'pending', 'firing')", name="alert_states_state"),
    )


def _drift() -> None:
    op.create_index(
        "predictions_windows", "predictions", ["source", "model_version", "created_at", "id"]
    )
    op.create_table(
        "drift_windows",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("last_id", sa.BigInteger, nullable=False),
        sa.Column("unseen", sa.BigInteger, nullable=False),
        sa.Column("decision", sa.SmallInteger, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
        sa.UniqueConstraint(
            "source", "model_version", "last_at", "last_id", name="drift_windows_end_key"
        ),
        sa.CheckConstraint("decision IN (0, 1, 2)", name="drift_windows_decision"),
    )
    op.create_index("drift_windows_last_at", "drift_windows", ["last_at"])
    op.create_table(
        "drift_metrics",
        sa.Column("window_id", sa.BigInteger, sa.ForeignKey("drift_windows.id"), primary_key=True),
        sa.Column("feature", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("test", sa.Text),
        sa.Column("statistic", sa.Double),
        sa.Column("p_value", sa.Double),
        sa.Column("missing_p_value", sa.Double),
        sa.Column("p_adjusted", sa.Double, nullable=False),
        sa.Column("effect", sa.Double),
        sa.Column("psi", sa.Double),
        sa.Column("missing", sa.Double, nullable=False),
        sa.Column("missing_baseline", sa.Double, nullable=False),
        sa.Column("mean", sa.Double),
        sa.Column("shift", sa.Double),
        sa.Column("decision", sa.SmallInteger, nullable=False),
        sa.CheckConstraint("decision IN (0, 1, 2)", name="drift_metrics_decision"),
    )


def _request_log() -> None:
    op.create_table(
        "request_log",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("route", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("waiting", sa.Integer, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
    )
    op.create_index("request_log_at", "request_log", ["at"])
    op.create_index("request_log_route", "request_log", ["route"])


def _job_runs() -> None:
    op.create_table(
        "job_runs",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=False),
        sa.UniqueConstraint("job", "run", name="job_runs_job_run_key"),
        sa.CheckConstraint("outcome IN ('success', 'quiet', 'failed')", name="job_runs_outcome"),
    )
    op.create_index("job_runs_finished_at", "job_runs", ["finished_at"])
