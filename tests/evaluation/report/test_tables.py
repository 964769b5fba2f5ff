import json
from dataclasses import replace

import duckdb
import numpy as np
import pytest

from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.cohort import Cohort, Observed, Refused
from camlucida.evaluation.estimates import Estimated, means
from camlucida.evaluation.intervals import Estimate
from camlucida.evaluation.report.document import Document, Tone, Verdict
from camlucida.evaluation.report.tables import write_json, write_tables
from camlucida.records import Measurement


@pytest.fixture
def cohort(make_explanation, tmp_path):
    """Four cases of three patients; of the last nothing was measured."""
    explanation = make_explanation()

    def observed(number):
        value = None if number == 3 else number / 4
        return Observed(
            case=Case(
                f"film-{number}.png",
                (tmp_path / "film.png",),
                {"Finding 0": number % 2 == 0},
                f"Doe^Jane-{number // 2}" if number < 3 else "Roe",
                {"sex": "F", "name": "Doe^Jane"},
            ),
            prediction=explanation.prediction,
            maps={"grad-cam": explanation.saliency_map},
            measurements=(Measurement(f"film-{number}.png", "Finding 0", "grad-cam", "made.up", value),),
            thumbnail=np.zeros((4, 4), np.uint8),
            embedding=np.zeros(3, np.float32),
        )

    return Cohort("made-up@1", "a" * 64, tuple(map(observed, range(4))), (Refused("broken.dcm", "Damaged."),))


def ask(folder, question):
    with duckdb.connect() as connection:
        return connection.execute(question.replace("@", f"{folder}/")).fetchall()


def test_duckdb_reads_what_is_written(cohort, tmp_path):
    write_tables(tmp_path, cohort, means(cohort.observed), ["sex", "site"])
    assert ask(tmp_path, "SELECT count(*), count(value), sum(value) FROM '@measurements.parquet'") == [
        (4, 3, 0.75)
    ]
    assert ask(tmp_path, "SELECT value, cases, patients, \"group\" FROM '@estimates.parquet'") == [
        (0.25, 3, 2, "")
    ]
    cases = ask(
        tmp_path,
        """SELECT "case", label, reported, sex, site FROM '@cases.parquet'
        WHERE finding = 'Finding 0' ORDER BY 1""",
    )
    reported = cohort.observed[0].prediction.reported(0)
    assert cases[:2] == [
        ("film-0.png", True, reported, "F", None),
        ("film-1.png", False, reported, "F", None),
    ]
    assert ask(tmp_path, "SELECT \"case\", refused FROM '@cases.parquet' WHERE refused IS NOT NULL") == [
        ("broken.dcm", "Damaged.")
    ]


def test_labels_that_are_not_known_are_null(cohort, tmp_path):
    write_tables(tmp_path, cohort, ())
    assert ask(tmp_path, "SELECT count(*), count(label) FROM '@cases.parquet' WHERE refused IS NULL") == [
        (12, 4)
    ]


def test_no_patient_and_no_column_that_nobody_asked_for_is_written(cohort, tmp_path):
    document = Document("t", "s", [("Model", "m")], [Verdict("No.", "AUC 0.5", Tone.BAD)], [])
    paths = (
        *write_tables(tmp_path, cohort, (), ["sex"]),
        write_json(tmp_path / "r.json", document, cohort, ()),
    )
    assert not [path.name for path in paths if b"Doe" in path.read_bytes() or b"Roe" in path.read_bytes()]
    for path in paths[:3]:
        assert "Doe" not in str(ask(tmp_path, "SELECT * FROM '@NAME'".replace("NAME", path.name)))


def test_a_cohort_without_cases_has_tables_too(cohort, tmp_path):
    write_tables(tmp_path, replace(cohort, observed=(), refused=()), ())
    assert ask(tmp_path, "SELECT count(*) FROM '@cases.parquet'") == [(0,)]


def test_the_json_has_the_verdicts_and_what_the_measures_mean(cohort, tmp_path):
    rows = [
        Estimated("classification.auc", "Finding 0", "", "", Estimate(0.5, None, None, 4, 3)),
        Estimated("classification.auc", "Finding 1", "", "", Estimate(float("nan"), None, None, 4, 3, "Why")),
    ]
    document = Document("t", "s", [("Model", "m")], [Verdict("No.", "AUC 0.5", Tone.BAD)], [])
    kept = json.loads(write_json(tmp_path / "report.json", document, cohort, rows).read_text("utf-8"))
    assert kept["verdicts"] == [{"title": "No.", "why": "AUC 0.5", "tone": "bad"}]
    assert (kept["cases"], kept["patients"], kept["refused"][0]["case"]) == (4, 3, "broken.dcm")
    assert kept["measures"]["classification.auc"]["title"] == "AUC"
    assert [row["value"] for row in kept["estimates"]] == [0.5, None]
