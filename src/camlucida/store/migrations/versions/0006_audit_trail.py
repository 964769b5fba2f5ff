"""The audit trail: a hash tree over the events, and its signed checkpoints.

Revision ID: 0006
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from camlucida.store.audit import hash_tree
from camlucida.store.audit.events import content
from camlucida.store.migrations import triggers
from camlucida.store.tables import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

EVENTS = sa.table(
    "events",
    *(sa.column(name) for name in ("key", "kind", "tab", "study_key", "image_key", "explanation_key", "who")),
    sa.column("id", sa.Integer()),
    sa.column("happened", UtcDateTime()),
    sa.column("received", UtcDateTime()),
    sa.column("view", sa.JSON()),
    sa.column("nodes", sa.LargeBinary()),
)
INDICES = ("who", "kind", "happened")
AT_ONCE = 1000


def upgrade() -> None:
    """Go one revision forward."""
    triggers.may_change("events")
    op.add_column(
        "events", sa.Column("nodes", sa.LargeBinary(), nullable=False, server_default=sa.text("''"))
    )
    _take_in()
    op.drop_index("ix_events_study_key", "events")
    for name in ("study_key", *INDICES):
        op.create_index(f"ix_events_{name}", "events", [name, "id"])
    op.create_table(
        "checkpoints",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_checkpoints_size", "checkpoints", ["size"])
    op.create_table(
        "audit_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("verifier", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("verifier"),
    )
    op.create_table(
        "forwarded",
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("destination"),
    )
    for table in ("events", "checkpoints", "audit_keys"):
        triggers.only_grow(table)


def _take_in() -> None:
    """Make the rows of before the first leaves of the tree, numbered from 1 as they came."""
    connection = op.get_bind()
    kept: dict[tuple[int, int], bytes] = {}  # the nodes that later rows may ask for

    def node(level: int, index: int) -> bytes:
        return kept.pop((level, index))

    last = size = 0
    while rows := _after(connection, last):
        for row in rows:
            last = row["id"]
            said = {**row, "id": size + 1}
            hashes = hash_tree.completed(size, hash_tree.leaf(content(said)), node)
            kept[len(hashes) - 1, size >> (len(hashes) - 1)] = hashes[-1]
            taken = {"id": size + 1, "nodes": b"".join(hashes)}
            connection.execute(EVENTS.update().where(EVENTS.c.id == last).values(taken))
            size += 1


def _after(connection: sa.Connection, last: int) -> list[dict[str, Any]]:
    query = sa.select(EVENTS).where(EVENTS.c.id > last).order_by(EVENTS.c.id).limit(AT_ONCE)
    return [dict(row) for row in connection.execute(query).mappings()]


def downgrade() -> None:
    """Go one revision back."""
    triggers.may_change("events")
    op.drop_table("forwarded")
    for table in ("audit_keys", "checkpoints"):
        triggers.may_change(table)
        op.drop_table(table)
    for name in ("study_key", *INDICES):
        op.drop_index(f"ix_events_{name}", "events")
    op.drop_column("events", "nodes")
    op.create_index("ix_events_study_key", "events", ["study_key"])
    triggers.only_grow("events")
