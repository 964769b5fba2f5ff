from dataclasses import replace

import numpy as np
import pytest

from camlucida.evaluation.report.case_picture import MARK, case_picture, evidence
from camlucida.records import Geometry, SaliencyMap
from camlucida.records.geometry import resizing


def saliency_map(values, pixels):
    """One finding, A, whose map covers the whole image."""
    native = values.shape
    geometry = Geometry(native, pixels, resizing(pixels, native))
    return SaliencyMap(("A",), values[None], (0.0,), (0.0,), (0.0,), "grad-cam", "layer", geometry)


@pytest.fixture
def film(observed):
    """100 × 80 pixels, black, with evidence in the lower left cell of 2 × 2."""
    values = np.array([[0, 0], [5, 0]], np.float32)
    return replace(
        observed(0.0),
        maps={"grad-cam": saliency_map(values, (100, 80))},
        thumbnail=np.zeros((50, 40), np.uint8),
    )


def test_colour_lies_where_the_evidence_is(film):
    drawn = case_picture(film, "A", "grad-cam").picture
    assert drawn.shape == (50, 40, 3)
    assert drawn[40, 8].max() > 80
    assert not drawn[:10].any()
    assert not drawn[:, 32:].any()


def test_a_volume_shows_the_evidence_of_its_slice(film):
    values = np.zeros((2, 2, 2), np.float32)
    values[1, 0, 1] = 5
    volume = replace(film, maps={"grad-cam": saliency_map(values, (8, 100, 80))})
    shown = evidence(replace(volume, slice_index=6), "grad-cam", "A")
    assert np.unravel_index(shown.argmax(), shown.shape)[0] < 25
    assert shown.max() == pytest.approx(5)
    assert not evidence(replace(volume, slice_index=0), "grad-cam", "A").any()


def test_a_mark_is_drawn_by_its_edge_only(film):
    marked = np.zeros((100, 80), bool)
    marked[20:60, 20:60] = True
    drawn = case_picture(film, "A", "grad-cam", marked=marked).picture
    outline = (drawn == MARK).all(axis=-1)
    assert outline[10, 10:30].all()
    assert outline[10:30, 10].all()
    assert not outline[12:28, 12:28].any()
    assert outline.sum() == 4 * 20 - 4
