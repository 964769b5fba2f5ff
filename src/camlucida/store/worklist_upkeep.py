"""The worklist's tables follow the others: each transaction that changed a study writes its line anew.

Triggers (migration 0004) note in `worklist_changes` which studies a statement touched, whoever ran it; before
a transaction is kept, `bring_up_to_date` makes the lines of these studies from what the other tables say.
"""

import json
import unicodedata
from collections.abc import Mapping

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.orm import Session

UNBIDDEN = "grad-cam"
"""The method that the station explains by: one that a reader asks for later does not make a study wait."""

CHANGED = text("SELECT 1 FROM worklist_changes LIMIT 1")
WORDS = text(
    "SELECT id, patient_name, patient_id, accession_number, description "
    "FROM studies JOIN worklist_changes ON studies.id = study_id"
)

# Both databases run the same statements, but for the words in capitals: see SQLITE and POSTGRESQL.
# THEN JOIN: SQLite keeps the order, from the few studies that have changed to their images.
FINDINGS = """
INSERT INTO worklist_findings (study_id, name, model, operating_point, probability, reported)
SELECT study_id, name, model, operating_point, probability, reaches > 0 FROM (
  SELECT images.study_id, predictions.name, models.name AS model, operating_point, probability,
         max(CASE WHEN probability >= operating_point THEN 1 ELSE 0 END) OVER said AS reaches,
         row_number() OVER (said ORDER BY probability DESC, predictions.id) AS place
  FROM worklist_changes
  THEN JOIN images ON images.study_id = worklist_changes.study_id AND NOT images.superseded
  THEN JOIN predictions ON predictions.image_id = images.id
  THEN JOIN models ON models.digest = predictions.model_digest AND models.current
  WINDOW said AS (PARTITION BY images.study_id, predictions.name)
) AS ranked WHERE place = 1
"""

LINES = """
INSERT INTO worklist (study_id, patient, patient_id, study_date, description, words, modality,
                      images, state, strongest, reported, flagged)
SELECT studies.id, THE PATIENT, patient_id, study_date || study_time, THE DESCRIPTION, THE WORDS,
  coalesce((SELECT THE MODALITIES FROM images
            WHERE study_id = studies.id AND NOT superseded AND modality <> ''), ''),
  (SELECT count(*) FROM images WHERE study_id = studies.id AND NOT superseded),
  coalesce((SELECT CASE WHEN count(*) FILTER (WHERE state = 'wanted') > 0 THEN 'waiting'
                        WHEN count(*) FILTER (WHERE state = 'done') > 0 THEN 'explained'
                        WHEN count(*) FILTER (WHERE state = 'failed') > 0 THEN 'failed' ELSE 'refused' END
            FROM images THEN JOIN explanations ON image_id = images.id
            THEN JOIN models ON models.digest = model_digest AND current
            WHERE study_id = studies.id AND NOT superseded
            GROUP BY method = 'THE UNBIDDEN' ORDER BY method = 'THE UNBIDDEN' DESC LIMIT 1), 'refused'),
  coalesce((SELECT max(probability) FROM worklist_findings WHERE study_id = studies.id), -1),
  EXISTS (SELECT 1 FROM worklist_findings WHERE study_id = studies.id AND reported),
  EXISTS (SELECT 1 FROM images THEN JOIN explanations ON image_id = images.id
          THEN JOIN flags ON explanation_id = explanations.id WHERE study_id = studies.id)
FROM worklist_changes THEN JOIN studies ON studies.id = worklist_changes.study_id THE FOLDED
"""

SQLITE = {
    "THEN JOIN": "CROSS JOIN",
    "THE PATIENT": "folded(patient_name)",
    "THE DESCRIPTION": "folded(description)",
    "THE WORDS": "folded(patient_name || ' ' || patient_id || ' ' || accession_number || ' ' || description)",
    "THE MODALITIES": "replace(group_concat(DISTINCT modality), ',', '/')",
    "THE FOLDED": "",
}
POSTGRESQL = {
    "THEN JOIN": "JOIN",
    "THE PATIENT": "folded.patient",
    "THE DESCRIPTION": "folded.description",
    "THE WORDS": "folded.words",
    "THE MODALITIES": "string_agg(DISTINCT modality, '/')",
    "THE FOLDED": "JOIN json_to_recordset(CAST(:folded AS json)) "
    "AS folded(id int, patient text, description text, words text) ON folded.id = studies.id",
}


def _statements(said: Mapping[str, str]) -> list[TextClause]:
    texts = [
        "DELETE FROM worklist_findings WHERE study_id IN (SELECT study_id FROM worklist_changes)",
        "DELETE FROM worklist WHERE study_id IN (SELECT study_id FROM worklist_changes)",
        FINDINGS,
        LINES,
        "DELETE FROM worklist_changes",
    ]
    for word, meant in {**said, "THE UNBIDDEN": UNBIDDEN}.items():
        texts = [one.replace(word, meant) for one in texts]
    return [text(one) for one in texts]


STATEMENTS = {"sqlite": _statements(SQLITE), "postgresql": _statements(POSTGRESQL)}


def bring_up_to_date(transaction: Session | Connection) -> None:
    """Write the lines of the studies that have changed since the last time."""
    if transaction.execute(CHANGED).first() is None:
        return
    dialect = (
        transaction.get_bind().dialect.name if isinstance(transaction, Session) else transaction.dialect.name
    )
    words = {"folded": json.dumps(_folded(transaction))} if dialect == "postgresql" else {}
    for statement in STATEMENTS[dialect]:
        transaction.execute(statement, words if ":folded" in statement.text else {})


def _folded(transaction: Session | Connection) -> list[dict[str, object]]:
    """The words of the studies that have changed; SQLite calls `folded` by itself, PostgreSQL cannot."""
    return [
        {
            "id": row.id,
            "patient": folded(row.patient_name),
            "description": folded(row.description),
            "words": folded(f"{row.patient_name} {row.patient_id} {row.accession_number} {row.description}"),
        }
        for row in transaction.execute(WORDS)
    ]


def folded(words: str) -> str:
    """Words as they are searched and sorted: without case, accents and the separators of DICOM's names."""
    plain = unicodedata.normalize("NFKD", words.casefold())
    letters = (" " if letter in "^=" else letter for letter in plain if not unicodedata.combining(letter))
    return " ".join("".join(letters).split())
