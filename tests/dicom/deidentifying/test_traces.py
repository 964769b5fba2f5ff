"""Identifying strings: which there are in a data set, and that they are found however they are written."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from camlucida.dicom.deidentifying.profile import Retained
from camlucida.dicom.deidentifying.traces import ENCODINGS, traces_of

NAMES = [
    "Szczęsny",
    "Müller",
    "Ångström",
    "Παπαδόπουλος",
    "Иванов",
    "Yamada",
    "山田",
    "ﾔﾏﾀﾞ",
    "김희중",
    "王小东",
]


def data_set(**values):
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def traces(**values):
    return traces_of(data_set(**values), Retained())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_name_is_found_in_every_encoding_that_has_it(name, encoding):
    found = traces(PatientName=f"{name}^X")
    for case in (name, name.upper(), name.lower()):
        try:
            written = case.encode(encoding)
        except UnicodeError:
            continue
        assert found.in_bytes(b"\0\0\x10\0" + written + b" \0") == "PatientName (0010,0010)"
    assert found.in_text(f"about {name.upper()}, seen today")


def test_every_part_of_a_name_is_searched_but_titles_are_not():
    found = traces(PatientName="van der Berg^Anna-Maria^^Prof.", ReferringPhysicianName="Lee^Dr")
    for text in ("berg", "Frau ANNA-MARIA", "by Lee", "(LEE)", "der"):
        assert found.in_text(text), text
    for text in ("professor", "sleeve", "order", "Dr", "van"):
        assert (found.in_text(text) is None) == (text != "van"), text


def test_short_numbers_are_no_part_of_longer_ones_or_of_measurements():
    found = traces(PatientID="120")
    assert found.in_text("number 120")
    assert found.in_text("120", numeric=True) is None
    assert found.in_text("1200") is None
    assert found.in_text("1.2.120.4") is None
    assert traces(PatientID="123456").in_text("123456", numeric=True)


@pytest.mark.parametrize(
    "text",
    ["19470313", "1947-03-13", "13.03.1947", "03/13/1947", "13-03-1947", "born 19470313101500", "1947/03/13"],
)
def test_dates_are_found_as_they_are_written(text):
    assert traces(PatientBirthDate="19470313").in_text(text)
    assert traces(PatientBirthDate="19470313").in_bytes(text.encode("utf_16_be"))


def test_dates_that_say_nothing_are_not_searched():
    assert len(traces(StudyDate="20000101", SeriesDate="", ContentDate="19000101")) == 0


def test_uids_are_searched_whole_but_not_those_of_the_standard():
    found = traces(StudyInstanceUID="1.2.276.0.7.11", SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    assert found.in_text("1.2.276.0.7.11")
    assert found.in_text("1.2.276.0.7.11.5") is None
    assert found.in_text("1.2.276.0.7.113") is None
    assert found.in_text("1.2.840.10008.5.1.4.1.1.2") is None


def test_sequences_and_institutions_are_searched_and_retained_values_are_not():
    nested = data_set(InstitutionName="Klinikum Musterstadt", DeviceSerialNumber="SN-4711")
    dataset = data_set(ReferencedStudySequence=[nested])
    assert traces_of(dataset, Retained()).in_text("at klinikum musterstadt")
    assert traces_of(dataset, Retained()).in_text("SN-4711")
    assert traces_of(dataset, Retained(device_identity=True)).in_text("SN-4711") is None


def test_chance_in_pixels_is_no_identity_but_a_name_is():
    found = traces(PatientName="Lee^Quackenbush", PatientID="4711")
    noise = np.random.default_rng(3).integers(32, 127, 4_000_000).astype(np.uint8).tobytes()
    assert b"lee" in noise.lower()
    assert found.in_bytes(noise, opaque=True) is None
    hidden = noise[:3_000_001] + b"QUACKENBUSH" + noise[3_000_001:]
    assert found.in_bytes(hidden, opaque=True) == "PatientName (0010,0010)"


def test_a_name_on_the_border_of_two_parts_is_found(monkeypatch):
    monkeypatch.setattr("camlucida.dicom.deidentifying.traces.CHUNK", 1000)
    found = traces(PatientName="Quackenbush")
    for place in range(980, 1010):
        assert found.in_bytes(bytes(place) + b"quackenbush" + bytes(2000), opaque=True)
    assert found.in_bytes(bytes(5000)) is None


def test_allowed_strings_are_left_out():
    found = traces(PatientName="Quackenbush", StudyDate="20240229")
    assert found.without(["20240229"]).in_text("20240229") is None
    assert found.without(["20240229"]).in_text("Quackenbush")
    assert found.joined(traces(PatientID="MRN-1")).in_text("mrn-1")
