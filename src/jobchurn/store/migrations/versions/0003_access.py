"""Access and forgetting: the API's keys, and what was removed of people who asked for it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary, nullable=False),
        sa.Column("requests_per_minute", sa.Integer),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.Column("last_used_at", MOMENT),
        sa.CheckConstraint("length(secret_sha256) = 32", name="api_keys_secret_sha256"),
        sa.CheckConstraint("cardinality(scopes) > 0", name="api_keys_scopes"),
        sa.CheckConstraint("requests_per_minute > 0", name="api_keys_requests_per_minute"),
    )
    op.create_index(
        "api_keys_name",
        "api_keys",
        ["name"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "redactions",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("run_id", sa.Text, sa.ForeignKey("arrivals.run_id")),
        sa.Column("file", sa.Text),
        sa.Column("sha256_before", sa.Text),
        sa.Column("sha256_after", sa.Text),
        sa.Column("rows", sa.BigInteger, nullable=False),
    )
