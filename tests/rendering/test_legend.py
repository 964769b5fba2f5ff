"""The overlay with its legend: what is drawn where, and what the words say."""

from dataclasses import replace

import numpy as np
import pytest

from camlucida.errors import InputError
from camlucida.records import (
    Explanation,
    Finding,
    FindingTrust,
    HeadKind,
    Image,
    Patient,
    Photometric,
    Prediction,
    Provenance,
    SaliencyMap,
    Source,
    TrustReport,
    Unit,
    Window,
)
from camlucida.records.geometry import Geometry, resizing
from camlucida.records.method_name import EXPLAINS_NO_FINDING
from camlucida.rendering import legend
from camlucida.rendering.legend import (
    NO_EVIDENCE,
    NOTICE,
    OUTLINE,
    PANEL,
    legible,
    most_evidence,
    picture,
)


def explained(image, values, *, unit=Unit.LOGIT, operating_point=0.5, name="Effusion", method="grad-cam++"):
    values = np.asarray(values, np.float32)[np.newaxis]
    native = values.shape[1:]
    geometry = Geometry(native, image.space, resizing(image.space, native), image.spacing)
    return Explanation(
        Prediction((Finding("Other"), Finding(name, None, operating_point)), (0.0, 1.25), (0.5, 0.777)),
        SaliencyMap((name,), values, (1.25,), (-0.5,), (0.125,), method, "features.relu", geometry, unit),
        TrustReport(HeadKind.LINEAR, 1e-6, (FindingTrust(0.0, 0.1, 0.0, "All of the logit is explained."),)),
        Provenance(
            "p", "i", "m", "chest", "2.1", method, "", "features.relu", "logit", "1", "2", "f", "c", ""
        ),
    )


def radiograph(shape=(200, 160), **given):
    values = np.full(shape, 100, np.uint8)
    return Image(values, windows=(Window(128, 256),), **given)


@pytest.fixture
def words(monkeypatch):
    """All text that is drawn, joined by blanks, as a reader sees it."""
    said = []
    line = legend._Line.draw
    monkeypatch.setattr(
        legend._Line,
        "draw",
        lambda self, *at: (said.append(f"{self.text} {self.right}".strip()), line(self, *at)),
    )
    return lambda: " ".join(said)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((200, 160), (614, 768)),
        ((3000, 2500), (853, 1024)),
        ((1, 1), (768, 768)),
        ((64, 640), (768, 77)),
        ((900, 30), (30, 900)),
    ],
)
def test_the_long_edge_of_the_image_is_bounded_both_ways(shape, size):
    image = radiograph(shape)
    drawn = picture(image, explained(image, np.ones((3, 3))), 0)
    assert drawn.width == size[0] + PANEL
    assert drawn.height >= size[1]
    assert drawn.mode == "RGB"


def test_pixels_that_are_not_square_are_drawn_in_proportion():
    image = radiograph((100, 100), spacing=(2.0, 1.0))
    drawn = picture(image, explained(image, np.ones((2, 2))), 0)
    assert (drawn.width - PANEL, drawn.height) == (384, 768)


def test_colour_is_where_the_evidence_is_and_the_rest_is_the_image():
    image = radiograph((768, 768))
    values = np.zeros((8, 8))
    values[2, 5] = 9.0
    pixels = np.asarray(picture(image, explained(image, values), 0))
    coloured = (pixels[:, :768] != 100).any(axis=-1)
    rows, columns = np.nonzero(coloured)
    assert abs(rows.mean() - (2.5 * 96 - 0.5)) < 1
    assert abs(columns.mean() - (5.5 * 96 - 0.5)) < 1
    assert rows.max() - rows.min() < 2 * 96
    assert np.ptp(pixels[240, 528].astype(int)) > 30


