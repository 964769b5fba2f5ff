"""Shades of evidence: shares of the fixed scale, said to be attribution, valid, of bounded size."""

from dataclasses import replace

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread

from camlucida.dicom.writing import fractional_segmentation
from camlucida.dicom.writing.material import to_bytes
from camlucida.rendering.scale import scale_of
from camlucida.rendering.upsample import to_pixel_grid
from dicom.validation import errors_beyond, inconsistencies


def shades(material, finding):
    saliency_map = material.explanation.saliency_map
    evidence = to_pixel_grid(saliency_map.values[finding], saliency_map.geometry)
    share = np.clip(evidence / scale_of(saliency_map, finding), 0, 1)
    return np.floor(255 * share + 0.5).astype(np.uint8).reshape(-1, *evidence.shape[-2:])


def test_it_is_valid_and_consistent_with_its_source(case, saved):
    paths = saved(fractional_segmentation.write(case.material))
    assert errors_beyond(paths[0], case.paths) == []
    assert inconsistencies(paths, case.paths) == []


def test_it_is_the_same_whenever_it_is_written(case):
    once, again = (to_bytes(fractional_segmentation.write(case.material)[0]) for _ in range(2))
    assert once == again


def test_values_are_shares_of_the_scale(case, saved):
    (path,) = saved(fractional_segmentation.write(case.material))
    expected = shades(case.material, 0)
    kept = np.flatnonzero(expected.any(axis=(1, 2)))
    frames = hd.seg.segread(path).pixel_array.reshape(-1, *expected.shape[1:])
    assert np.array_equal(frames, expected[kept])
    assert frames.max() == 255  # two logits are beyond the scale


def test_it_says_that_it_is_attribution_and_no_probability(cases):
    (dataset,) = fractional_segmentation.write(cases("radiograph").material)
    assert dataset.SegmentationFractionalType == "OCCUPANCY"
    assert dataset.MaximumFractionalValue == 255
    (segment,) = dataset.SegmentSequence
    assert segment.SegmentDescription.startswith("Attribution, not a segmentation: 255 is 1 logits per cell")


def test_a_large_volume_is_written_on_the_native_grid(cases, saved, monkeypatch):
    case = cases("oblique CT")
    monkeypatch.setattr(fractional_segmentation, "MOST_BYTES", 1000)
    paths = saved(fractional_segmentation.write(case.material))
    dataset = dcmread(paths[0])
    assert (dataset.Rows, dataset.Columns, dataset.NumberOfFrames) == (7, 6, 1)
    values = dataset.pixel_array
    assert np.unravel_index(values.argmax(), values.shape) == case.hot[1:]
    assert errors_beyond(paths[0], case.paths) == []
    assert inconsistencies(paths, case.paths) == []
    position = dataset.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient
    assert position == pytest.approx(case.geometry.cell_to_patient([[case.hot[0], 0, 0]])[0], abs=1e-6)


def test_no_evidence_no_object(cases):
    material = cases("radiograph").material
    assert fractional_segmentation.write(material, [1]) == []
    explanation = material.explanation
    agnostic = replace(explanation.saliency_map, method="eigen-cam")
    same = replace(material, explanation=replace(explanation, saliency_map=agnostic))
    assert fractional_segmentation.write(same) == []
