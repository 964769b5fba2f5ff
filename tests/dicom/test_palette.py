import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut

from camlucida.dicom.palette import expand, to_rgb
from camlucida.dicom.read import read_dicom
from camlucida.errors import UnreadableFile


def with_tables(bits, first, *tables):
    dataset = Dataset()
    dataset.PixelRepresentation = 0
    for channel, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        setattr(dataset, f"{channel}PaletteColorLookupTableDescriptor", [len(table), first, bits])
        data = np.asarray(table, "u2" if bits == 16 else "u1").tobytes()
        setattr(dataset, f"{channel}PaletteColorLookupTableData", data)
    return dataset


def test_eight_bits_and_indices_outside_the_table():
    dataset = with_tables(8, 10, [1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12])
    indices = np.array([[0, 10, 11], [12, 13, 200]], np.uint8)
    expected = [[[1, 5, 9], [1, 5, 9], [2, 6, 10]], [[3, 7, 11], [4, 8, 12], [4, 8, 12]]]
    assert np.array_equal(to_rgb(indices, dataset, "<"), expected)


def test_sixteen_bits_keep_the_upper_eight():
    dataset = with_tables(16, 0, [0, 0x1234], [0, 0x80FF], [0, 0xFFFF])
    assert np.array_equal(to_rgb(np.array([1]), dataset, "<"), [[0x12, 0x80, 0xFF]])


def test_sixteen_bits_that_hold_only_eight():
    dataset = with_tables(16, 0, [0, 17], [0, 99], [0, 255])
    assert np.array_equal(to_rgb(np.array([1]), dataset, "<"), [[17, 99, 255]])


@pytest.mark.parametrize("name", ["gdcm-US-ALOKA-16.dcm", "gdcm-US-ALOKA-16_big.dcm", "OBXXXX1A.dcm"])
def test_real_palettes_as_pydicom_applies_them(bundled, name):
    dataset = dcmread(bundled(name))
    reference = apply_color_lut(dataset.pixel_array, dataset)
    reference = reference // 256 if reference.max() > 255 else reference
    (image,) = read_dicom([bundled(name)])
    assert np.array_equal(image.values, reference)


def test_segments_expand_as_the_standard_says():
    # PS3.3 C.7.9.2: discrete (0, n, values), linear (1, n, end), indirect (2, n segments, offset in 2 words)
    data = [0, 2, 100, 110, 1, 5, 160, 2, 2, 0, 0, 0, 1, 7]
    assert expand(data, wide=True).tolist() == [
        *[100, 110],
        *[120, 130, 140, 150, 160],
        *[100, 110, 120, 130, 140, 150, 160],
        7,
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([1, 5, 100], "does not know"),  # nothing to go on from
        ([7, 5, 100], "does not know"),
        ([0, 1, 5, 2, 1, 3, 0], "does not know"),  # an indirect segment that points at itself
        ([0, 1, 5, 2, 1, 9999, 0], "points outside"),
        ([0, 1, 5, 2, 1, 0xFFFF, 0xFFFF], "points outside"),
        ([0, 1, 5] + [1, 65535, 6] * 3, "more than 65,536"),
        ([0, 1, 5, 1, 60000, 6, 2, 3, 3, 0], "more than 65,536|points outside"),
    ],
)
def test_segments_that_lead_astray_or_never_end(data, message):
    with pytest.raises(UnreadableFile, match=message):
        expand(data, wide=True)


@pytest.mark.parametrize(
    ("keyword", "value", "message"),
    [
        ("RedPaletteColorLookupTableDescriptor", [4, 0, 12], "missing or damaged"),
        ("GreenPaletteColorLookupTableDescriptor", None, "missing or damaged"),
        ("BluePaletteColorLookupTableData", b"\1\2", "has 2 entries where 4 are declared"),
        ("BluePaletteColorLookupTableData", None, "is missing"),
    ],
)
def test_damaged_tables(keyword, value, message):
    dataset = with_tables(8, 0, [1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12])
    delattr(dataset, keyword)
    if value is not None:
        setattr(dataset, keyword, value)
    with pytest.raises(UnreadableFile, match=message):
        to_rgb(np.zeros((2, 2), int), dataset, "<")
