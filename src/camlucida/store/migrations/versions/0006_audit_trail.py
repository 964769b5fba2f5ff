"""The audit trail: a hash tree over the events, and its signed checkpoints.

Revision ID: 0006
"""

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one revision forward."""


def downgrade() -> None:
    """Go one revision back."""
