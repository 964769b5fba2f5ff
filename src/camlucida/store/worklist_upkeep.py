"""The worklist's tables follow the others: each transaction that changed a study writes its line anew.

Triggers (migration 0004) note in `worklist_changes` which studies a statement touched, whoever ran it; before
a transaction is kept, `bring_up_to_date` makes the lines of these studies from what the other tables say.
"""

import unicodedata

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

UNBIDDEN = "grad-cam"
"""The method that the station explains by: one that a reader asks for later does not make a study wait."""

CHANGED = text("SELECT 1 FROM worklist_changes LIMIT 1")

# CROSS JOIN: SQLite keeps the order, from the few studies that have changed to their images.
# Beside max(), SQLite takes the other columns from the row that has the maximum.
FINDINGS = """
INSERT INTO worklist_findings (study_id, name, model, operating_point, probability, reported)
SELECT images.study_id, predictions.name, models.name, predictions.operating_point,
       max(predictions.probability),
       total(predictions.probability >= predictions.operating_point) > 0
FROM worklist_changes
CROSS JOIN images ON images.study_id = worklist_changes.study_id AND NOT images.superseded
CROSS JOIN predictions ON predictions.image_id = images.id
CROSS JOIN models ON models.digest = predictions.model_digest AND models.current
GROUP BY images.study_id, predictions.name
"""

LINES = """
INSERT OR REPLACE INTO worklist (study_id, patient, patient_id, study_date, description, words, modality,
                                 images, state, strongest, reported, flagged)
SELECT studies.id, folded(patient_name), patient_id, study_date || study_time, folded(description),
  folded(patient_name || ' ' || patient_id || ' ' || accession_number || ' ' || description),
  coalesce((SELECT replace(group_concat(DISTINCT modality), ',', '/') FROM images
            WHERE study_id = studies.id AND NOT superseded AND modality <> ''), ''),
  (SELECT count(*) FROM images WHERE study_id = studies.id AND NOT superseded),
  coalesce((SELECT CASE WHEN total(state = 'wanted') THEN 'waiting'
                        WHEN total(state = 'done') THEN 'explained'
                        WHEN total(state = 'failed') THEN 'failed' ELSE 'refused' END
            FROM images CROSS JOIN explanations ON image_id = images.id
            CROSS JOIN models ON models.digest = model_digest AND current
            WHERE study_id = studies.id AND NOT superseded
            GROUP BY method = :unbidden ORDER BY method = :unbidden DESC LIMIT 1), 'refused'),
  coalesce((SELECT max(probability) FROM worklist_findings WHERE study_id = studies.id), -1),
  coalesce((SELECT max(reported) FROM worklist_findings WHERE study_id = studies.id), 0),
  EXISTS (SELECT 1 FROM images CROSS JOIN explanations ON image_id = images.id
          CROSS JOIN flags ON explanation_id = explanations.id WHERE study_id = studies.id)
FROM worklist_changes CROSS JOIN studies ON studies.id = worklist_changes.study_id
"""

STATEMENTS = [
    text("DELETE FROM worklist_findings WHERE study_id IN (SELECT study_id FROM worklist_changes)"),
    text(FINDINGS),
    text(LINES).bindparams(unbidden=UNBIDDEN),
    text("DELETE FROM worklist_changes"),
]


def bring_up_to_date(transaction: Session | Connection) -> None:
    """Write the lines of the studies that have changed since the last time."""
    if transaction.execute(CHANGED).first() is not None:
        for statement in STATEMENTS:
            transaction.execute(statement)


def folded(words: str) -> str:
    """Words as they are searched and sorted: without case, accents and the separators of DICOM's names."""
    plain = unicodedata.normalize("NFKD", words.casefold())
    letters = (" " if letter in "^=" else letter for letter in plain if not unicodedata.combining(letter))
    return " ".join("".join(letters).split())
