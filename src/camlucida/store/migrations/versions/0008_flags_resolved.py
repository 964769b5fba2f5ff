"""What came of flags.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

from camlucida.store.migrations import triggers

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one revision forward."""
    op.create_table(
        "flag_resolutions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("flag_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("model_digest", sa.String(length=64), nullable=True),
        sa.Column("duplicate_of", sa.Integer(), nullable=True),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["flag_id"], ["flags.id"]),
        sa.ForeignKeyConstraint(["model_digest"], ["models.digest"]),
        sa.ForeignKeyConstraint(["duplicate_of"], ["flags.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_flag_resolutions_flag_id", "flag_resolutions", ["flag_id"])
    triggers.only_grow("flag_resolutions")


def downgrade() -> None:
    """Go one revision back."""
    triggers.may_change("flag_resolutions")
    op.drop_table("flag_resolutions")
