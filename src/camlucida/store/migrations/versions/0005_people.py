"""People: users with roles, and what each access token may.

Revision ID: 0005
"""

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one revision forward."""


def downgrade() -> None:
    """Go one revision back."""
