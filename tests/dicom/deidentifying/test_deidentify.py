"""Whole files: whatever attribute holds an identity, the copy does not; and what it keeps is what it was."""

import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom._dicom_dict import DicomDictionary
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from camlucida.dicom.deidentifying.cleaning import METHOD
from camlucida.dicom.deidentifying.deidentify import Sharing, deidentify
from camlucida.dicom.deidentifying.profile import Retained
from camlucida.dicom.deidentifying.pseudonyms import Key
from camlucida.dicom.read import read_dicom
from camlucida.errors import CamlucidaError, NotDeidentified, UnreadableFile
from dicom.raw import data_set, element, image, part10, sequence
from dicom.validation import errors_beyond

SHARING = Sharing(Key(b"k" * 32), pixels_checked=True)
IDENTITY = {
    0x00100010: ("PN", "Szczęsny^Grażyna"),
    0x00100020: ("LO", "MRN-88231"),
    0x00100030: ("DA", "19470313"),
    0x00080050: ("SH", "ACC0099812"),
    0x00080080: ("LO", "Klinikum Musterstadt"),
    0x00080090: ("PN", "Quackenbush^Leopold"),
    0x00081010: ("SH", "KMS-CT-07"),
}
PLANTED = [
    "Szczęsny^Grażyna", "szczęsny", "GRAŻYNA", "MRN-88231", "19470313", "1947-03-13", "ACC0099812",
    "Klinikum Musterstadt", "Quackenbush", "Dr. Leopold", "KMS-CT-07", "1.2.276.0.7230010.3.1.2.2",
]  # fmt: skip
SEARCHED = [
    "Szczęsny", "Grażyna", "MRN-88231", "19470313", "1947-03-13", "ACC0099812", "Klinikum Musterstadt",
    "Quackenbush", "Leopold", "KMS-CT-07", "1.2.276.0.7230010.3.1.2.2",
]  # fmt: skip
TEXT_VRS = [
    "AE",
    "AS",
    "CS",
    "DA",
    "DS",
    "DT",
    "IS",
    "LO",
    "LT",
    "PN",
    "SH",
    "ST",
    "TM",
    "UC",
    "UI",
    "UR",
    "UT",
]
VRS = [*TEXT_VRS, "OB", "OW", "UN", "OF", "US", "FD", "SQ"]
KEPT = {0x00020010, 0x00080005, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x7FE00010, *IDENTITY}
TAGS = sorted(
    tag
    for tag in DicomDictionary
    if 0x00080000 < tag < 0x60000000 and tag not in KEPT and tag >> 16 != 0x0028
)


def identified(more=None, **options):
    """A CT slice of the patient, in UTF-8, with more elements by tag."""
    elements = {**image(), 0x00080005: element(0x00080005, "CS", b"ISO_IR 192")}
    elements |= {tag: element(tag, vr, text.encode()) for tag, (vr, text) in IDENTITY.items()}
    return part10(data_set(elements | (more or {})), **options)


@pytest.fixture
def shared(tmp_path):
    """De-identify a file given by its bytes: `shared(content, sharing)` gives the path of the copy."""

    def share(content, sharing=SHARING, **options):
        source = tmp_path / "source.dcm"
        source.write_bytes(content)
        return deidentify(source, tmp_path / "out", sharing, **options).path

    return share


def identity_in(content: bytes) -> list[str]:
    """Another search than the one that is tested: letters of any case, in the encodings of this file."""
    return [
        text
        for text in SEARCHED
        for case in (text, text.upper(), text.lower(), text.title())
        for encoding in ("utf-8", "iso8859-2", "utf-16-le", "utf-16-be")
        if case.encode(encoding) in content
    ]


def everything_in(folder: Path) -> bytes:
    """All bytes and names of a folder."""
    paths = list(folder.rglob("*"))
    names = "\n".join(map(str, paths)).encode()
    return names + b"".join(path.read_bytes() for path in paths if path.is_file())


