"""Structured reports of every kind of source: valid, readable by others, and right about places."""

import subprocess
from dataclasses import replace

import highdicom.sr as hd
import numpy as np
import pytest

from camlucida.dicom.frame_view import frame_view
from camlucida.dicom.writing import codes, structured_report
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


def evaluations(report):
    """The container Qualitative Evaluations (TID 1500, row 12)."""
    (found,) = [item for item in report.ContentSequence if named(item) == "Qualitative Evaluations"]
    return found.ContentSequence


def findings(report):
    """Each finding's tracking identifier, and its item."""
    items = [item for item in evaluations(report) if item.ValueType == "CODE"]
    return {of_concept(item, "112039")[0].TextValue: item for item in items}


def of_concept(item, value):
    children = item.ContentSequence
    return [one for one in children if one.ConceptNameCodeSequence[0].get("CodeValue") == value]


def numbers(item):
    """Code of the number: value and unit, of all numbers among the finding's properties."""
    found = {}
    for one in item.ContentSequence:
        if one.ValueType == "NUM":
            assert one.RelationshipType == "HAS PROPERTIES"
            measured = one.MeasuredValueSequence[0]
            unit = measured.MeasurementUnitsCodeSequence[0].CodeValue
            found[one.ConceptNameCodeSequence[0].CodeValue] = (float(measured.NumericValue), unit)
    return found


def answers(item):
    return {
        one.ConceptNameCodeSequence[0].CodeValue: one.ConceptCodeSequence[0].CodeMeaning
        for one in item.ContentSequence
        if one.ValueType == "CODE" and one.RelationshipType == "HAS PROPERTIES"
    }


def named(item):
    return item.ConceptNameCodeSequence[0].CodeMeaning


def comments(item):
    return [one.TextValue for one in item.ContentSequence if named(one) == "Comment"]


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
    assert "SCOORD3D" not in text


@pytest.mark.parametrize("chosen", [None, []])
def test_people_read_every_finding_with_its_numbers_in_a_browser(cases, saved, chosen):
    material = cases("radiograph").material
    (path,) = saved(structured_report.write(material, chosen))
    page = dcmtk("dsr2html", str(path))
    prediction = material.explanation.prediction
    names = ("Pleural effusion", "Nodule", "Cardiomegaly")
    for name, probability in zip(names, prediction.probabilities, strict=True):
        assert name in page
        assert f"{probability:.3f}" in page
    assert page.count("Evidence for the finding") == 3
    assert "Cardiomegaly: probability" in page


def test_numbers_of_a_shown_finding(cases, report):
    case = cases("radiograph")
    found = findings(report(case))["Effusion"]
    explanation = case.material.explanation
    assert found.ConceptNameCodeSequence[0].CodeValue == "121071"
    assert found.ConceptCodeSequence[0].CodeValue == "60046008"
    (method,) = of_concept(found, "370129005")
    assert method.ConceptCodeSequence[0].CodeValue == codes.GRADIENT_WEIGHTED_CLASS_ACTIVATION.value
    said = numbers(found)
    assert said["122157"] == (pytest.approx(explanation.prediction.probabilities[0]), "1")
    assert said["LOGIT"] == (pytest.approx(explanation.prediction.logits[0]), "{logit}")
    assert said["111071"] == (0.5, "1")
    parts = [said[name][0] for name in ("EVIDENCE-FOR", "EVIDENCE-AGAINST", "BIAS", "RESIDUAL")]
    assert sum(parts) == pytest.approx(explanation.prediction.logits[0])
    assert answers(found) == {"POINT-REACHED": "Yes", "SUPPORT": "Present"}
    (seen,) = [item for item in found.ContentSequence if item.ValueType == "IMAGE"]
    (reference,) = seen.ReferencedSOPSequence
    assert reference.ReferencedSOPInstanceUID == case.material.first.SOPInstanceUID


def test_the_model_and_its_digest_are_the_algorithm(cases, report):
    found = report(cases("radiograph"))
    (group,) = found.content.get_planar_roi_measurement_groups()
    for item in (findings(found)["Effusion"], group[0]):
        (version,) = of_concept(item, "111003")
        assert version.TextValue == "1.0"
        parameters = [one.TextValue for one in of_concept(item, "111002")]
        assert f"model digest (SHA-256): {'d' * 64}" in parameters
        assert "target layer: features.denseblock4" in parameters


def test_a_finding_without_support_has_no_region_and_says_so(cases, report):
    found = report(cases("radiograph"))
    nodule = findings(found)["Nodule"]
    assert answers(nodule)["SUPPORT"] == "Absent"
    assert "No supporting evidence." in comments(nodule)
    tracked = [one.tracking_identifier for one in getattr(found.content, PLANAR)()]
    assert tracked == ["Effusion, region 1 of 1"]


def test_a_finding_below_its_operating_point_is_told_without_region(cases, report):
    found = findings(report(cases("radiograph")))["Cardiomegaly"]
    assert answers(found)["POINT-REACHED"] == "No"
    assert structured_report.BELOW in comments(found)
    assert set(numbers(found)) >= {"122157", "LOGIT", "111071", "EVIDENCE-FOR", "EVIDENCE-AGAINST"}


