import numpy as np
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from camlucida.dicom import elements
from camlucida.errors import UnreadableFile


def raw(tag, vr, value):
    """A data set with one element as it stands in a file, not yet converted."""
    dataset = Dataset()
    element = RawDataElement(Tag(tag), vr, len(value), value, 0, is_implicit_VR=False, is_little_endian=True)
    dataset.set_original_encoding(is_implicit_vr=False, is_little_endian=True)
    dataset[Tag(tag)] = element
    return dataset


def test_names_are_those_of_the_standard():
    assert elements.naming("Rows") == "Rows (0028,0010)"
    assert elements.naming("PixelData") == "Pixel Data (7FE0,0010)"


def test_numbers():
    assert elements.numbers(raw(0x00280030, "DS", b"0.5\\0.25 "), "PixelSpacing") == (0.5, 0.25)
    assert elements.number(raw(0x00281053, "DS", b"2.5 "), "RescaleSlope") == 2.5
    assert elements.integer(raw(0x00280008, "IS", b"12"), "NumberOfFrames") == 12
    assert elements.integer(raw(0x00280010, "US", b"\x02\x01"), "Rows") == 258


@pytest.mark.parametrize("missing", [Dataset(), raw(0x00280008, "IS", b"")])
def test_missing_and_empty_are_the_same(missing):
    assert elements.value(missing, "NumberOfFrames") is None
    assert elements.numbers(missing, "NumberOfFrames") == ()
    assert elements.number(missing, "NumberOfFrames") is None
    assert elements.integer(missing, "NumberOfFrames") is None
    assert elements.text(missing, "NumberOfFrames") == ""
    assert elements.items(missing, "NumberOfFrames") == []


@pytest.mark.parametrize(
    ("vr", "content"),
    [("IS", b"1A"), ("IS", b"1.5 "), ("IS", b"1\\2 "), ("US", b"\x01"), ("SQ", b"xx"), ("DS", b"nan ")],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_what_is_no_whole_number_is_named_but_not_quoted(vr, content):
    with pytest.raises(UnreadableFile, match=r"^Number of Frames \(0028,0008\) ") as caught:
        elements.integer(raw(0x00280008, vr, content), "NumberOfFrames")
    assert "1A" not in str(caught.value)


@pytest.mark.parametrize("content", [b"inf ", b"nan ", b"1e13", b"-1e300 "])
def test_numbers_beyond_all_sense(content):
    with pytest.raises(UnreadableFile, match=r"not a finite number below 1e12"):
        elements.number(raw(0x00281053, "DS", content), "RescaleSlope")


def test_text_loses_blanks_and_zero_bytes():
    assert elements.text(raw(0x00080060, "CS", b" CT\0\0"), "Modality") == "CT"
    assert elements.text(raw(0x00080008, "CS", b"A\\B "), "ImageType") == "A\\B"


def test_damaged_text_is_empty():
    assert elements.text(raw(0x0008103E, "US", b"x"), "SeriesDescription") == ""


def test_items_of_what_is_no_sequence():
    assert elements.items(raw(0x00283010, "LO", b"text"), "VOILUTSequence") == []
    assert elements.item(Dataset(), "VOILUTSequence") is None
    assert elements.item(None, "VOILUTSequence") is None


def test_words_of_eight_and_sixteen_bits():
    dataset = Dataset()
    dataset.LUTData = b"\x01\x02\x03\x04"
    assert elements.words(dataset, "LUTData", 4).tolist() == [1, 2, 3, 4]
    assert elements.words(dataset, "LUTData", 2).tolist() == [0x0201, 0x0403]
    assert elements.words(dataset, "LUTData", 2, ">").tolist() == [0x0102, 0x0304]
    dataset.LUTData = [1, 65535]
    assert np.array_equal(elements.words(dataset, "LUTData", 2), [1, 65535])
