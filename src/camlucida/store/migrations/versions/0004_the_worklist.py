"""The worklist: a line a study, made of the other tables, with indices by all that it is sorted by.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

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
# The event, and the studies that it changes. An OR IGNORE would be overruled by the statement's own.
TRIGGERS = {
    "studies_added": ("INSERT ON studies", "SELECT NEW.id AS study_id"),
    "studies_changed": ("UPDATE ON studies", "SELECT NEW.id AS study_id"),
    "images_added": ("INSERT ON images", "SELECT NEW.study_id AS study_id"),
    "images_changed": ("UPDATE OF superseded, modality ON images", "SELECT NEW.study_id AS study_id"),
    "explanations_added": ("INSERT ON explanations", OF_IMAGE.format("NEW")),
    "explanations_changed": ("UPDATE OF state ON explanations", OF_IMAGE.format("NEW")),
    "predictions_added": ("INSERT ON predictions", OF_IMAGE.format("NEW")),
    "predictions_removed": ("DELETE ON predictions", OF_IMAGE.format("OLD")),
    "flags_added": ("INSERT ON flags", OF_FLAG),
    "models_changed": ("UPDATE OF current ON models WHEN OLD.current <> NEW.current", OF_MODEL),
}


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
    for name, (event, studies) in TRIGGERS.items():
        fresh = f"SELECT * FROM ({studies}) EXCEPT SELECT * FROM worklist_changes"  # noqa: S608 - our own
        op.execute(
            f"CREATE TRIGGER worklist_{name} AFTER {event} BEGIN INSERT INTO worklist_changes {fresh}; END"
        )
    op.execute("INSERT INTO worklist_changes SELECT id FROM studies")  # those of before


def _lines() -> None:
    texts = ("patient", "patient_id", "study_date", "description", "words", "modality", "state")
    op.create_table(
        "worklist",
        sa.Column("study_id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in texts),
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
        sa.Column("name", sa.String(), nullable=False),
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
    for name in TRIGGERS:
        op.execute(f"DROP TRIGGER worklist_{name}")
    for table in ("worklist_changes", "worklist_findings", "worklist"):
        op.drop_table(table)
    op.drop_index("ix_studies_patient_id", "studies")
