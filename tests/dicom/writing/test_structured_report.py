"""Structured reports of every kind of source: valid, readable by others, and right about places."""

import subprocess
from dataclasses import replace

import highdicom.sr as hd
import numpy as np
import pytest
from pydicom import dcmread

from camlucida.dicom.frame_view import frame_view
from camlucida.dicom.writing import codes, structured_report
from camlucida.dicom.writing.codes import OWN_SCHEME
from camlucida.dicom.writing.material import to_bytes
from camlucida.records import Finding, Prediction
from dicom.validation import errors_beyond, inconsistencies

NO_CHECK = "W: The VR checker does not support this Specific Character Set: ISO_IR 192"  # of this dcmtk
PLANAR = "get_planar_roi_measurement_groups"


@pytest.fixture
def report(saved):
    """A case's report as highdicom reads it back from its file: `report(case)`."""

    def read(case, findings=None):
        (path,) = saved(structured_report.write(case.material, findings))
        return hd.srread(path)

    return read


@pytest.fixture
def printed(saved):
    """A case's report as dcmtk's dsrdump prints it, in full: `printed(case)`."""

    def dump(case, findings=None):
        (path,) = saved(structured_report.write(case.material, findings))
        return dcmtk("dsrdump", "+Pl", str(path))

    return dump


