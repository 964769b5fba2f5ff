"""Jobs: lanes, claims, retries and workers; on PostgreSQL also Procrastinate's queue, fed by a trigger.

Revision ID: 0007
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from camlucida.errors import MissingExtra

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UNBIDDEN = "grad-cam"  # at this revision
TO_QUEUE = """
CREATE FUNCTION explanation_to_queue() RETURNS trigger LANGUAGE plpgsql
SET search_path = procrastinate, public AS $$
BEGIN
  DELETE FROM procrastinate_jobs WHERE queueing_lock = 'explanation ' || NEW.id AND status = 'todo';
  IF NEW.state = 'wanted' AND NEW.claimed_by = '' THEN
    INSERT INTO procrastinate_jobs (queue_name, task_name, priority, queueing_lock, args, scheduled_at)
    VALUES (NEW.lane, 'explain', CASE WHEN NEW.lane LIKE '%interactive' THEN 1 ELSE 0 END,
            'explanation ' || NEW.id, jsonb_build_object('explanation_id', NEW.id),
            NEW.due AT TIME ZONE 'UTC')
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER explanations_to_queue AFTER INSERT OR UPDATE OF state, lane, due, claimed_by ON explanations
FOR EACH ROW EXECUTE FUNCTION explanation_to_queue();
UPDATE explanations SET lane = lane WHERE state = 'wanted';
"""


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
    if op.get_bind().dialect.name == "postgresql":
        _add_procrastinate()


def _add_procrastinate() -> None:
    """Its tables in a schema of their own, and a job in them for each explanation that is wanted and free.

    The database itself does so, in the transaction that wants, gives back or puts off, whoever runs it.
    """
    try:
        from procrastinate.schema import SchemaManager  # noqa: PLC0415 - of the extra that PostgreSQL needs
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "PostgreSQL needs Procrastinate; install it with `pip install camlucida[scaled]`."
        ) from error
    connection = op.get_bind().connection.driver_connection
    assert connection is not None  # noqa: S101 - it is open: the migration runs on it
    before = connection.execute("SHOW search_path").fetchone()[0]
    connection.execute("CREATE SCHEMA procrastinate")
    connection.execute("SET LOCAL search_path = procrastinate")
    connection.execute(SchemaManager.get_schema())
    connection.execute(f"SET LOCAL search_path = {before}")
    connection.execute(TO_QUEUE)


def downgrade() -> None:
    """Go one revision back."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER explanations_to_queue ON explanations")
        op.execute("DROP FUNCTION explanation_to_queue")
        op.execute("DROP SCHEMA procrastinate CASCADE")
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
