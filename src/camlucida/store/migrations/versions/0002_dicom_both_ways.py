"""DICOM both ways: instances as they came, results wanted, deliveries, flags, tokens for programs.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

from camlucida.store.dialects import ByteCount
from camlucida.store.migrations import casefold

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one revision forward."""
    for name in ("superseded", "models_named"):
        op.add_column("images", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("explanations", sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
    _instances()
    _watched_files()
    _orders_and_deliveries()
    _flags()
    op.create_table(
        "access_tokens",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("may_store", sa.Boolean(), nullable=False),
        sa.Column("expires", sa.DateTime(), nullable=True),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("used", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("sha256"),
        sa.UniqueConstraint("name"),
    )
    if op.get_bind().dialect.name == "postgresql":  # SQLite has it of each connection
        op.get_bind().exec_driver_sql(casefold.function())


def _watched_files() -> None:
    op.create_table(
        "watched_files",
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("bytes", ByteCount(), nullable=False),
        sa.Column("modified", ByteCount(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("path"),
    )


def _instances() -> None:
    op.create_table(
        "instances",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("content_digest", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("bytes", ByteCount(), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("transfer_syntax_uid", sa.String(length=64), nullable=False),
        sa.Column("header", sa.JSON(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("conflicting", sa.Boolean(), nullable=False),
        sa.Column("intent", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("explanation_id", sa.Integer(), nullable=True),
        sa.Column("received", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["explanation_id"], ["explanations.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sop_instance_uid", "content_digest"),
    )
    for column in (
        "sop_instance_uid",
        "digest",
        "study_instance_uid",
        "series_instance_uid",
        "intent",
        "explanation_id",
    ):
        op.create_index(f"ix_instances_{column}", "instances", [column])
    op.create_index(
        "ix_instances_shown",
        "instances",
        ["study_instance_uid", "series_instance_uid", "id"],
        sqlite_where=sa.text("conflicting = 0"),
        postgresql_where=sa.text("NOT conflicting"),
    )


def _orders_and_deliveries() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("explanation_id", sa.Integer(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["explanation_id"], ["explanations.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("explanation_id", "profile", "destination"),
    )
    op.create_index("ix_orders_explanation_id", "orders", ["explanation_id"])
    op.create_index("ix_orders_state", "orders", ["state"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instance_id", sa.Integer(), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due", sa.DateTime(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("finished", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("instance_id", "destination"),
    )
    op.create_index("ix_deliveries_instance_id", "deliveries", ["instance_id"])
    op.create_index("ix_deliveries_state", "deliveries", ["state"])


def _flags() -> None:
    op.create_table(
        "flags",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("explanation_id", sa.Integer(), nullable=False),
        sa.Column("finding", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("view", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["explanation_id"], ["explanations.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_flags_explanation_id", "flags", ["explanation_id"])


def downgrade() -> None:
    """Go one revision back."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION casefold(text)")
    for table in ("flags", "access_tokens", "deliveries", "orders", "watched_files", "instances"):
        op.drop_table(table)
    op.drop_column("explanations", "attempts")
    op.drop_column("images", "models_named")
    op.drop_column("images", "superseded")
