"""The header of any instance: who it is, what is searched of it, and what a hostile one gives."""

import tracemalloc
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from camlucida.dicom import container
from camlucida.dicom.header import LONGEST_VALUE, SEARCHED, file_meta, read_header, searched
from camlucida.errors import FileTooLarge, UnreadableFile
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph

PIXELS = np.arange(16, dtype=np.uint16).reshape(4, 4)


def value(header, tag):
    """The values of an attribute in DICOM JSON."""
    return header.attributes[tag].get("Value")


def test_an_instance_is_who_it_says(make):
    path = make(PIXELS, Modality="CT", SeriesNumber=3)
    header = read_header(path)
    dataset = dcmread(path)
    assert header.sop_class_uid == "1.2.840.10008.5.1.4.1.1.2"
    assert header.sop_instance_uid == dataset.SOPInstanceUID
    assert (header.study_instance_uid, header.series_instance_uid) == ("1.2.3", "1.2.3.4")
    assert header.transfer_syntax_uid == ExplicitVRLittleEndian


def test_what_is_searched_is_dicom_json(make):
    header = read_header(make(PIXELS, SeriesNumber=3, StudyDescription="Thorax", PixelSpacing=[0.5, 0.25]))
    assert value(header, "00100010") == [{"Alphabetic": "Secret^Person"}]
    assert value(header, "00200011") == [3]
    assert value(header, "00081030") == ["Thorax"]
    assert value(header, "00280010") == [4]
    assert value(header, "00280030") == [0.5, 0.25]
    assert header.attributes["00080060"] == {"vr": "CS", "Value": ["CT"]}
    assert "7FE00010" not in header.attributes


def test_what_is_empty_is_there_and_what_is_missing_is_not(make):
    header = read_header(make(PIXELS, StudyID=""))
    assert header.attributes["00200010"] == {"vr": "SH"}
    assert "00080050" not in header.attributes


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
)
def test_every_transfer_syntax_has_its_content_behind_the_meta_group(make, syntax):
    if syntax == DeflatedExplicitVRLittleEndian:
        path = make(PIXELS, syntax=syntax)
        content = path.read_bytes()[read_header(path).content_offset :]
        assert len(content) < 600  # deflated still
    else:
        path = make(PIXELS if syntax != ExplicitVRBigEndian else PIXELS.astype(">u2"), syntax=syntax)
        offset = read_header(path).content_offset
        first = path.read_bytes()[offset : offset + 4]
        assert first == (b"\x00\x08\x00\x16" if syntax == ExplicitVRBigEndian else b"\x08\x00\x16\x00")
    assert read_header(path).transfer_syntax_uid == syntax


def test_a_file_without_meta_group_is_implicit_and_begins_at_its_first_byte(make, tmp_path):
    whole = make(PIXELS, syntax=ImplicitVRLittleEndian)
    bare = tmp_path / "bare.dcm"
    bare.write_bytes(whole.read_bytes()[read_header(whole).content_offset :])
    header = read_header(bare)
    assert header.content_offset == 0
    assert header.transfer_syntax_uid == ImplicitVRLittleEndian
    assert file_meta(bare) == (Dataset(), 0)


def test_the_content_is_the_same_whatever_the_sender_says_of_itself(make):
    path = make(PIXELS)
    dataset = dcmread(path)
    dataset.file_meta.SourceApplicationEntityTitle = "ELSEWHERE"
    other = path.with_name("b.dcm")
    dataset.save_as(other, enforce_file_format=True)
    parts = [one.read_bytes()[read_header(one).content_offset :] for one in (path, other)]
    assert parts[0] == parts[1]
    assert path.read_bytes() != other.read_bytes()


def test_names_are_read_in_their_character_set(make):
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    header = read_header(make(PIXELS, SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName=name))
    assert value(header, "00100010") == [
        {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    ]


@pytest.mark.parametrize(
    "keyword", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]
)
@pytest.mark.parametrize("bad", ["", "../../etc/passwd", "1.2.3\\4.5.6", "1." + 64 * "2", "12"])
def test_uids_that_are_none_are_refused_without_quoting_them(dataset, save, keyword, bad):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the UID
        made = dataset(PIXELS)
        path = save(made)
        setattr(made, keyword, bad)
        made.save_as(path)
    with pytest.raises(UnreadableFile, match="missing or not a UID") as refused:
        read_header(path)
    assert not bad or bad not in str(refused.value)


def test_a_value_that_is_broken_or_very_long_is_left_out_and_the_rest_is_kept(dataset, save):
    made = dataset(PIXELS)
    path = save(made)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.StudyDescription = (LONGEST_VALUE + 1) * "x"
        made.save_as(path)
    raw = path.read_bytes()
    spacing = raw.index(b"1.0\\1.0 ")
    path.write_bytes(raw[:spacing] + b"x.y" + raw[spacing + 3 :])
    header = read_header(path)
    assert "00280030" not in header.attributes
    assert "00081030" not in header.attributes
    assert value(header, "00280010") == [4]


def test_every_searched_keyword_is_one_of_dicom():
    empty = Dataset()
    for keyword in SEARCHED:
        setattr(empty, keyword, None)
    assert len(searched(empty)) == len(SEARCHED)


def test_other_files_are_refused(tmp_path, bounds, make):
    (tmp_path / "text.txt").write_text("no DICOM at all, but longer than a preamble would be " * 5)
    with pytest.raises(UnreadableFile, match=r"text\.txt: this is not a DICOM file"):
        read_header(tmp_path / "text.txt")
    with pytest.raises(UnreadableFile, match="no such file"):
        read_header(tmp_path / "nothing.dcm")
    path = make(PIXELS)
    bounds(max_file_bytes=100)
    with pytest.raises(FileTooLarge):
        read_header(path)


@pytest.mark.parametrize("kept", [132, 140, 200, 330, 400])
def test_a_file_that_is_cut_off_is_refused(make, kept):
    path = make(PIXELS)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UnreadableFile):
        read_header(path)


def test_an_instance_without_pixels_is_one_all_the_same(dataset, save):
    made = dataset(PIXELS)
    path = save(made)
    del made.PixelData
    made.SOPClassUID, made.Modality = "1.2.840.10008.5.1.4.1.1.88.11", "SR"
    made.save_as(path)
    assert read_header(path).sop_class_uid == "1.2.840.10008.5.1.4.1.1.88.11"


def test_a_deflated_bomb_is_looked_through_in_little_memory(tmp_path, monkeypatch):
    """A few hundred kB that inflate to hundreds of MB: received headers do not hold them in memory."""
    write_radiograph(radiograph(1, rows=32), tmp_path / "film.dcm")
    dataset = dcmread(tmp_path / "film.dcm")
    dataset.PixelData = bytes(300_000_000)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "deflated.dcm")
    uid = dataset.SOPInstanceUID
    del dataset
    tracemalloc.start()
    assert read_header(tmp_path / "deflated.dcm").sop_instance_uid == uid
    monkeypatch.setattr(container, "settings", lambda: SimpleNamespace(max_file_bytes=200_000_000))
    with pytest.raises(FileTooLarge, match="The inflated file has"):
        read_header(tmp_path / "deflated.dcm")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 180_000_000
