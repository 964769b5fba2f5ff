"""What came of flags.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

REFUSAL = "resolutions of flags are only added, never changed"


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
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER flag_resolutions_refuse_{change.lower()} "
                f"BEFORE {change} ON flag_resolutions "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION flag_resolutions_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER flag_resolutions_refuse BEFORE UPDATE OR DELETE ON flag_resolutions "
        "FOR EACH ROW EXECUTE FUNCTION flag_resolutions_refuse()"
    )


def downgrade() -> None:
    """Go one revision back."""
    op.drop_table("flag_resolutions")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION flag_resolutions_refuse()")
