"""What came of flags.

Revision ID: 0008
"""

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one revision forward."""


def downgrade() -> None:
    """Go one revision back."""
