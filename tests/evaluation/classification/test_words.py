import numpy as np
import pytest
from scipy.special import expit

from camlucida.evaluation.classification import Answers, answers, classified, one_of_several
from camlucida.evaluation.classification.subgroups import by_group
from camlucida.evaluation.classification.words import classification_section, subgroups_section
from camlucida.evaluation.report.document import Chart, Document, Table
from camlucida.evaluation.report.page import as_html


def made(finding="A", count=150, point=0.5):
    random = np.random.default_rng(len(finding))
    x = 2 * random.normal(size=count)
    reported = None if point is None else expit(x) >= point
    patients = tuple(str(case) for case in range(count))
    return Answers(finding, random.random(count) < expit(x), x, point, reported, patients)


@pytest.fixture(scope="module")
def two():
    return [classified(made("A")), classified(made("BB", point=None))]


def blocks(section, kind):
    return [block for block in (*section.blocks, *section.details) if isinstance(block, kind)]


def test_every_figure_stands_in_its_table(two):
    section = classification_section(two)
    told, calibration, alternative = blocks(section, Table)
    assert told.rows[0][:4] == (
        "A",
        str(two[0].answers.present.sum()),
        str((~two[0].answers.present).sum()),
        two[0].estimates["classification.auc"].text(),
    )
    assert told.rows[0][4] == two[0].stated.sensitivity.text()
    assert told.rows[1][4:] == ("–",) * 4
    assert any("no operating point" in note for note in told.notes)
    assert calibration.rows[1][0] == "BB"
    assert alternative.rows[0][1] == "0.500"
    for table in (told, calibration, alternative):
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_charts_hold_the_interval_of_auc_and_the_reliability_curve(two):
    areas, curves = blocks(classification_section(two), Chart)
    assert areas.labels == ["A", "BB"]
    assert areas.series[0].low[0] == two[0].estimates["classification.auc"].low
    assert [one.name for one in curves.series] == ["A", "BB"]
    assert len(curves.series[0].x) == 10


def test_no_label_at_all_is_said_and_no_table_is_empty():
    section = classification_section([classified(made(count=0))])
    assert "No case says" in section.blocks[0].text


def test_findings_of_which_one_is_the_case_have_their_confusion(observed):
    cases = [
        observed(*logits, labels={"A": which == "A", "B": which == "B"}, patient=str(n), one_of=True)
        for n, (which, logits) in enumerate([("A", (2, 0)), ("A", (0, 2)), ("B", (0, 1))] * 5)
    ]
    section = classification_section([classified(answers(cases, "A"))], one_of_several(cases))
    confusion = next(table for table in blocks(section, Table) if table.columns[0] == "What was the case")
    assert confusion.rows == [("A", "5", "5"), ("B", "0", "5")]
    assert "Accuracy 0.67" in confusion.notes[0]


def test_gaps_stand_before_the_groups_and_small_groups_are_told():
    one = made(count=200)
    sex = ["F", "M"] * 95 + ["X"] * 10
    section = subgroups_section([by_group(one, "sex", sex)])
    gaps, groups = blocks(section, Table)
    assert {row[1] for row in gaps.rows} == {"AUC", "Sensitivity", "Specificity"}
    assert {row[-1] for row in gaps.rows} <= {"yes", "no"}
    assert groups.rows[-1][0] == "sex: X"
    assert groups.rows[-1][3:] == ("–",) * 3
    assert groups.notes[0].startswith("sex: X: Too few")
    assert subgroups_section([]) is None


def test_a_page_is_drawn_of_it(two):
    sections = [classification_section(two), subgroups_section([by_group(made(), "view", ["PA"] * 150)])]
    page = as_html(Document("T", "", [], [], sections))
    assert page.count("<svg") == 2
    assert "No column has two subgroups" in page
