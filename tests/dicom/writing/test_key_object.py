"""Key Object Selections of every kind of source: valid, and pointing at the right images."""

from dataclasses import replace

from highdicom.ko import KeyObjectSelectionDocument
from pydicom import dcmread

from camlucida.dicom.writing import key_object, secondary_capture
from camlucida.dicom.writing.material import to_bytes
from dicom.validation import errors_beyond, inconsistencies


def images(selection):
    """SOP Instance UID and frames of what is selected."""
    references = [
        one.ReferencedSOPSequence[0] for one in selection.ContentSequence if one.ValueType == "IMAGE"
    ]
    return [(one.ReferencedSOPInstanceUID, one.get("ReferencedFrameNumber")) for one in references]


def test_it_is_valid_and_what_it_refers_to_is_there(case, saved):
    written = saved([*key_object.write(case.material), *secondary_capture.write(case.material)])
    assert errors_beyond(written[0], case.paths) == []
    assert inconsistencies(written, case.paths) == []
    assert inconsistencies(written[:1], case.paths)  # the judge does look


def test_written_again_it_is_the_same_bytes(case):
    first, again, named = (
        to_bytes(*key_object.write(case.material, chosen)) for chosen in (None, None, [1, 0])
    )
    assert first == again == named


def test_it_selects_the_source_and_the_captures(case, saved):
    captures = [str(one.SOPInstanceUID) for one in secondary_capture.write(case.material)]
    (path,) = saved(key_object.write(case.material))
    selection = KeyObjectSelectionDocument.from_dataset(dcmread(path))
    assert selection.ConceptNameCodeSequence[0].CodeValue == "113000"
    (source, frame), *others = images(selection)
    assert [uid for uid, _ in others] == captures
    assert source in {one.SOPInstanceUID for one in case.material.sources}
    shown = secondary_capture.shown_frame(case.material, 0)[0]
    assert (source, frame) == (shown.dataset.SOPInstanceUID, shown.frame_number)
    assert (frame is not None) == (case.name in {"enhanced", "frame"})
    assert selection.resolve_reference(source)[1] == case.material.first.SeriesInstanceUID


def test_frames_of_two_findings_are_named_in_one_reference(cases):
    material = cases("enhanced").material
    whole = material.explanation
    values = whole.saliency_map.values.copy()
    values[2, 0] = 5
    changed = replace(whole, saliency_map=replace(whole.saliency_map, values=values))
    material = replace(material, explanation=changed)
    (selection,) = key_object.write(material, [0, 2])
    (source, frames), *captures = images(selection)
    assert source == material.first.SOPInstanceUID
    assert sorted(frames) == [1, 2]
    assert len(captures) == 2


def test_of_a_volume_no_slice_is_selected_for_a_finding_without_evidence(cases):
    (selection,) = key_object.write(cases("oblique CT").material, [1])
    assert len(images(selection)) == 1


def test_where_nothing_is_shown_there_is_none(cases):
    assert key_object.write(cases("radiograph").material, []) == []


def test_it_says_what_and_by_which_model(cases):
    (selection,) = key_object.write(cases("radiograph").material)
    items = selection.ContentSequence
    (text,) = [one.TextValue for one in items if one.ConceptNameCodeSequence[0].CodeValue == "113012"]
    assert text.startswith("Evidence for Effusion, Nodule by Grad-CAM of made-up 1.0. Not for diagnosis")