def test_findings_come_with_the_most_probable_first(cases, report):
    assert list(findings(report(cases("radiograph")))) == ["Effusion", "Nodule", "Cardiomegaly"]


def test_what_viewers_without_properties_show_names_the_numbers_too(cases, report):
    case = cases("radiograph")
    lines = [item.TextValue for item in evaluations(report(case)) if item.ValueType == "TEXT"]
    probability = case.material.explanation.prediction.probabilities[0]
    assert lines[0] == f"Effusion: probability {probability:.3f}, operating point 0.500."
    assert [line.partition(":")[0] for line in lines] == ["Effusion", "Nodule", "Cardiomegaly"]


def test_findings_of_which_no_map_was_asked_are_told_too(cases, report):
    case = cases("radiograph")
    explanation = case.material.explanation
    old = explanation.prediction
    more = Prediction((*old.findings, Finding("Mass")), (*old.logits, -3.0), (*old.probabilities, 0.05))
    changed = replace(explanation, prediction=more)
    found = findings(report(replace(case, material=replace(case.material, explanation=changed))))["Mass"]
    assert set(numbers(found)) == {"122157", "LOGIT"}
    assert comments(found) == [structured_report.NO_MAP]


def test_every_measurement_group_has_an_outline(case, report):
    """OHIF reads one in each, and shows nothing of a report where one has none."""
    content = report(case).content
    groups = content._find_measurement_groups()
    assert len(groups) == len(getattr(content, PLANAR)()) == 1
    for group in groups:
        assert [item.GraphicType for item in group.ContentSequence if item.ValueType == "SCOORD"] == [
            "POLYLINE"
        ]


def test_a_region_has_the_numbers_of_its_finding_and_its_share(cases, report):
    case = cases("radiograph")
    (group,) = getattr(report(case).content, PLANAR)()
    assert group.finding_type.value == "60046008"
    probability, share = group.get_measurements()
    assert probability.name == codes.PROBABILITY
    assert probability.value == pytest.approx(case.material.explanation.prediction.probabilities[0])
    assert (share.name, share.name.meaning) == (codes.SHARE, "Share of evidence for Effusion")
    assert 0 < share.value <= 100


@pytest.mark.parametrize("chosen", [[], [1]])
def test_where_there_is_no_region_the_report_has_no_measurements_and_another_title(cases, report, chosen):
    """OHIF shows nothing of an Imaging Measurement Report without a measurement."""
    found = report(cases("radiograph"), chosen)
    assert found.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert found.ConceptNameCodeSequence[0].CodeValue == codes.FINDINGS_REPORT.value
    assert "Imaging Measurements" not in [named(item) for item in found.ContentSequence]
    assert list(findings(found)) == ["Effusion", "Nodule", "Cardiomegaly"]


def test_where_nothing_is_shown_the_report_is_valid_and_says_it(case, saved, printed):
    written = saved(structured_report.write(case.material, []))
    assert errors_beyond(written[0], case.paths) == []
    assert inconsistencies(written, case.paths) == []
    text = printed(case, [])
    assert structured_report.NOTHING_SHOWN in text
    assert "SCOORD" not in text


def test_a_map_without_a_unit_gives_no_logits_of_evidence(cases, relative, report):
    found = findings(report(relative(cases("radiograph"))))["Effusion"]
    assert set(numbers(found)) == {"122157", "LOGIT", "111071"}


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
def test_of_a_volume_the_region_lies_on_the_slice_with_most_evidence(name, cases, report):
    case = cases(name)
    (group,) = getattr(report(case).content, PLANAR)()
    columns, rows = group.roi.value.T
    (reference,) = group.roi.ContentSequence[0].ReferencedSOPSequence
    source = next(
        one for one in case.material.sources if one.SOPInstanceUID == reference.ReferencedSOPInstanceUID
    )
    number = int(reference.get("ReferencedFrameNumber", 1))
    assert ("ReferencedFrameNumber" in reference) == (name == "enhanced")
    # Where the file's own header says that the slice lies, in mm; then back by the matrix of the map's image.
    view = frame_view(source, number - 1)
    corner = [float(mm) for mm in view.ImagePositionPatient]
    place = (np.linalg.inv(case.material.image.pixel_to_patient) @ [*corner, 1])[0]
    assert abs(place - round(place)) < 1e-3
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
    assert len(group.roi.value) > structured_report.RECTANGLE


def test_a_small_region_is_not_taken_for_a_rectangle(cases, report):
    """OHIF makes a rectangle of its own of a closed line with five points, and asks whether to edit it."""
    case = cases("radiograph")
    shape = case.material.image.space
    values = np.zeros((3, *shape), np.float32)
    values[0, 100, 200] = 1
    geometry = replace(case.geometry, native_shape=shape, native_to_pixel=np.eye(3))
    (group,) = getattr(report(with_map(case, values=values, geometry=geometry)).content, PLANAR)()
    assert len(group.roi.value) > structured_report.RECTANGLE
    assert (group.roi.value[0] == group.roi.value[-1]).all()
    assert group.roi.value.mean(axis=0) == pytest.approx([200.5, 100.5], abs=0.2)


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