def test_the_legend_says_all_that_is_known(words):
    image = radiograph()
    picture(image, explained(image, [[2.0, -0.5], [0.25, 0.0]]), 0)
    for part in (
        "Effusion",
        "Probability 0.777",
        "Operating point reached: reported 0.500",
        "for +2.25",
        "against -0.50",
        "bias -0.50",
        "residual (not explained) +0.12",
        "sum: the finding's logit +1.25",
        "logits per cell",
        "Model: chest 2.1",
        "Method: Grad-CAM++, layer features.relu",
        "Native grid: 2 x 2 cells of 100 x 80 pixels",
        "All of the logit is explained.",
        NOTICE,
    ):
        assert part in words()
    assert NO_EVIDENCE not in words()
    assert "Slice" not in words()


def test_no_supporting_evidence_is_said_and_nothing_is_coloured(words):
    image = radiograph((768, 768))
    pixels = np.asarray(picture(image, explained(image, -np.ones((3, 3))), 0))
    assert NO_EVIDENCE in words()
    assert np.unique(pixels[:, :768]).tolist() == [100]


def test_a_relative_map_has_no_numbers_in_logits(words):
    image = radiograph()
    picture(image, explained(image, np.ones((2, 2)), unit=Unit.RELATIVE), 0)
    assert "This method's map has no unit" in words()
    assert "Colour, inferno: relative: no unit" in words()
    assert "residual" not in words()


def test_below_and_without_operating_point(words):
    image = radiograph()
    picture(image, explained(image, np.ones((2, 2)), operating_point=0.9), 0)
    assert "Operating point not reached 0.900" in words()
    picture(image, explained(image, np.ones((2, 2)), operating_point=None), 0)
    assert "The model has no operating point for it." in words()


def test_sizes_of_cells_are_in_mm_where_the_image_says(words):
    image = radiograph(spacing=(0.5, 0.25))
    picture(image, explained(image, np.ones((2, 2))), 0)
    assert "cells of 50 x 20 mm" in words()


def test_nothing_of_the_patient_is_on_it(words):
    patient = Patient("Doe^Jane", "ID-4711", "19600102", "F", "066Y")
    plain, named = radiograph(), radiograph(source=Source(patient=patient, accession_number="A-99"))
    explanation = explained(plain, np.ones((2, 2)))
    assert picture(plain, explanation, 0).tobytes() == picture(named, explanation, 0).tobytes()
    assert "Doe" not in words()


def volume():
    values = np.zeros((10, 30, 30), np.int16)
    values += (10 * np.arange(10, dtype=np.int16))[:, np.newaxis, np.newaxis]
    return Image(values, windows=(Window(128, 256),), spacing=(5.0, 1.0, 1.0))


def test_of_a_volume_the_slice_with_most_evidence_is_shown(words):
    values = np.zeros((5, 3, 3))
    values[3, 1, 1] = 0.01
    values[0] = -50
    explanation = explained(volume(), values)
    assert most_evidence(explanation, 0) in {6, 7}
    picture(volume(), explanation, 0)
    assert f"Slice {most_evidence(explanation, 0) + 1} of 10" in words()


def test_a_slice_that_is_asked_for_is_shown_with_its_part_of_the_map(words):
    values = np.zeros((5, 3, 3))
    values[4, 0, 0] = 9
    explanation = explained(volume(), values)
    first = np.asarray(picture(volume(), explanation, 0, slice_index=0))
    last = np.asarray(picture(volume(), explanation, 0, slice_index=9))
    assert "Slice 1 of 10" in words()
    assert np.unique(first[:, :768]).tolist() == [0]
    assert np.ptp(last[10, 10].astype(int)) > 0
    assert last[700, 700].tolist() == [90, 90, 90]
    with pytest.raises(InputError, match=r"There is no slice 10; the volume has 10, counted from 0\."):
        picture(volume(), explanation, 0, slice_index=10)


def test_without_evidence_the_middle_slice_is_shown():
    assert most_evidence(explained(volume(), -np.ones((5, 3, 3))), 0) == 5