def dcmtk(tool, *arguments):
    """What a tool prints; it must have no error and no warning."""
    command = [f"/usr/bin/{tool}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - fixed tools
    assert [line for line in done.stderr.splitlines() if line not in {NO_CHECK, ""}] == []
    return done.stdout


def with_map(case, **changes):
    """The case with another map."""
    explanation = case.material.explanation
    changed = replace(explanation, saliency_map=replace(explanation.saliency_map, **changes))
    return replace(case, material=replace(case.material, explanation=changed))


def group_of(report, name):
    groups = report.content.get_image_measurement_groups()
    return next(group for group in groups if group.tracking_identifier == name)


def numbers(group):
    return {found.name.value: (found.value, found.unit.value) for found in group.get_measurements()}


def answers(group):
    found = group.get_qualitative_evaluations()
    return {one.name.value: one.value.meaning for one in found if one.name.scheme_designator == OWN_SCHEME}


def named(item):
    return item.ConceptNameCodeSequence[0].CodeMeaning


def comments(group):
    return [item.TextValue for item in group[0].ContentSequence if named(item) == "Comment"]


def test_it_is_valid_and_belongs_to_the_study(case, saved):
    written = saved(structured_report.write(case.material))
    assert len(written) == 1
    assert errors_beyond(written[0], case.paths) == []
    assert inconsistencies(written, case.paths) == []


def test_written_again_it_is_the_same_bytes(case):
    first, again = (to_bytes(*structured_report.write(case.material)) for _ in "12")
    assert first == again


def test_dcmtk_reads_it_and_shows_the_findings(case, printed):
    text = printed(case)
    for said in (
        '(,,"Finding")=(60046008,SCT,"Pleural effusion")',
        '(,,"Finding")=(NODULE,99CAMLUCIDA,"Nodule")',
        "No supporting evidence.",
        "Below the operating point: not reported",
        "The map of Effusion explains the logit.",
        "It explains the model, not the disease.",
        "Not for diagnosis",
        "UNVERIFIED",
    ):
        assert said in text
    assert ("SCOORD3D" in text) == (case.name in {"enhanced", "oblique CT"})


def test_people_read_it_in_a_browser(cases, saved):
    (path,) = saved(structured_report.write(cases("radiograph").material))
    assert "Pleural effusion" in dcmtk("dsr2html", str(path))


def test_numbers_of_a_shown_finding(cases, report):
    case = cases("radiograph")
    group = group_of(report(case), "Effusion")
    explanation = case.material.explanation
    assert group.finding_type.value == "60046008"
    assert group.method == codes.GRADIENT_WEIGHTED_CLASS_ACTIVATION
    found = numbers(group)
    assert found["122157"] == (pytest.approx(explanation.prediction.probabilities[0]), "1")
    assert found["LOGIT"] == (pytest.approx(explanation.prediction.logits[0]), "{logit}")
    assert found["111071"] == (0.5, "1")
    parts = [found[name][0] for name in ("EVIDENCE-FOR", "EVIDENCE-AGAINST", "BIAS", "RESIDUAL")]
    assert sum(parts) == pytest.approx(explanation.prediction.logits[0])
    assert answers(group) == {"POINT-REACHED": "Yes", "SUPPORT": "Present"}
    assert len(group.source_images) == 1


def test_the_model_and_its_digest_are_the_algorithm(cases, report):
    group = group_of(report(cases("radiograph")), "Effusion")
    items = group[0].ContentSequence
    said = {named(item): item.TextValue for item in items if named(item).startswith("Algorithm V")}
    assert said == {"Algorithm Version": "1.0"}
    parameters = [item.TextValue for item in items if named(item) == "Algorithm Parameters"]
    assert f"model digest (SHA-256): {'d' * 64}" in parameters
    assert "target layer: features.denseblock4" in parameters


def test_a_finding_without_support_has_no_region_and_says_so(cases, report):
    found = report(cases("radiograph"))
    group = group_of(found, "Nodule")
    assert answers(group)["SUPPORT"] == "Absent"
    assert "No supporting evidence." in comments(group)
    tracked = [one.tracking_identifier for one in getattr(found.content, PLANAR)()]
    assert tracked == ["Effusion, region 1 of 1"]


def test_a_finding_below_its_operating_point_is_told_without_region(cases, report):
    found = report(cases("radiograph"))
    group = group_of(found, "Cardiomegaly")
    assert answers(group)["POINT-REACHED"] == "No"
    assert structured_report.BELOW in comments(group)


def test_findings_come_with_the_most_probable_first(cases, report):
    groups = report(cases("radiograph")).content.get_image_measurement_groups()
    assert [one.tracking_identifier for one in groups] == ["Effusion", "Nodule", "Cardiomegaly"]


def test_findings_of_which_no_map_was_asked_are_told_too(cases, report):
    case = cases("radiograph")
    explanation = case.material.explanation
    old = explanation.prediction
    more = Prediction((*old.findings, Finding("Mass")), (*old.logits, -3.0), (*old.probabilities, 0.05))
    changed = replace(explanation, prediction=more)
    found = report(replace(case, material=replace(case.material, explanation=changed)))
    group = group_of(found, "Mass")
    assert set(numbers(group)) == {"122157", "LOGIT"}
    assert comments(group) == [structured_report.NO_MAP]


def test_where_nothing_is_shown_the_report_says_it(cases, printed):
    text = printed(cases("radiograph"), [])
    assert structured_report.NOTHING_SHOWN in text
    assert "SCOORD" not in text


def test_a_map_without_a_unit_gives_no_logits_of_evidence(cases, relative, report):
    group = group_of(report(relative(cases("radiograph"))), "Effusion")
    assert set(numbers(group)) == {"122157", "LOGIT", "111071"}


def test_a_map_that_is_the_same_for_all_findings_is_no_region_of_one(cases, printed):
    text = printed(with_map(cases("radiograph"), method="eigen-cam"))
    assert "Explains no finding" in text
    assert "SCOORD" not in text


def test_a_contrast_names_both_findings(cases, printed):
    text = printed(with_map(cases("radiograph"), contrasts=("Nodule", "Effusion", "Effusion")))
    assert "Effusion rather than Nodule" in text
    assert "of the difference of their logits" in text


def assert_on_the_hot_cell(case, points):
    """A polygon (point, axes) in pixel indices lies around the hot cell, within one cell of its centre."""
    cells = case.geometry.pixel_to_cell(points)
    offsets = cells - case.hot
    assert np.abs(offsets).max() <= 1
    assert np.abs(offsets[:, :-2]).max(initial=0) <= 0.6  # a slice within the cell, or next to it
    assert np.abs((offsets.min(axis=0) + offsets.max(axis=0))[-2:] / 2).max() < 0.1
    assert (offsets.max(axis=0) - offsets.min(axis=0))[-2:].min() > 0.7


@pytest.mark.parametrize("name", ["radiograph", "RG1", "photograph", "frame"])
def test_in_2d_the_region_lies_on_the_hot_cell_in_columns_and_rows_of_the_source(name, cases, report):
    case = cases(name)
    (group,) = getattr(report(case).content, PLANAR)()
    region = group.roi
    columns, rows = region.value.T
    assert region.graphic_type.value == "POLYLINE"
    assert (region.value[0] == region.value[-1]).all()
    assert (columns.min(), rows.min()) >= (0, 0)
    assert columns.max() <= case.material.first.Columns
    assert rows.max() <= case.material.first.Rows
    assert_on_the_hot_cell(case, np.stack([rows - 0.5, columns - 0.5], axis=1))
    (reference,) = region.ContentSequence[0].ReferencedSOPSequence
    assert reference.ReferencedSOPInstanceUID == case.material.first.SOPInstanceUID
    assert reference.get("ReferencedFrameNumber") == (3 if name == "frame" else None)


@pytest.mark.parametrize("name", ["enhanced", "oblique CT"])
def test_in_3d_the_region_lies_on_the_hot_cell_in_mm(name, cases, report):
    case = cases(name)
    (group,) = getattr(report(case).content, PLANAR)()
    region = group.roi
    assert region.graphic_type.value == "POLYGON"
    assert region.ReferencedFrameOfReferenceUID == case.material.first.FrameOfReferenceUID
    assert_on_the_hot_cell(case, by_the_headers(case, region.value))


def by_the_headers(case, points):
    """Points in mm as (slice, row, column), from the frames' own position, orientation and spacing."""
    views = []
    for path in case.paths:
        source = dcmread(path, stop_before_pixels=True)
        views += [frame_view(source, number) for number in range(int(source.get("NumberOfFrames", 1)))]
    along, down = np.array(views[0].ImageOrientationPatient, float).reshape(2, 3)
    normal = np.cross(along, down)
    positions = sorted(
        (np.array(one.ImagePositionPatient, float) for one in views), key=lambda at: at @ normal
    )
    spacing = np.array(views[0].PixelSpacing, float)
    distances = np.abs((points[:, np.newaxis] - np.array(positions)) @ normal)
    assert distances.min(axis=1).max() < 1e-3  # the polygon lies in one slice
    (nearest,) = set(distances.argmin(axis=1).tolist())
    offsets = points - positions[nearest]
    return np.stack(
        [np.full(len(points), nearest), offsets @ down / spacing[0], offsets @ along / spacing[1]], axis=1
    )


@pytest.mark.parametrize("name", ["enhanced", "oblique CT"])
def test_a_volume_without_frame_of_reference_has_its_region_on_the_slice(name, cases, report):
    case = cases(name)
    image = case.material.image
    without = replace(image, source=replace(image.source, frame_of_reference_uid=""))
    changed = replace(case, material=replace(case.material, image=without))
    (group,) = getattr(report(changed).content, PLANAR)()
    columns, rows = group.roi.value.T
    (reference,) = group.roi.ContentSequence[0].ReferencedSOPSequence
    uids = [one.SOPInstanceUID for one in case.material.sources]
    if name == "enhanced":
        view = frame_view(case.material.first, reference.ReferencedFrameNumber - 1)
        corner = [float(mm) for mm in view.ImagePositionPatient]
        place = round((np.linalg.inv(image.pixel_to_patient) @ [*corner, 1])[0])
    else:
        place = uids.index(reference.ReferencedSOPInstanceUID)
    assert_on_the_hot_cell(case, np.stack([np.full(len(rows), place), rows - 0.5, columns - 0.5], axis=1))


def test_pixels_are_outlined_at_their_corners(cases, report):
    case = cases("radiograph")
    shape = case.material.image.space
    values = np.zeros((3, *shape), np.float32)
    values[0, 100:110, 200:220] = 1
    geometry = replace(case.geometry, native_shape=shape, native_to_pixel=np.eye(3))
    (group,) = getattr(report(with_map(case, values=values, geometry=geometry)).content, PLANAR)()
    low, high = group.roi.value.min(axis=0), group.roi.value.max(axis=0)
    assert (low.tolist(), high.tolist()) == ([200, 100], [220, 110])


def test_every_source_is_in_the_image_library_and_the_evidence(cases, report):
    case = cases("oblique CT")
    found = report(case)
    uids = {str(one.SOPInstanceUID) for one in case.material.sources}
    assert {str(uid) for _, _, uid, _ in found.get_evidence()} == uids
    library = next(one for one in found.ContentSequence if named(one) == "Image Library")
    listed = [one for one in library.ContentSequence[0].ContentSequence if one.ValueType == "IMAGE"]
    assert {str(one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for one in listed} == uids


def test_a_report_of_other_findings_is_another_instance(cases):
    material = cases("radiograph").material
    shown, same, others = (structured_report.write(material, chosen)[0] for chosen in (None, [1, 0], [2]))
    assert shown.SOPInstanceUID == same.SOPInstanceUID != others.SOPInstanceUID
    assert to_bytes(shown) == to_bytes(same)
    assert shown.SeriesInstanceUID == others.SeriesInstanceUID


def test_no_human_is_said_to_have_verified_it(cases, report):
    found = report(cases("radiograph"))
    flags = (found.CompletionFlag, found.VerificationFlag, found.PreliminaryFlag)
    assert flags == ("COMPLETE", "UNVERIFIED", "PRELIMINARY")
