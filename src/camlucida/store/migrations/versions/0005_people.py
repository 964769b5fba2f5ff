"""People: users with roles, and what each access token may.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TOKENS = sa.table("access_tokens", sa.column("may_store", sa.Boolean), sa.column("roles", sa.JSON))
STORES, READS = ["reader", "operator"], ["reader"]


def upgrade() -> None:
    """Go one revision forward."""
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("password", sa.String(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "sign_in_tries",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("latest", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    with op.batch_alter_table("visits") as visits:
        visits.add_column(sa.Column("user_id", sa.Integer(), nullable=True))
        visits.create_foreign_key("fk_visits_user_id_users", "users", ["user_id"], ["id"])
        visits.create_index("ix_visits_user_id", ["user_id"])
    _roles_of_tokens()


def _roles_of_tokens() -> None:
    with op.batch_alter_table("access_tokens") as tokens:
        tokens.add_column(sa.Column("roles", sa.JSON(), nullable=False, server_default="[]"))
    for may_store, roles in ((True, STORES), (False, READS)):
        op.execute(TOKENS.update().where(TOKENS.c.may_store == sa.literal(may_store)).values(roles=roles))
    with op.batch_alter_table("access_tokens") as tokens:
        tokens.drop_column("may_store")


def downgrade() -> None:
    """Go one revision back; a token keeps the right to store if it had it."""
    with op.batch_alter_table("access_tokens") as tokens:
        tokens.add_column(sa.Column("may_store", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(
        TOKENS.update()
        .where(sa.cast(TOKENS.c.roles, sa.String).contains('"operator"'))
        .values(may_store=sa.true())
    )
    with op.batch_alter_table("access_tokens") as tokens:
        tokens.drop_column("roles")
    op.execute("DELETE FROM visits WHERE user_id IS NOT NULL")  # without their user they were an admin's
    with op.batch_alter_table("visits") as visits:
        visits.drop_index("ix_visits_user_id")
        visits.drop_constraint("fk_visits_user_id_users", type_="foreignkey")
        visits.drop_column("user_id")
    op.drop_table("sign_in_tries")
    op.drop_table("users")
