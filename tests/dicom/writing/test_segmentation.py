"""Areas of evidence: the pixels that reach half of the maximum, honest words, valid, readable by others."""

from dataclasses import replace

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread

from camlucida.dicom.writing import segmentation
from camlucida.dicom.writing.material import to_bytes
from camlucida.rendering.upsample import to_pixel_grid
from dicom.validation import errors_beyond, inconsistencies


def with_values(material, values):
    explanation = material.explanation
    return replace(
        material,
        explanation=replace(explanation, saliency_map=replace(explanation.saliency_map, values=values)),
    )


def half_maximum(material, finding):
    """On the whole source grid at once."""
    saliency_map = material.explanation.saliency_map
    evidence = to_pixel_grid(saliency_map.values[finding], saliency_map.geometry)
    mask = evidence >= evidence.max() / 2 * segmentation.LEAST
    return mask.reshape(-1, *mask.shape[-2:])


def test_it_is_valid_and_consistent_with_its_source(case, saved):
    paths = saved(segmentation.write(case.material))
    assert errors_beyond(paths[0], case.paths) == []
    assert inconsistencies(paths, case.paths) == []


def test_it_is_the_same_whenever_it_is_written(case):
    once, again = (to_bytes(segmentation.write(case.material)[0]) for _ in range(2))
    assert once == again


def test_highdicom_reads_the_pixels_that_reach_half_of_the_maximum(case, saved):
    """Pixel Measures are complete: without Slice Thickness nobody could read it back."""
    (path,) = saved(segmentation.write(case.material))
    expected = half_maximum(case.material, 0)
    kept = np.flatnonzero(expected.any(axis=(1, 2)))
    frames = hd.seg.segread(path).pixel_array.reshape(-1, *expected.shape[1:])
    assert np.array_equal(frames, expected[kept])
    assert len(kept) < expected.shape[0] or expected.shape[0] == 1  # empty slices are left out


def test_frames_are_packed_across_byte_borders(cases, saved):
    """300 × 265 pixels are no whole number of bytes: the second segment begins in the middle of one."""
    case = cases("radiograph")
    values = case.material.explanation.saliency_map.values.copy()
    values[2, 5, 1] = 3
    material = with_values(case.material, values)
    (path,) = saved(segmentation.write(material, [0, 2]))
    frames = hd.seg.segread(path).pixel_array
    for frame, finding in zip(frames, (0, 2), strict=True):
        assert np.array_equal(frame, half_maximum(material, finding)[0])


def test_a_segment_says_that_it_is_not_anatomy(cases):
    (dataset,) = segmentation.write(cases("radiograph").material)
    (segment,) = dataset.SegmentSequence  # “Nodule” is reported, but no cell argues for it
    assert segment.SegmentLabel == "Effusion"
    assert "not of anatomy" in segment.SegmentDescription
    assert "at least half of its maximum" in segment.SegmentDescription
    assert "logits per cell" in segment.SegmentDescription
    kind = segment.SegmentedPropertyTypeCodeSequence[0]
    assert kind.CodeValue == "130403"
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeValue == "60046008"
    assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeMeaning == "Spatial and Relational Concept"
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("made-up", "1.0")
    assert "d" * 64 in algorithm.AlgorithmParameters  # the model's digest
    assert segment.SegmentAlgorithmType == "AUTOMATIC"


def test_no_evidence_no_object(cases):
    material = cases("radiograph").material
    assert segmentation.write(material, [1]) == []
    assert segmentation.write(material, []) == []
    none = np.full_like(material.explanation.saliency_map.values, -1)
    assert segmentation.write(with_values(material, none)) == []


def test_a_map_that_is_the_same_for_all_findings_is_evidence_for_none(cases):
    material = cases("radiograph").material
    explanation = material.explanation
    agnostic = replace(explanation.saliency_map, method="eigen-cam")
    assert (
        segmentation.write(replace(material, explanation=replace(explanation, saliency_map=agnostic))) == []
    )


@pytest.mark.parametrize(("cell", "overlap"), [((2, 4), "YES"), ((6, 0), "NO")])
def test_overlap_is_told(cases, cell, overlap):
    material = cases("radiograph").material
    values = material.explanation.saliency_map.values.copy()
    values[(2, *cell)] = 3
    (dataset,) = segmentation.write(with_values(material, values), [0, 2])
    assert dataset.SegmentsOverlap == overlap


def test_frames_refer_to_the_slices_whose_pixels_they_are(cases):
    case = cases("oblique CT")
    (dataset,) = segmentation.write(case.material)
    sources = {str(source.SOPInstanceUID): source for source in case.material.sources}
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        (reference,) = frame.DerivationImageSequence[0].SourceImageSequence
        source = sources[reference.ReferencedSOPInstanceUID]
        assert reference.SpatialLocationsPreserved == "YES"
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert position == pytest.approx(source.ImagePositionPatient, abs=1e-9)
    (series,) = dataset.ReferencedSeriesSequence
    assert {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence} == set(sources)


def test_one_frame_of_many_is_named(cases):
    (dataset,) = segmentation.write(cases("frame").material)
    derivation = dataset.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0]
    assert derivation.SourceImageSequence[0].ReferencedFrameNumber == 3


def test_it_has_a_bit_a_pixel(case, saved):
    (path,) = saved(segmentation.write(case.material))
    dataset = dcmread(path)
    frames = int(dataset.NumberOfFrames)
    bits = frames * dataset.Rows * dataset.Columns
    assert path.stat().st_size < bits / 8 + 1500 * frames + 400 * len(case.material.sources) + 6000


def test_pixel_data_has_an_even_length(cases):
    (dataset,) = segmentation.write(cases("radiograph").material)
    assert len(dataset.PixelData) == 9938  # 79,500 bits are 9,937.5 bytes
    assert dataset.PixelData[-1] >> 4 == 0


def test_what_was_lost_once_stays_lost(cases, saved, tmp_path):
    """Lossy Image Compression, its ratio and its method go on to what is derived (PS3.3 C.7.6.1.1.5)."""
    case = cases("radiograph")
    source = dcmread(case.paths[0])
    source.LossyImageCompression = "01"
    source.LossyImageCompressionRatio, source.LossyImageCompressionMethod = "12.5", "ISO_15444_1"
    lossy = tmp_path / "lossy.dcm"
    source.save_as(lossy, enforce_file_format=True)
    del source.PixelData
    (dataset,) = segmentation.write(replace(case.material, sources=(source,)))
    assert (dataset.LossyImageCompression, dataset.LossyImageCompressionRatio) == ("01", 12.5)
    assert dataset.LossyImageCompressionMethod == "ISO_15444_1"
    (path,) = saved([dataset])
    assert errors_beyond(path, [lossy]) == []
