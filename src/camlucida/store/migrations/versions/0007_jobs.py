"""Jobs: lanes, claims, retries and workers.

Revision ID: 0007
"""

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one revision forward."""


def downgrade() -> None:
    """Go one revision back."""
