"""All that is written, and what it was written of, without identity: valid, together, in its place."""

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread

from camlucida.dicom.deidentifying.deidentify import Sharing, deidentify
from camlucida.dicom.deidentifying.pseudonyms import Key
from camlucida.dicom.read import read_dicom
from camlucida.dicom.writing import (
    fractional_segmentation,
    key_object,
    parametric_map,
    presentation_state,
    secondary_capture,
    segmentation,
    structured_report,
)
from dicom.validation import errors_beyond, inconsistencies

WRITERS = (
    secondary_capture,
    structured_report,
    key_object,
    parametric_map,
    segmentation,
    fractional_segmentation,
    presentation_state,
)


@pytest.fixture(params=["radiograph", "RG1", "oblique CT"])
def both(request, cases, saved, tmp_path):
    """A case, its sources and written objects, and their copies in the same order."""
    case = cases(request.param)
    written = saved([dataset for writer in WRITERS for dataset in writer.write(case.material)])
    sharing = Sharing(Key(b"w" * 32), pixels_checked=True)
    out = tmp_path / "shared"
    sources = [deidentify(path, out, sharing).path for path in case.paths]
    copies = [deidentify(path, out, Sharing(sharing.key), ours=True).path for path in written]
    return case, list(case.paths), written, sources, copies


def uids(dataset, keyword):
    """All values of one UID attribute, at every depth."""
    found = set()
    for element in dataset.iterall():
        if element.keyword == keyword:
            found.add(str(element.value))
    return found


@pytest.mark.slow  # dciodvfy and dcentvfy of some sixty files
def test_copies_are_valid_belong_together_and_name_nobody(both):
    case, sources, written, shared_sources, copies = both
    assert len(copies) >= len(WRITERS)
    for before, after in zip(written, copies, strict=True):
        assert errors_beyond(after, [before, *sources]) == []
    assert inconsistencies(copies, shared_sources) == inconsistencies(written, sources)
    there = {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in shared_sources + copies}
    old = [str(one.SOPInstanceUID) for one in case.material.sources]
    for path in copies:
        dataset = dcmread(path)
        referenced = uids(dataset, "ReferencedSOPInstanceUID")
        assert referenced <= there | {""}
        content = path.read_bytes()
        assert not any(uid.encode() in content for uid in [*old, str(case.material.first.StudyInstanceUID)])
        name = str(case.material.first.PatientName)
        assert not name or name.encode() not in content
        assert dataset.StudyInstanceUID == dcmread(shared_sources[0]).StudyInstanceUID
    assert any(uids(dcmread(path), "ReferencedSOPInstanceUID") & there for path in copies)


def test_pixels_and_places_are_what_they_were(both):
    _, sources, written, shared_sources, copies = both
    for before, after in zip(sources + written, shared_sources + copies, strict=True):
        one, other = dcmread(before), dcmread(after)
        for keyword in ("PixelData", "FloatPixelData"):
            assert (keyword in one) == (keyword in other)
            assert keyword not in one or one[keyword].value == other[keyword].value
        for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
            places = [_places(dataset, keyword) for dataset in (one, other)]
            assert places[0] == places[1]
    image, shared = read_dicom(sources), read_dicom(shared_sources)
    assert [found.digest for found in shared] == [found.digest for found in image]
    for first, second in zip(image, shared, strict=True):
        assert np.array_equal(first.pixel_to_patient, second.pixel_to_patient)


def _places(dataset, keyword):
    wanted = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness")
    return [
        [str(element.value) for element in item.iterall() if element.keyword in wanted]
        for item in dataset.get(keyword, [])
    ]


def test_our_own_reports_keep_their_sentences_and_those_of_others_do_not(cases, saved, tmp_path):
    (path,) = saved(structured_report.write(cases("radiograph").material))
    ours = dcmread(deidentify(path, tmp_path / "ours", Sharing(), ours=True).path)
    others = dcmread(deidentify(path, tmp_path / "others", Sharing()).path)
    found = dcmread(path), ours, others
    before, kept, removed = ([e.value for e in d.iterall() if e.keyword == "TextValue"] for d in found)
    assert kept == before
    assert set(removed) == {"REMOVED"}


def test_a_segmentation_is_read_back_by_highdicom(cases, saved, tmp_path):
    (path,) = saved(segmentation.write(cases("oblique CT").material))
    shared = deidentify(path, tmp_path / "shared", Sharing(), ours=True).path
    before, after = hd.seg.segread(path), hd.seg.segread(shared)
    assert np.array_equal(before.pixel_array, after.pixel_array)
    assert before.segment_numbers == after.segment_numbers