texts = st.builds(
    lambda before, text, after: before + text + after,
    st.sampled_from(["", "seen by ", "x", "a\\", "^"]),
    st.sampled_from(PLANTED),
    st.sampled_from(["", " today", "y", "\\b", "\n"]),
)
encodings = st.sampled_from(["utf-8", "utf-8", "iso8859-2", "utf-16-le", "utf-16-be"])
values = st.builds(lambda text, encoding: text.encode(encoding), texts, encodings)
public = st.builds(
    lambda tag, vr, value: (tag, element(tag, vr or DicomDictionary[tag][0][:2], value)),
    st.sampled_from(TAGS),
    st.sampled_from([None, None, None, *(vr for vr in VRS if vr != "SQ")]),
    values,
).filter(lambda made: made[1][4:6] != b"SQ")
private = st.builds(
    lambda group, number, vr, value: (group << 16 | number, element(group << 16 | number, vr, value)),
    st.sampled_from([0x0009, 0x0019, 0x0029, 0x7FE1]),
    st.sampled_from([0x0010, 0x1001, 0x10FF]),
    st.sampled_from([*TEXT_VRS, "OB", "UN"]),
    values,
)


def nested(children):
    """Sequences, public and private, of what `children` makes."""
    tags = st.sampled_from(
        [0x00081140, 0x00082112, 0x0040A730, 0x00400275, 0x52009229, 0x00091002, 0x00700001]
    )
    return st.builds(
        lambda tag, items, undefined: (
            tag,
            sequence(tag, [data_set(dict(item)) for item in items], undefined=undefined),
        ),
        tags,
        st.lists(st.lists(children, max_size=3), max_size=3),
        st.booleans(),
    )


planted = st.lists(st.recursive(public | private, nested, max_leaves=6), min_size=1, max_size=6)


