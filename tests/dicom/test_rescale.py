import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut

from camlucida.dicom.read import read_dicom
from camlucida.errors import UnreadableFile

VALUES = np.arange(12, dtype="u2").reshape(3, 4)


def read_one(path):
    (image,) = read_dicom([path])
    return image


def test_slope_and_intercept_are_kept_and_the_stored_values_too(make):
    image = read_one(make(VALUES, RescaleSlope="2.5", RescaleIntercept="-10"))
    assert np.array_equal(image.values, VALUES)
    assert np.allclose(image.modality_values(), [[2.5 * v - 10 for v in row] for row in VALUES.tolist()])


@pytest.mark.parametrize(
    ("elements", "unit"),
    [
        ({}, "HU"),
        ({"RescaleType": "HU"}, "HU"),
        ({"RescaleType": "US"}, ""),
        ({"RescaleType": "OD"}, "OD"),
        ({"Modality": "MR"}, ""),
        ({"Modality": "PT", "Units": "BQML"}, "BQML"),
    ],
)
def test_units(make, elements, unit):
    assert read_one(make(VALUES, **elements)).unit == unit


def test_a_ct_without_rescale_is_not_called_hu(make):
    image = read_one(make(VALUES, RescaleSlope=None, RescaleIntercept=None))
    assert image.unit == ""
    assert any("not known to be HU" in note for note in image.notes)


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"RescaleSlope": 0}, r"Rescale Slope \(0028,1053\) is 0"),
        ({"RescaleSlope": "1e300"}, "Rescale Slope .* not a finite number"),
        ({"RescaleIntercept": ["1", "2"]}, "Rescale Intercept .* has 2 values"),
    ],
)
def test_a_damaged_rescale_is_refused(make, elements, message):
    with pytest.raises(UnreadableFile, match=message):
        read_dicom([make(VALUES, **elements)])


def modality_lut(first, table, bits=16):
    item = Dataset()
    item.LUTDescriptor = [len(table), first, bits]
    item.ModalityLUTType = "OD"
    item.LUTData = table
    item["LUTData"].VR = "US"
    item["LUTDescriptor"].VR = "SS" if first < 0 else "US"
    return item


def test_modality_lut(make):
    image = read_one(
        make(
            VALUES,
            RescaleSlope=None,
            RescaleIntercept=None,
            ModalityLUTSequence=[modality_lut(3, [500, 100, 900], bits=10)],
        )
    )
    expected = [[500, 500, 500, 500], [100, 900, 900, 900], [900] * 4]
    assert np.array_equal(image.values, expected)
    assert (image.values.dtype, image.slope, image.unit, image.bits_stored) == (np.float32, 1, "OD", 10)


def test_a_real_modality_lut_of_signed_values(bundled):
    dataset = dcmread(bundled("mlut_18.dcm"))
    reference = apply_modality_lut(dataset.pixel_array, dataset)
    assert np.array_equal(read_one(bundled("mlut_18.dcm")).values, reference)


@pytest.mark.parametrize(
    ("dtype", "elements", "padding"),
    [
        ("u2", {"PixelPaddingValue": 0}, (0, 0)),
        ("u2", {"PixelPaddingValue": 5, "PixelPaddingRangeLimit": 2}, (2, 5)),
        ("u2", {"PixelPaddingValue": 63536}, (63536, 63536)),
        ("i2", {"PixelPaddingValue": 63536}, (-2000, -2000)),  # written as US: the sign was lost
        ("i2", {"PixelPaddingValue": 63536, "PixelPaddingRangeLimit": 63546}, (-2000, -1990)),
        ("u2", {}, None),
    ],
)
def test_padding(dataset, save, dtype, elements, padding):
    made = dataset(VALUES.astype(dtype), **elements)
    for keyword in elements:
        made[keyword].VR = "US"
    assert read_one(save(made)).padding == padding


def test_padding_survives_a_modality_lut(make):
    image = read_one(
        make(
            VALUES,
            RescaleSlope=None,
            RescaleIntercept=None,
            PixelPaddingValue=7,
            ModalityLUTSequence=[modality_lut(0, list(range(100, 112)))],
        )
    )
    low, high = image.padding
    marked = (image.values >= low) & (image.values <= high)
    assert np.array_equal(marked, VALUES == 7)
