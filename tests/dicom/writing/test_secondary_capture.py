"""Secondary Captures of every kind of source: valid, the same whenever written, and what is to be seen."""

import hashlib

import numpy as np
import pytest
from pydicom import dcmread

from camlucida.dicom.writing import secondary_capture
from camlucida.dicom.writing.material import to_bytes
from camlucida.dicom.writing.secondary_capture import letters
from camlucida.rendering.legend import picture
from dicom.validation import errors_beyond, inconsistencies


def test_they_are_valid_and_belong_to_the_study(case, saved):
    written = saved(secondary_capture.write(case.material))
    assert len(written) == 2
    assert [errors_beyond(path, case.paths) for path in written] == [[], []]
    assert inconsistencies(written, case.paths) == []


def test_written_again_they_are_the_same_bytes(case):
    digests = [
        [hashlib.sha256(to_bytes(one)).digest() for one in secondary_capture.write(case.material)]
        for _ in "12"
    ]
    assert digests[0] == digests[1]
    assert digests[0][0] != digests[0][1]


def test_the_pixels_are_the_overlay_with_its_legend(case, saved):
    (first, _) = saved(secondary_capture.write(case.material))
    capture = dcmread(first)
    drawn = np.asarray(picture(case.material.image, case.material.explanation, 0))
    assert (capture.pixel_array == drawn).all()
    assert (capture.PhotometricInterpretation, capture.BitsStored) == ("RGB", 8)
    assert capture.BurnedInAnnotation == "YES"
    assert capture.ImageType == ["DERIVED", "SECONDARY"]
    assert 768 <= max(capture.Rows, capture.Columns - 340) <= 1024


def test_they_name_the_image_that_they_show(case):
    (capture, _) = secondary_capture.write(case.material)
    (source,) = capture.SourceImageSequence
    (derivation, method) = capture.DerivationCodeSequence
    assert (derivation.CodeValue, method.CodeValue) == ("130401", "130403")
    named = {str(one.SOPInstanceUID) for one in case.material.sources}
    assert source.ReferencedSOPInstanceUID in named
    assert ("ReferencedFrameNumber" in source) == (case.name in {"enhanced", "frame"})
    assert "evidence for Effusion" in capture.DerivationDescription


def test_of_a_volume_the_slice_is_that_in_the_middle_of_the_hot_cell(cases):
    case = cases("oblique CT")
    (capture, _) = secondary_capture.write(case.material)
    middle = case.geometry.cell_to_pixel([case.hot])[0, 0]
    shown = [str(one.SOPInstanceUID) for one in case.material.sources].index(
        capture.SourceImageSequence[0].ReferencedSOPInstanceUID
    )
    assert abs(shown - middle) <= 1
    assert f"slice {shown + 1} of 16" in capture.DerivationDescription


def test_a_frame_is_named_by_its_number(cases):
    (capture, _) = secondary_capture.write(cases("frame").material)
    assert capture.SourceImageSequence[0].ReferencedFrameNumber == 3


def test_where_nothing_is_shown_there_is_none(cases):
    assert secondary_capture.write(cases("radiograph").material, []) == []


def test_a_finding_that_is_asked_for_is_written_though_it_is_below(cases):
    material = cases("radiograph").material
    (capture,) = secondary_capture.write(material, [2])
    assert to_bytes(secondary_capture.write(material, [1])[0]) == to_bytes(
        secondary_capture.write(material)[1]
    )
    assert "Cardiomegaly" in capture.DerivationDescription


def test_each_finding_has_its_instance_in_one_series(cases):
    first, second = secondary_capture.write(cases("radiograph").material)
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert (first.InstanceNumber, second.InstanceNumber) == (1, 2)
    assert first.SOPInstanceUID == secondary_capture.instance_uid(cases("radiograph").material, 0)


@pytest.mark.parametrize(
    ("direction", "said"),
    [
        ((1, 0, 0), "L"),
        ((0, -1, 0), "A"),
        ((0, 0, 1), "H"),
        ((-0.8, 0.5, 0.01), "RP"),
        ((0.1, 0.7, -0.7), "PFL"),
    ],
)
def test_directions_are_said_in_letters(direction, said):
    assert letters(np.array(direction, float)) == said


def test_orientation_is_the_source_s_or_that_of_its_plane(cases):
    film, _ = secondary_capture.write(cases("radiograph").material)
    assert list(film.PatientOrientation) == ["L", "F"]
    oblique, _ = secondary_capture.write(cases("oblique CT").material)
    assert [one[0] for one in oblique.PatientOrientation] == ["L", "P"]