@given(planted, st.sampled_from([Retained(), Retained(modified_dates=True, device_identity=True)]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_an_identity_planted_anywhere_is_never_in_the_copy(tmp_path_factory, elements, retained):
    folder = tmp_path_factory.mktemp("planted")
    source = folder / "source.dcm"
    source.write_bytes(identified(dict(elements)))
    out = folder / "out"
    try:
        deidentify(source, out, Sharing(SHARING.key, retained, pixels_checked=True))
    except CamlucidaError:
        assert not list(out.rglob("*.dcm"))
    left = identity_in(everything_in(out)) if out.exists() else []
    if retained.device_identity:
        left = [text for text in left if text != "KMS-CT-07"]
    assert left == []


def filled(tags, text):
    """Each attribute with a text in it that its VR may hold."""
    made = {}
    for tag in tags:
        vr = DicomDictionary[tag][0]
        if vr in ("LO", "LT", "PN", "SH", "ST", "UC", "UT"):
            made[tag] = element(tag, vr, text.encode())
        elif vr == "UI":
            made[tag] = element(tag, vr, b"1.2.276.0.7230010.3.1.2.2")
        elif vr in ("DA", "DT"):
            made[tag] = element(tag, vr, b"19470313")
    return made


@pytest.mark.parametrize(
    "text", ["seen by Quackenbush", "Szczęsny^Grażyna", "MRN-88231", "Klinikum Musterstadt"]
)
def test_an_identity_in_every_attribute_at_once_is_cleaned_not_refused(shared, text):
    everywhere = filled(TAGS, text)
    assert len(everywhere) > 800
    inside = {
        0x00082112: sequence(0x00082112, [data_set(everywhere)]),
        0x00091001: element(0x00091001, "LO", text.encode()),
    }
    content = identified(everywhere | inside)
    path = shared(content)
    assert identity_in(content)
    assert identity_in(path.read_bytes()) == []
    assert identity_in(str(path).encode()) == []
    copy = dcmread(path)
    assert not any(found.tag.is_private for found in copy)
    assert copy.SourceImageSequence[0].SegmentLabel == "REMOVED"


def test_what_the_copy_says_of_itself(shared):
    copy = dcmread(shared(identified()))
    assert copy.PatientIdentityRemoved == "YES"
    assert copy.DeidentificationMethod == METHOD
    assert len(METHOD) <= 64
    assert [item.CodeValue for item in copy.DeidentificationMethodCodeSequence] == [
        "113100",
        "113103",
        "113104",
    ]
    assert copy.LongitudinalTemporalInformationModified == "REMOVED"
    assert copy.PatientName == copy.PatientID == SHARING.key.patient("id\0MRN-88231\0")
    assert copy.PatientBirthDate == copy.AccessionNumber == ""


def test_file_head_and_preamble_are_new(shared):
    head = element(0x00020016, "AE", b"KMS-CT-07") + element(0x00020100, "UI", b"1.2.3.4.5")
    path = shared(identified(preamble=b"Szcz Quackenbush".ljust(128, b"x"), meta=head))
    content = path.read_bytes()
    assert content[:128] == bytes(128)
    copy = dcmread(path)
    assert copy.file_meta.MediaStorageSOPInstanceUID == copy.SOPInstanceUID == path.stem
    assert copy.StudyInstanceUID == path.parent.name
    assert "SourceApplicationEntityTitle" not in copy.file_meta


def test_the_same_key_gives_the_same_file_and_references_stay_together(shared):
    source = element(0x00081155, "UI", b"1.2.276.0.7230010.3.1.4.1")
    reference = {0x00082112: sequence(0x00082112, [source])}
    first = shared(identified(reference)).read_bytes()
    assert shared(identified(reference)).read_bytes() == first
    copy = dcmread(shared(identified(reference)))
    assert copy.SourceImageSequence[0].ReferencedSOPInstanceUID == copy.SOPInstanceUID
    other = shared(identified(reference), Sharing(pixels_checked=True)).read_bytes()
    assert other != first


def test_dates_of_a_patient_move_together(shared):
    dates = {
        0x00080020: element(0x00080020, "DA", b"20240229"),
        0x00080021: element(0x00080021, "DA", b"20240301"),
        0x0008002A: element(0x0008002A, "DT", b"20240229101500.25+0100"),
        0x00080030: element(0x00080030, "TM", b"101500"),
        0x00080031: element(0x00080031, "TM", b"Quackenbush"),
        0x00080022: element(0x00080022, "DA", b"2024"),
    }
    sharing = Sharing(Key(b"m" * 32), Retained(modified_dates=True))
    copy = dcmread(shared(identified(dates), sharing))
    study, series = date.fromisoformat(copy.StudyDate), date.fromisoformat(copy.SeriesDate)
    assert (series - study).days == 1
    assert (date(2024, 2, 29) - study).days == sharing.key.days("id\0MRN-88231\0")
    assert copy.AcquisitionDateTime == f"{copy.StudyDate}101500.25+0100"
    assert (copy.StudyTime, copy.SeriesTime, copy.AcquisitionDate) == ("101500", "000000", "20000101")
    assert copy.PatientBirthDate == ""
    assert copy.LongitudinalTemporalInformationModified == "MODIFIED"
    assert [item.CodeValue for item in copy.DeidentificationMethodCodeSequence][3:] == ["113107"]


@pytest.mark.parametrize(
    ("age", "kept"), [("054Y", "054Y"), ("089Y", "089Y"), ("093Y", "090Y"), ("010M", "010M")]
)
def test_characteristics_are_kept_when_asked_but_no_age_beyond_89(shared, age, kept):
    more = {
        0x00101010: element(0x00101010, "AS", age.encode()),
        0x00100040: element(0x00100040, "CS", b"F"),
        0x00101020: element(0x00101020, "DS", b"1.71"),
        0x00102110: element(0x00102110, "LO", b"Penicillin"),
    }
    plain = dcmread(shared(identified(more)))
    assert "PatientAge" not in plain
    assert plain.PatientSex == ""
    copy = dcmread(shared(identified(more), Sharing(retained=Retained(patient_characteristics=True))))
    assert (copy.PatientAge, copy.PatientSex, float(copy.PatientSize)) == (kept, "F", 1.71)
    assert "Allergies" not in copy


def test_device_identity_is_kept_when_asked(shared):
    copy = dcmread(shared(identified(), Sharing(retained=Retained(device_identity=True))))
    assert copy.StationName == "KMS-CT-07"
    assert "113109" in [item.CodeValue for item in copy.DeidentificationMethodCodeSequence]


@pytest.mark.parametrize("where", ["pixels", "number", "text"])
def test_what_is_left_refuses_the_file_and_names_the_attribute_only(shared, tmp_path, monkeypatch, where):
    more = {}
    if where == "pixels":
        more[0x7FE00010] = element(0x7FE00010, "OW", b"..QUACKENBUSH....".ljust(32, b"\0"))
    elif where == "number":  # text in the bytes of numbers: nobody looks for it there, but the search does
        more[0x00189445] = element(0x00189445, "FD", b"Quackenbush     ")
    else:  # as if the cleaning had forgotten one
        monkeypatch.setattr("camlucida.dicom.deidentifying.cleaning.Cleaning._is_clean", lambda *_: True)
        more[0x00281055] = element(0x00281055, "LO", b"Quackenbush's window")
    with pytest.raises(NotDeidentified, match=re.escape("ReferringPhysicianName (0008,0090)")) as caught:
        shared(identified(more))
    assert "uackenbush" not in str(caught.value)
    assert list((tmp_path / "out").rglob("*.dcm")) == []
    assert not list((tmp_path / "out").rglob(".unfinished*"))


def test_a_patient_who_is_called_as_our_words_is_shared(shared):
    called = {0x00100010: element(0x00100010, "PN", b"Basic^Profile^Removed")}
    assert dcmread(shared(identified(called))).PatientIdentityRemoved == "YES"


def test_deflated_files_are_written_plain_so_that_they_can_be_searched(tmp_path, bundled):
    made = deidentify(bundled("image_dfl.dcm"), tmp_path, Sharing(pixels_checked=True)).path
    assert dcmread(bundled("image_dfl.dcm")).file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian
    assert dcmread(made).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


REAL = [
    "RG1_UNCR.dcm", "RG1_J2KR.dcm", "CT_small.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm",
    "eCT_Supplemental.dcm", "emri_small_RLE.dcm", "US1_UNCR.dcm", "SC_rgb.dcm", "JPGExtended.dcm",
]  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_files_stay_valid_and_their_images_what_they_were(tmp_path, bundled, name):
    source = bundled(name)
    copy = deidentify(source, tmp_path, Sharing(pixels_checked=True)).path
    assert errors_beyond(copy, [source]) == []
    before, after = read_dicom([source]), read_dicom([copy])
    assert [image.digest for image in after] == [image.digest for image in before]
    for one, other in zip(before, after, strict=True):
        assert one.spacing == other.spacing
        assert np.array_equal(one.values, other.values)
        assert (one.pixel_to_patient is None) == (other.pixel_to_patient is None)
        assert one.pixel_to_patient is None or np.array_equal(one.pixel_to_patient, other.pixel_to_patient)
    assert dcmread(copy)["PixelData"].value == dcmread(source)["PixelData"].value


def test_images_that_may_show_a_name_are_refused_unless_someone_has_looked(tmp_path, bundled):
    source = bundled("SC_rgb.dcm")
    with pytest.raises(NotDeidentified, match="--pixels-checked"):
        deidentify(source, tmp_path, Sharing())
    assert not list(tmp_path.rglob("*.dcm"))
    deidentify(source, tmp_path, Sharing(pixels_checked=True))
    deidentify(source, tmp_path, Sharing(), ours=True)


def test_what_is_no_dicom_file_is_refused(tmp_path):
    source = tmp_path / "notes.txt"
    source.write_text("nothing")
    with pytest.raises(UnreadableFile):
        deidentify(source, tmp_path / "out", SHARING)
