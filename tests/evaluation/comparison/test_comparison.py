import numpy as np
import PIL.Image
import pytest

import camlucida
from camlucida.errors import UnsuitableImage
from camlucida.evaluation.catalogue import MEASURES
from camlucida.evaluation.comparison import Comparison, compare
from camlucida.evaluation.comparison.contact_sheet import TILE, contact_sheet
from camlucida.evaluation.comparison.words import HEADINGS, document, table, verdicts
from camlucida.evaluation.data.dataset import read_dataset
from camlucida.evaluation.report.document import Tone
from camlucida.evaluation.report.page import as_html
from camlucida.evaluation.sanity import MethodResult, StepResult
from camlucida.examples.phantom.lesions import FINDINGS
from camlucida.examples.phantom.radiograph import radiograph

pytestmark = pytest.mark.slow
METHODS = ("grad-cam", "gradient", "attention rollout")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two phantoms with an effusion and its box, and a file that is none."""
    folder = tmp_path_factory.mktemp("phantoms")
    rows, boxes = [f"image,{','.join(FINDINGS)}"], ["image,finding,x,y,width,height"]
    for seed in range(2):
        film = radiograph(900 + seed, ["Effusion"], rows=128)
        pixels = (film.values / film.values.max() * 255).astype(np.uint8)
        PIL.Image.fromarray(pixels).save(folder / f"{seed}.png")
        rows.append(f"{seed}.png,{','.join(str(int(name == 'Effusion')) for name in FINDINGS)}")
        row, column = np.nonzero(film.masks["Effusion"])
        boxes.append(f"{seed}.png,Effusion,{column.min()},{row.min()},{np.ptp(column) + 1},{np.ptp(row) + 1}")
    (folder / "broken.png").write_bytes(b"\x89PNG and no more")
    rows.append(f"broken.png,{','.join('0' for _ in FINDINGS)}")
    (folder / "films.csv").write_text("\n".join(rows))
    (folder / "boxes.csv").write_text("\n".join(boxes))
    return folder


@pytest.fixture(scope="module")
def model():
    return camlucida.load_model("phantom-radiograph")


@pytest.fixture(scope="module")
def cases(data):
    return read_dataset(data / "films.csv", FINDINGS, annotations=[data / "boxes.csv"]).cases


@pytest.fixture(scope="module")
def found(model, cases):
    stages = []
    result = compare(model, cases, METHODS, progress=lambda stage, *_: stages.append(stage))
    assert list(dict.fromkeys(stages)) == ["Timing methods", "Explaining cases", "Randomising"]
    return result


def test_all_kinds_of_measures_are_there_for_each_method_that_takes_the_network(found):
    assert found.methods == ("grad-cam", "gradient")
    for method in found.methods:
        topics = {row.measure.partition(".")[0] for row in found.estimates if row.method == method}
        assert topics == {"coherence", "cost", "faithfulness", "localisation"}
    assert {row.measure for row in found.estimates} <= set(MEASURES)
    assert [one.method for one in found.costs if one.error] == ["attention rollout"]
    assert [one.case for one in found.cohort.refused] == ["broken.png"]


def test_a_class_activation_map_is_more_coherent_than_the_gradient_and_costs_less(found):
    value = {(row.method, row.measure): row.estimate.value for row in found.estimates}
    assert value["grad-cam", "coherence.one-region"] > 2 * value["gradient", "coherence.one-region"]
    assert value["grad-cam", "cost.backward"] == 0
    assert value["gradient", "cost.backward"] == len(FINDINGS)


def test_the_table_has_a_row_a_method_and_every_heading(found):
    rows = table(found).rows
    assert [row[0] for row in rows] == ["Grad-CAM", "Gradient"]
    assert all(len(row) == len(HEADINGS) for row in rows)
    assert rows[0][1] in {"pass", "late", "fail"}
    assert "–" not in rows[0]


def test_the_report_names_what_could_not_be_done(found):
    page = as_html(document(found, "films.csv"))
    assert "attention rollout has no maps of this network" in page.casefold()
    assert "broken.png" in page
    assert "others may well turn the order" in page


def test_the_contact_sheet_has_a_row_a_case_and_a_column_a_method(found):
    sheet = contact_sheet(found.cohort.observed, found.methods)
    assert sheet.width > 3 * TILE
    assert sheet.height > 2 * TILE
    assert contact_sheet([], found.methods) is None


def with_sanity(found, passed):
    steps = (StepResult("head", 0.1, 0.0), StepResult("all", 0.1 if passed else 0.9, 0.0))
    results = (MethodResult("grad-cam", 0.5, steps),)
    return Comparison(
        found.cohort,
        found.costs,
        type("Report", (), {"methods": results})(),
        {},
        found.estimates,
        found.overall,
    )


def test_a_method_that_fails_the_randomisation_test_is_named_first(found):
    first = next(iter(verdicts(with_sanity(found, passed=False))))
    assert first.tone is Tone.BAD
    assert first.title.endswith(": Grad-CAM")
    assert all(one.tone is not Tone.BAD for one in verdicts(with_sanity(found, passed=True)))


def test_without_a_single_image_there_is_nothing_to_compare(model, cases):
    broken = [case for case in cases if case.name == "broken.png"]
    with pytest.raises(UnsuitableImage, match="none of the 1 images"):
        compare(model, broken)


def test_sanity_is_left_out_where_it_is_not_asked_for_or_too_dear(model, cases, monkeypatch):
    left = compare(model, cases[:1], ["grad-cam"], sanity=False)
    assert left.sanity is None
    assert left.untested == {"grad-cam": "not asked for"}
    monkeypatch.setattr("camlucida.evaluation.comparison.DEAREST", 0.0)
    dear = compare(model, cases[:2], ["grad-cam"])
    assert "too dear" in dear.untested["grad-cam"]


def test_two_patients_bear_nothing_out(found):
    assert not [one for one in verdicts(found) if one.tone is Tone.GOOD]
    last = list(verdicts(found))[-1]
    assert last.title == "Not decided on these cases: Grad-CAM, Gradient"
