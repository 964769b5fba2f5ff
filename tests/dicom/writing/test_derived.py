"""What all written objects have in common, looked at in a report."""

import copy
import warnings
from dataclasses import replace

import pytest
from pydicom import dcmread

from camlucida.dicom.thread_warnings import warned
from camlucida.dicom.writing import parametric_map, presentation_state, secondary_capture, structured_report
from camlucida.dicom.writing.derived import (
    SECONDARY_CAPTURE,
    STRUCTURED_REPORT,
    object_uid,
    series_description,
)
from camlucida.dicom.writing.material import to_bytes


@pytest.fixture
def changed(cases, tmp_path):
    """The report of the radiograph whose header says something else: `changed(PatientName=…)`."""

    def change(**values):
        case = cases("radiograph")
        source = dcmread(case.paths[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of rules that a source breaks on purpose
            for keyword, value in values.items():
                setattr(source, keyword, value)
            source.save_as(tmp_path / "changed.dcm", enforce_file_format=True)
        header = dcmread(tmp_path / "changed.dcm", stop_before_pixels=True)
        (report,) = structured_report.write(replace(case.material, sources=(header,)))
        (tmp_path / "report.dcm").write_bytes(to_bytes(report))
        return dcmread(tmp_path / "report.dcm")

    return change


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 100", "Müller^Jörg"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("ISO_IR 192", "Ünïcode^Żółć"),
    ],
)
def test_names_survive_in_unicode(changed, character_set, name):
    report = changed(SpecificCharacterSet=character_set, PatientName=name, ReferringPhysicianName=name)
    assert report.SpecificCharacterSet == "ISO_IR 192"
    assert str(report.PatientName) == name
    assert str(report.ReferringPhysicianName) == name


def test_patient_and_study_are_those_of_the_source(changed, cases):
    source = cases("radiograph").material.first
    report = changed(PatientComments="kept", StudyDescription="Chest")
    for keyword in (
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "PatientAge",
        "StudyInstanceUID",
        "StudyID",
    ):
        assert report[keyword].value == source[keyword].value
    assert (report.PatientComments, report.StudyDescription) == ("kept", "Chest")
    assert report.SeriesInstanceUID != source.SeriesInstanceUID
    assert "BodyPartExamined" not in report  # a report has none


@pytest.mark.parametrize("writer", [secondary_capture, parametric_map, presentation_state])
@pytest.mark.parametrize(
    ("body_part", "side", "said"),
    [("CHEST", None, None), ("BREAST", "L", "L"), ("", None, ""), (None, None, "")],
)
def test_the_side_of_a_body_part_that_nobody_names_is_unknown(cases, writer, body_part, side, said):
    """Laterality is of type 2C (PS3.3 C.7.3.1)."""
    material = cases("radiograph").material
    source = copy.deepcopy(material.first)
    for keyword, value in (("BodyPartExamined", body_part), ("Laterality", side), ("ImageLaterality", None)):
        source.pop(keyword, None)
        if value is not None:
            setattr(source, keyword, value)
    for written in writer.write(replace(material, sources=(source,))):
        assert written.get("Laterality") == said


def test_what_was_lost_once_stays_lost(cases):
    material = cases("radiograph").material
    source = copy.deepcopy(material.first)
    source.LossyImageCompression = "01"
    source.LossyImageCompressionRatio, source.LossyImageCompressionMethod = 12.5, "ISO_10918_1"
    for writer in (secondary_capture, parametric_map):
        written = writer.write(replace(material, sources=(source,)))[0]
        assert written.LossyImageCompression == "01"
        assert (written.LossyImageCompressionRatio, written.LossyImageCompressionMethod) == (
            12.5,
            "ISO_10918_1",
        )


def test_values_that_break_the_rules_are_copied_without_a_word_and_without_an_error(changed):
    report = changed(PatientAge="066Years", PatientID=70 * "X", StudyDate="yesterday")  # warnings are errors
    assert report.get_item("PatientID").value.decode().strip() == 70 * "X"
    assert report.get_item("StudyDate").value.decode().strip() == "yesterday"


