"""Evidence on the source's pixels, some slices at a time, is that of the whole volume at once."""

from dataclasses import replace

import numpy as np
import pytest

from camlucida.dicom.writing import source_grid
from camlucida.dicom.writing.source_grid import evidence_slices, level, unit_word
from camlucida.rendering.upsample import to_pixel_grid


@pytest.mark.parametrize("at_once", [1, 5, 16, 100])
def test_slices_are_those_of_the_whole(cases, monkeypatch, at_once):
    monkeypatch.setattr(source_grid, "AT_ONCE", at_once)
    saliency_map = cases("oblique CT").material.explanation.saliency_map
    whole = to_pixel_grid(saliency_map.values[0], saliency_map.geometry)
    slices = np.stack(list(evidence_slices(saliency_map, 0)))
    np.testing.assert_allclose(slices, whole, rtol=0, atol=1e-6)  # axes in another order: other roundings


def test_the_level_is_half_of_the_highest_evidence(case):
    saliency_map = case.material.explanation.saliency_map
    whole = to_pixel_grid(saliency_map.values[0], saliency_map.geometry)
    assert level(saliency_map, 0) == pytest.approx(whole.max() / 2, rel=1e-6)
    assert level(saliency_map, 1) is None  # all of it argues against the finding


def test_a_map_that_is_the_same_for_all_findings_has_no_level(cases):
    saliency_map = cases("radiograph").material.explanation.saliency_map
    assert level(replace(saliency_map, method="eigen-cam"), 0) is None


def test_a_unit_is_named(cases, relative):
    case = cases("radiograph")
    assert unit_word(case.material.explanation.saliency_map) == "logits per cell"
    assert unit_word(relative(case).material.explanation.saliency_map) == "without a unit"
