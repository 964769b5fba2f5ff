import re

import numpy as np
import pytest
from pydicom.dataset import Dataset

from camlucida.dicom.read import read_dicom
from camlucida.records import VoiLutFunction, Window

VALUES = np.arange(12, dtype="u2").reshape(3, 4)


def read_one(path):
    (image,) = read_dicom([path])
    return image


def test_several_windows_with_explanations(make):
    image = read_one(
        make(
            VALUES,
            WindowCenter=["40", "-600"],
            WindowWidth=["350", "1200.5"],
            WindowCenterWidthExplanation=["SOFT", "LUNG"],
        )
    )
    assert image.windows == (Window(40, 350, explanation="SOFT"), Window(-600, 1200.5, explanation="LUNG"))


@pytest.mark.parametrize("function", list(VoiLutFunction))
def test_voi_lut_functions(make, function):
    image = read_one(make(VALUES, WindowCenter=5, WindowWidth=4, VOILUTFunction=function.value))
    assert image.windows == (Window(5, 4, function),)


def test_a_missing_window_is_no_window(make):
    image = read_one(make(VALUES))
    assert image.windows == ()
    assert image.voi_luts == ()
    assert image.notes == ()


@pytest.mark.parametrize(
    ("elements", "left", "note"),
    [
        ({"WindowCenter": [5, 6], "WindowWidth": [0, 4]}, (Window(6, 4),), "1 window.* impossible width"),
        ({"WindowCenter": 5, "WindowWidth": 0.5}, (), "impossible width"),
        ({"WindowCenter": [5, 6], "WindowWidth": 4}, (Window(5, 4),), "2 window centers but 1 window widths"),
        ({"WindowCenter": 5, "WindowWidth": 4, "VOILUTFunction": "MAGIC"}, (Window(5, 4),), "LINEAR is used"),
        ({"WindowCenter": 5, "WindowWidth": "1e300"}, (), "Window Width .* left out"),
    ],
)
def test_impossible_windows_are_left_out_with_a_note(make, elements, left, note):
    image = read_one(make(VALUES, **elements))
    assert image.windows == left
    assert any(re.search(note, one) for one in image.notes)


def test_a_width_below_one_is_possible_for_linear_exact(make):
    image = read_one(make(VALUES, WindowCenter=5, WindowWidth=0.5, VOILUTFunction="LINEAR_EXACT"))
    assert image.windows == (Window(5, 0.5, VoiLutFunction.LINEAR_EXACT),)


def lut(count, first, bits, data, explanation="hand"):
    item = Dataset()
    item.LUTDescriptor = [count, first, bits]
    item.LUTExplanation = explanation
    item.LUTData = data
    item["LUTData"].VR = "OW" if isinstance(data, bytes) else "US"
    item["LUTDescriptor"].VR = "SS" if first < 0 else "US"
    return item


@pytest.mark.parametrize("as_bytes", [False, True])
def test_voi_luts(make, as_bytes):
    table = [0, 10, 200, 4095]
    data = np.array(table, "u2").tobytes() if as_bytes else table
    image = read_one(make(VALUES, VOILUTSequence=[lut(4, 3, 12, data), lut(4, 3, 12, data, "foot")]))
    assert [one.explanation for one in image.voi_luts] == ["hand", "foot"]
    one = image.voi_luts[0]
    assert (one.first_mapped, one.bits, one.table.tolist()) == (3, 12, table)


def test_a_voi_lut_may_begin_below_zero(make):
    image = read_one(make(VALUES.astype("i2"), VOILUTSequence=[lut(4, -1000, 8, [0, 1, 2, 3])]))
    assert image.voi_luts[0].first_mapped == -1000


def test_a_damaged_voi_lut_is_left_out_with_a_note(make):
    image = read_one(make(VALUES, VOILUTSequence=[lut(9, 0, 12, [1, 2]), lut(2, 0, 12, [1, 2])]))
    assert len(image.voi_luts) == 1
    assert any("LUT Data (0028,3006) has 2 entries where 9 are declared" in note for note in image.notes)


def test_65536_entries_are_written_as_zero(make):
    table = np.arange(65536, dtype="u2")
    image = read_one(make(VALUES, VOILUTSequence=[lut(0, 0, 16, table.tobytes())]))
    assert np.array_equal(image.voi_luts[0].table, table)


def test_a_real_voi_lut(bundled):
    image = read_one(bundled("vlut_04.dcm"))
    assert len(image.voi_luts) == 1
    assert len(image.voi_luts[0].table) == 256


def test_windows_never_change_the_values(make):
    plain, windowed = read_one(make(VALUES)), read_one(make(VALUES, WindowCenter=5, WindowWidth=4))
    assert plain.digest == windowed.digest
