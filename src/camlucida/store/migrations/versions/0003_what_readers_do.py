"""What readers do: what they looked at, whether they agree, where on the image a flag points.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

from camlucida.store.migrations import triggers

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one revision forward."""
    op.add_column("flags", sa.Column("region", sa.JSON(), nullable=True))
    _opinions()
    _events()


def _opinions() -> None:
    op.create_table(
        "opinions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("explanation_id", sa.Integer(), nullable=False),
        sa.Column("finding", sa.String(), nullable=False),
        sa.Column("stance", sa.String(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["explanation_id"], ["explanations.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_opinions_explanation_id", "opinions", ["explanation_id"])


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("happened", sa.DateTime(), nullable=False),
        sa.Column("tab", sa.String(length=32), nullable=False),
        sa.Column("study_key", sa.String(length=64), nullable=False),
        sa.Column("image_key", sa.String(length=64), nullable=False),
        sa.Column("explanation_key", sa.String(length=64), nullable=False),
        sa.Column("view", sa.JSON(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("received", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("ix_events_study_key", "events", ["study_key"])
    triggers.only_grow("events")


def downgrade() -> None:
    """Go one revision back."""
    triggers.may_change("events")
    op.drop_table("events")
    op.drop_table("opinions")
    op.drop_column("flags", "region")
