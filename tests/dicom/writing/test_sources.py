"""Which source instance, and which frame of it, a slice is from."""

from copy import deepcopy
from dataclasses import replace

import pytest

from camlucida.dicom.frame_view import frame_view
from camlucida.dicom.writing.sources import source_frames
from camlucida.errors import MissingGeometry


def height(frame):
    return float(frame_view(frame.dataset, frame.frame_number - 1).ImagePositionPatient[2])


def test_an_image_has_one_and_a_frame_its_number(cases):
    (film,) = source_frames(cases("radiograph").material)
    assert (film.dataset, film.frame_number) == (cases("radiograph").material.first, None)
    assert "ReferencedFrameNumber" not in film.reference()
    (frame,) = source_frames(cases("frame").material)
    assert frame.reference().ReferencedFrameNumber == 3


def test_slices_of_a_series_are_its_files_in_order(cases):
    material = cases("oblique CT").material
    frames = source_frames(material)
    assert [one.dataset.SOPInstanceUID for one in frames] == list(material.image.source.sop_instance_uids)
    matrix = material.image.pixel_to_patient
    for place, one in enumerate(frames):
        assert matrix[:3, :3] @ [place, 0, 0] + matrix[:3, 3] == pytest.approx(
            [float(mm) for mm in one.dataset.ImagePositionPatient], abs=1e-3
        )


def test_slices_of_a_multi_frame_file_are_its_frames_by_position(cases):
    material = cases("enhanced").material
    frames = source_frames(material)
    heights = [height(one) for one in frames]
    matrix = material.image.pixel_to_patient
    assert heights == pytest.approx([matrix[2, 3] + place * matrix[2, 0] for place in range(2)])
    turned = deepcopy(material.first)
    turned.PerFrameFunctionalGroupsSequence = turned.PerFrameFunctionalGroupsSequence[::-1]
    others = source_frames(replace(material, sources=(turned,)))
    assert [height(one) for one in others] == heights
    assert [one.frame_number for one in others] == [one.frame_number for one in frames][::-1]


def test_frames_without_positions_are_refused(cases):
    material = cases("enhanced").material
    broken = deepcopy(material.first)
    del broken.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence
    with pytest.raises(MissingGeometry, match="which frame a slice is"):
        source_frames(replace(material, sources=(broken,)))
