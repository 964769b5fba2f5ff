"""The worklist: a line a study, made of the other tables, with indices by all that it is sorted by.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

from camlucida.store.dialects import Binary
from camlucida.store.migrations import triggers

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SORTED_BY = ("patient", "study_date", "description", "modality", "images", "state", "strongest")

OF_IMAGE = "SELECT study_id FROM images WHERE id = {}.image_id"
OF_FLAG = (
    "SELECT study_id FROM images JOIN explanations ON image_id = images.id "
    "WHERE explanations.id = NEW.explanation_id"
)
OF_MODEL = (
    "SELECT DISTINCT study_id FROM explanations JOIN images ON images.id = image_id "
    "WHERE model_digest = NEW.digest"
)
# The event, its table, the studies that it changes. An OR IGNORE would be overruled by the statement's own.
TRIGGERS = {
    "studies_added": ("INSERT", "studies", "SELECT NEW.id AS study_id"),
    "studies_changed": ("UPDATE", "studies", "SELECT NEW.id AS study_id"),
    "images_added": ("INSERT", "images", "SELECT NEW.study_id AS study_id"),
    "images_changed": ("UPDATE OF superseded, modality", "images", "SELECT NEW.study_id AS study_id"),
    "explanations_added": ("INSERT", "explanations", OF_IMAGE.format("NEW")),
    "explanations_changed": ("UPDATE OF state", "explanations", OF_IMAGE.format("NEW")),
    "predictions_added": ("INSERT", "predictions", OF_IMAGE.format("NEW")),
    "predictions_removed": ("DELETE", "predictions", OF_IMAGE.format("OLD")),
    "flags_added": ("INSERT", "flags", OF_FLAG),
    "models_changed": ("UPDATE OF current", "models", OF_MODEL),
}
CHANGED = {"models_changed": "OLD.current <> NEW.current"}


def upgrade() -> None:
    """Go one revision forward."""
    op.create_index("ix_studies_patient_id", "studies", ["patient_id"])
    _lines()
    _findings()
    op.create_table(
        "worklist_changes",
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("study_id"),
    )
    for name, (event, table, studies) in TRIGGERS.items():
        fresh = f"SELECT * FROM ({studies}) AS changed EXCEPT SELECT * FROM worklist_changes"  # noqa: S608 - ours
        into = f"INSERT INTO worklist_changes {fresh}"
        triggers.follow(f"worklist_{name}", event, table, into, CHANGED.get(name, ""))
    op.execute("INSERT INTO worklist_changes SELECT id FROM studies")  # those of before


def _lines() -> None:
    sorted_by = ("patient", "study_date", "description", "modality", "state")
    op.create_table(
        "worklist",
        sa.Column("study_id", sa.Integer(), nullable=False),
        *(sa.Column(name, Binary(), nullable=False) for name in sorted_by),
        sa.Column("patient_id", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("strongest", sa.Double(), nullable=False),
        sa.Column("reported", sa.Boolean(), nullable=False),
        sa.Column("flagged", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("study_id"),
    )
    for name in SORTED_BY:
        op.create_index(f"ix_worklist_{name}", "worklist", [name, "study_id"])


def _findings() -> None:
    op.create_table(
        "worklist_findings",
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("name", Binary(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("operating_point", sa.Double(), nullable=True),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("reported", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("study_id", "name"),
        sqlite_with_rowid=False,
    )
    columns = ["name", "probability", "study_id", "reported"]
    op.create_index("ix_worklist_findings_name", "worklist_findings", columns)


def downgrade() -> None:
    """Go one revision back."""
    for name, (_, table, _) in TRIGGERS.items():
        triggers.drop(f"worklist_{name}", table)
    for table in ("worklist_changes", "worklist_findings", "worklist"):
        op.drop_table(table)
    op.drop_index("ix_studies_patient_id", "studies")
