"""Chapters of the report on faithfulness and robustness, from measurements whose answer is known."""

import numpy as np
import pytest

from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.cohort import Observed
from camlucida.evaluation.faithfulness import MEASURES
from camlucida.evaluation.faithfulness.words import faithfulness_section
from camlucida.evaluation.report.document import Chart, Paragraph, Table, Tone
from camlucida.evaluation.robustness.words import robustness_section
from camlucida.records import Measurement


def cohort(values, method="grad-cam", cases=20):
    """Cases of as many patients; `values` gives (key, value) of the case's number."""
    return [
        Observed(
            Case(f"film {number}", (), {}, f"patient {number}"),
            None,
            {},
            tuple(
                Measurement(f"film {number}", "Nodule", method, key, value) for key, value in values(number)
            ),
            np.zeros((4, 4), np.uint8),
            np.zeros(2, np.float32),
        )
        for number in range(cases)
    ]


def faithful(shift):
    def values(number):
        for measure in MEASURES:
            yield measure.key, shift + (number % 5) / 5

    return values


def said(section):
    return [block for block in section.blocks if isinstance(block, Paragraph)][1:]


@pytest.mark.parametrize(
    ("shift", "tone", "words"),
    [
        (1.0, Tone.GOOD, "the network sees what the map shows"),
        (-3.0, Tone.BAD, "worse than chance"),
        (-0.4, Tone.CAUTION, "perhaps no better than chance"),
    ],
)
def test_a_method_is_judged_by_its_interval_beyond_chance(shift, tone, words):
    (one,) = said(faithfulness_section(cohort(faithful(shift))))
    assert one.tone is tone
    assert one.text.startswith(f"Grad-CAM, Nodule: {words}")
    assert "20 images" in one.text


@pytest.mark.parametrize("cases", [1, 9])
def test_few_patients_are_too_few_to_judge(cases):
    (one,) = said(faithfulness_section(cohort(faithful(1.0), cases=cases)))
    assert one.tone is Tone.CAUTION
    assert "too few images" in one.text


def test_chance_is_a_row_and_a_bar_and_is_not_judged():
    section = faithfulness_section([*cohort(faithful(1.0)), *cohort(faithful(0.0), "chance")])
    assert len(said(section)) == 1
    table = next(block for block in section.blocks if isinstance(block, Table))
    assert [row[1] for row in table.rows] == ["Grad-CAM", "chance"]
    assert "0 %, the best there is" in " ".join(table.notes)
    chart = next(block for block in section.blocks if isinstance(block, Chart))
    assert list(chart.labels) == ["Grad-CAM, Nodule", "chance, Nodule"]
    assert chart.series[0].x == pytest.approx([1.4, 0.4])


def test_every_measure_stands_in_a_table():
    section = faithfulness_section(cohort(faithful(0.0)))
    shown = {
        column for block in (*section.blocks, *section.details) for column in getattr(block, "columns", ())
    }
    for measure in MEASURES:
        assert {measure.title, f"{measure.title} ({measure.unit})"} & shown, measure.key


def test_robustness_says_which_change_the_model_does_not_stand():
    def values(number):
        for kind in ("window", "noise"):
            yield f"robustness.{kind}-logit", (0.795 if kind == "window" else 0.1) + number / 100
            yield f"robustness.{kind}-ssim", 0.9 - number / 50
            yield f"robustness.{kind}-rank", None if number % 2 else 0.7

    section = robustness_section(cohort(values))
    (one,) = said(section)
    assert one.text.startswith("Nodule: window moves the logit by 0.89")
    logits, alike, together = (block for block in section.blocks if isinstance(block, Table))
    assert list(logits.columns) == ["Finding", "Method", "Cases", "Window", "Noise"]
    assert alike.rows[0][-1].startswith("0.71")
    assert float(together.rows[0][-1].split()[0]) > 0
    (ranks,) = section.details
    assert ranks.rows[0][2:] == ("10", "0.70", "0.70")


@pytest.mark.parametrize("section", [faithfulness_section, robustness_section])
def test_without_anything_measured_the_chapter_says_why(section):
    (one,) = section([]).blocks
    assert one.tone is Tone.CAUTION