@pytest.mark.parametrize("character_set", ["NONSENSE", "ISO_IR 192", ["", "ISO 2022 IR 87"]])
def test_names_that_nobody_can_read_do_not_stop_the_report(cases, tmp_path, character_set):
    case = cases("radiograph")
    path = tmp_path / "broken.dcm"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = dcmread(case.paths[0])
        source.SpecificCharacterSet = character_set
        source.PatientName = "PHANTOM^7102"
        source.save_as(path)
    content = path.read_bytes()
    assert content.count(b"PHANTOM^7102") == 1
    path.write_bytes(content.replace(b"PHANTOM^7102", b"\xff\xfe\x1b$B\x80^\xc3(^\xff\x1b"))
    with warned():
        header = dcmread(path, stop_before_pixels=True)
        (report,) = structured_report.write(replace(case.material, sources=(header,)))
    path.write_bytes(to_bytes(report))
    assert dcmread(path).PatientID == "PHANTOM-7102"


def test_without_a_time_zone_the_study_s_times_are_not_said_to_be_utc(changed):
    report = changed()
    assert "TimezoneOffsetFromUTC" not in report
    assert (report.ContentDate, report.ContentTime) == ("20260102", "030405.678901")
    model = report.ContributingEquipmentSequence[-1]
    assert model.ContributionDateTime == "20260102030405.678901+0000"


@pytest.mark.parametrize(
    ("offset", "date", "time"),
    [
        ("+0530", "20260102", "083405.678901"),
        ("-0800", "20260101", "190405.678901"),
        ("+0000", "20260102", None),
    ],
)
def test_with_the_source_s_time_zone_all_times_are_in_it(changed, offset, date, time):
    report = changed(TimezoneOffsetFromUTC=offset)
    assert report.TimezoneOffsetFromUTC == offset
    assert report.ContentDate == report.SeriesDate == report.InstanceCreationDate == date
    assert report.ContentTime == (time or "030405.678901")


def test_equipment_says_who_took_the_image_and_which_model_explained_it(changed):
    report = changed(Manufacturer="Maker of X-rays", SoftwareVersions=["7", "7.1"])
    acquisition, model = report.ContributingEquipmentSequence
    assert acquisition.PurposeOfReferenceCodeSequence[0].CodeValue == "109101"
    assert acquisition.Manufacturer == "Maker of X-rays"
    assert list(acquisition.SoftwareVersions) == ["7", "7.1"]
    assert model.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    assert (model.ManufacturerModelName, model.SoftwareVersions) == ("made-up", "1.0")
    assert model.DeviceSerialNumber == "d" * 64
    assert (report.Manufacturer, report.SoftwareVersions) == ("camlucida", "0.1.0")


def test_the_file_says_who_wrote_it(changed):
    meta = changed().file_meta
    assert meta.ImplementationClassUID == "2.25.270838137926834421903829402087139205172"
    assert meta.ImplementationVersionName.startswith("CAMLUCIDA 0")
    assert len(meta.ImplementationVersionName) <= 16
    assert meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


def test_descriptions_fit(cases):
    material = cases("radiograph").material
    assert series_description(material, SECONDARY_CAPTURE) == "camlucida Grad-CAM overlay, made-up 1.0"
    explanation = material.explanation
    long = replace(explanation, provenance=replace(explanation.provenance, model_name=80 * "m"))
    assert len(series_description(replace(material, explanation=long), SECONDARY_CAPTURE)) == 64


def test_objects_of_one_kind_share_a_series_and_no_instance(cases):
    material = cases("radiograph").material
    uids = {
        object_uid(material, kind, word) for kind in (SECONDARY_CAPTURE, STRUCTURED_REPORT) for word in "ab"
    }
    assert len(uids) == 4
