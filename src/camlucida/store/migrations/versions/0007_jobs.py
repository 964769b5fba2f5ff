"""Jobs: lanes, claims, retries and workers; on PostgreSQL also Procrastinate's queue, fed by a trigger.

Revision ID: 0007
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UNBIDDEN = "grad-cam"  # at this revision


def upgrade() -> None:
    """Go one revision forward."""
    for column in _of_explanations():
        op.add_column("explanations", column)
    for column in _of_models():
        op.add_column("models", column)
    op.create_index("ix_explanations_queue", "explanations", ["state", "lane", "id"])
    op.execute(f"UPDATE explanations SET lane = 'interactive' WHERE method <> '{UNBIDDEN}'")  # noqa: S608 - ours
    op.create_table(
        "workers",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("lanes", sa.String(), nullable=False),
        sa.Column("started", sa.DateTime(), nullable=False),
        sa.Column("seen", sa.DateTime(), nullable=False),
        sa.Column("ended", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("ix_workers_seen", "workers", ["seen"])


def downgrade() -> None:
    """Go one revision back."""
    op.drop_index("ix_workers_seen", "workers")
    op.drop_table("workers")
    op.drop_index("ix_explanations_queue", "explanations")
    for column in _of_models():
        op.drop_column("models", column.name)
    for column in _of_explanations():
        op.drop_column("explanations", column.name)


def _of_explanations() -> list[sa.Column[Any]]:
    return [
        sa.Column("lane", sa.String(), nullable=False, server_default="precompute"),
        sa.Column("due", sa.DateTime(), nullable=True),
        sa.Column("claimed_by", sa.String(), nullable=False, server_default=""),
        sa.Column("claimed_until", sa.DateTime(), nullable=True),
        sa.Column("steps_done", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("steps", sa.Integer(), nullable=False, server_default="0"),
    ]


def _of_models() -> list[sa.Column[Any]]:
    return [
        sa.Column("gpu", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("files", sa.JSON(), nullable=True),
        sa.Column("retired", sa.Boolean(), nullable=False, server_default=sa.false()),
    ]