def test_colour_photographs_and_chosen_windows():
    values = np.zeros((50, 50, 3), np.uint8)
    values[..., 0] = 200
    image = Image(values, Photometric.RGB)
    drawn = picture(image, explained(image, np.zeros((2, 2))), 0)
    assert drawn.getpixel((10, 10)) == (200, 0, 0)
    grey = radiograph()
    drawn = picture(grey, explained(grey, np.zeros((2, 2))), 0, window=Window(50, 2))
    assert drawn.getpixel((10, 10)) == (255, 255, 255)


def test_jet_is_called_misleading(words):
    image = radiograph()
    picture(image, explained(image, np.ones((2, 2))), 0, colour_map="jet")
    assert "jet (misleading)" in words()


def test_long_names_and_layers_stay_on_the_panel(words):
    image = radiograph()
    name = "Atelectasis or any other reduction of the volume of a lobe " + 60 * "x"
    explanation = explained(image, np.ones((2, 2)), name=name)
    drawn = picture(image, explanation, 0)
    edge = np.asarray(drawn)[:, -legend.MARGIN + 2 :]
    assert (edge == legend.BACKGROUND).all()
    assert "Atelectasis or any other" in words()


def test_a_map_of_a_finding_that_the_prediction_lacks_is_drawn_without_probability(words):
    image = radiograph()
    explanation = explained(image, np.ones((2, 2)))
    picture(image, replace(explanation, prediction=Prediction((), (), ())), 0)
    assert "Probability" not in words()
    assert "Effusion" in words()


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("Épanchement à gauche", "Epanchement a gauche"),
        ("7 × 7 ≥ −1 µm", "7 x 7 >= -1 um"),
        ("胸水 x", "?? x"),
    ],
)
def test_letters_that_the_font_lacks_are_replaced(text, drawn):
    assert legible(text) == drawn


def test_the_same_numbers_give_the_same_picture():
    image = radiograph()
    explanation = explained(image, np.arange(9.0).reshape(3, 3) / 9)
    assert picture(image, explanation, 0).tobytes() == picture(image, explanation, 0).tobytes()


def test_a_map_that_is_the_same_for_all_findings_says_so(words):
    image = radiograph()
    picture(image, explained(image, np.ones((2, 2)), method="eigen-cam", unit=Unit.RELATIVE), 0)
    assert EXPLAINS_NO_FINDING in words()
    picture(image, explained(image, np.ones((2, 2))), 0)
    assert words().count(EXPLAINS_NO_FINDING) == 1


def test_a_contrast_names_both_findings_and_the_difference(words):
    image = radiograph()
    whole = explained(image, np.ones((2, 2)))
    held = replace(whole, saliency_map=replace(whole.saliency_map, contrasts=("Other",)))
    picture(image, held, 0)
    assert "Effusion rather than Other" in words()
    assert "sum: the logits' difference +1.25" in words()
    assert "Probability 0.777" in words()


def test_zones_draw_the_outline_and_count_the_shares(words):
    values = np.zeros((200, 160), np.uint16)
    values[30:180, 40:120] = 3000
    image = Image(values)
    explanation = explained(image, np.ones((4, 4), np.float32))
    trust = replace(explanation.trust.findings[0], outside_share=0.44, corner_share=0.25)
    explanation = replace(explanation, trust=replace(explanation.trust, findings=(trust,)))
    outlined = (np.asarray(picture(image, explanation, 0, zones=True)) == OUTLINE).all(axis=2)
    assert outlined.any()
    rows, columns = np.nonzero(outlined)
    scale = 768 / 200
    assert rows.min() == pytest.approx(30 * scale, abs=4 * scale)
    assert columns.max() == pytest.approx(120 * scale, abs=4 * scale)
    said = words()
    assert "outside the body" in said
    assert "44%" in said
    plain = np.asarray(picture(image, explanation, 0))
    assert not (plain == OUTLINE).all(axis=2).any()
