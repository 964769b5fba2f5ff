"""The table against another's, and what is done with attributes that are not in it."""

import importlib

import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.tag import Tag

from camlucida.dicom.deidentifying.profile import Action, Retained, action_of, table

OTHER = importlib.import_module("dicomanonymizer.dicom_anonymization_databases.dicomfields_2026c")
GROUPS = {
    "D": "D_TAGS", "Z": "Z_TAGS", "X": "X_TAGS", "U": "U_TAGS", "Z/D": "Z_D_TAGS", "X/Z": "X_Z_TAGS",
    "X/D": "X_D_TAGS", "X/Z/D": "X_Z_D_TAGS", "X/Z/U*": "X_Z_U_STAR_TAGS",
}  # fmt: skip
BASIC = Retained()
ALL = Retained(modified_dates=True, patient_characteristics=True, device_identity=True)


def tag(keyword):
    return Tag(tag_for_keyword(keyword))


def test_the_table_is_the_one_that_another_program_has():
    theirs = {
        group << 16 | element: action
        for action, name in GROUPS.items()
        for group, element, *mask in getattr(OTHER, name)
        if not mask  # repeating groups are rules here, not rows
    }
    assert {number: row.action for number, row in table().items()} == theirs
    assert len(theirs) > 640


def test_an_older_edition_of_the_table_has_nothing_that_is_missing():
    older = importlib.import_module("dicomanonymizer.dicom_anonymization_databases.dicomfields_2023")
    tags = {group << 16 | element for group, element, *mask in older.ALL_TAGS if not mask}
    assert tags <= set(table())


@pytest.mark.parametrize(
    ("keyword", "vr", "action"),
    [
        ("PatientName", "PN", Action.EMPTY),
        ("PatientID", "LO", Action.DUMMY),
        ("PatientAge", "AS", Action.REMOVE),
        ("StudyDate", "DA", Action.EMPTY),
        ("StudyInstanceUID", "UI", Action.REPLACE_UID),
        ("ContentDate", "DA", Action.DUMMY),
        ("InstitutionName", "LO", Action.DUMMY),
        ("SourceImageSequence", "SQ", Action.DESCEND),
        ("TextValue", "UT", Action.DUMMY),
        ("TimezoneOffsetFromUTC", "SH", Action.REMOVE),
        ("Rows", "US", Action.KEEP),
        ("SOPClassUID", "UI", Action.KEEP),
        ("CodeMeaning", "LO", Action.KEEP),
        ("PersonIdentificationCodeSequence", "SQ", Action.DUMMY),
    ],
)
def test_what_the_basic_profile_does(keyword, vr, action):
    assert action_of(tag(keyword), vr, BASIC) is action


@pytest.mark.parametrize(
    "number",
    [0x00091001, 0x00110010, 0x50003000, 0x60003000, 0x60000010, 0x60024000, 0xFFFCFFFC, 0xFFFAFFFA,
     0x00080000, 0x00100015, 0x00087777],
)  # fmt: skip
def test_what_nobody_can_know_is_removed(number):
    assert action_of(Tag(number), "LO", ALL) is Action.REMOVE


def test_names_uids_addresses_and_dates_identify_in_any_attribute():
    comment = tag("WindowCenterWidthExplanation")
    assert action_of(comment, "PN", BASIC) is Action.EMPTY
    assert action_of(comment, "UI", BASIC) is Action.REPLACE_UID
    assert action_of(comment, "DT", BASIC) is Action.EMPTY
    assert action_of(comment, "AE", BASIC) is Action.REMOVE
    assert action_of(comment, "LO", BASIC) is Action.KEEP


def test_options_retain_only_what_they_name():
    assert action_of(tag("PatientAge"), "AS", ALL) is Action.KEEP
    assert action_of(tag("DeviceSerialNumber"), "LO", ALL) is Action.KEEP
    assert action_of(tag("StudyDate"), "DA", ALL) is Action.SHIFT_DATE
    assert action_of(tag("TimezoneOffsetFromUTC"), "SH", ALL) is Action.SHIFT_DATE
    for keyword in (
        "PatientBirthDate",
        "PatientName",
        "InstitutionName",
        "AccessionNumber",
        "PatientComments",
    ):
        assert action_of(tag(keyword), "LO", ALL) is action_of(tag(keyword), "LO", BASIC)
