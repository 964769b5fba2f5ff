"""Windowing against the vectors, and what lies outside of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camlucida.errors import InputError
from camlucida.records import Image, Photometric, VoiLut, VoiLutFunction, Window
from camlucida.rendering.window import default_window, display, is_padding, stored_percentiles

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
CASES = json.loads((VECTORS / "windowing.json").read_text())["cases"]


def image_of(case, values):
    padding = case["padding"]
    return Image(
        values=values,
        photometric=Photometric(case["photometric"]),
        slope=case["slope"],
        intercept=case["intercept"],
        padding=tuple(padding) if padding else None,
    )


def window_of(case):
    if case["window"]:
        given = case["window"]
        return Window(given["center"], given["width"], VoiLutFunction(given["function"]))
    given = case["voi_lut"]
    return VoiLut(given["first_mapped"], np.array(given["table"], np.uint16), given["bits"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_vectors(case):
    values = np.array(case["stored"])
    assert display(values, image_of(case, values), window_of(case)).tolist() == case["grey"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_many_integers_take_the_table_and_give_the_same(case):
    stored = np.array(case["stored"])
    if (stored != np.floor(stored)).any() or np.abs(stored).max() > 32767:
        stored = np.arange(-5.0, 10)
    few = display(stored, image_of(case, stored), window_of(case))
    many = np.tile(stored.astype(np.int16), (1000, 1))
    assert (display(many, image_of(case, many), window_of(case)) == few).all()


def test_large_unsigned_values_are_looked_up_too():
    values = np.array([0, 65535] * 4000, np.uint16)
    assert display(values, Image(values), Window(32768, 65536))[:2].tolist() == [0, 255]


def test_the_files_first_window_is_the_default():
    values = np.arange(4096, dtype=np.int16)
    image = Image(values, windows=(Window(10, 20), Window(2000, 4000)), voi_luts=(lut(),))
    assert (display(values, image) == display(values, image, Window(10, 20))).all()
    assert default_window(image) == Window(10, 20)


def lut():
    return VoiLut(0, np.array([4095, 0], np.uint16), 12)


def test_a_file_with_only_a_voi_lut_is_shown_by_it():
    values = np.array([0.0, 1.0])
    assert display(values, Image(values, voi_luts=(lut(),))).tolist() == [255, 0]


def test_without_a_window_the_middle_of_the_values_is_shown_in_modality_values():
    values = np.arange(101, dtype=np.int16)
    window = default_window(Image(values, slope=2.0, intercept=-50.0))
    assert (window.center, window.width) == (2 * 50 - 50, 2 * 98)
    assert window.function is VoiLutFunction.LINEAR_EXACT


def test_a_constant_image_has_a_window():
    values = np.full((50, 50), 7, np.uint8)
    assert default_window(Image(values)).width == 1.0
    assert set(display(values, Image(values)).ravel().tolist()) == {128}


@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=60),
    st.floats(0, 100),
    st.floats(0, 100),
    st.booleans(),
)
def test_percentiles_are_numpys_lower_rank_whatever_the_way(numbers, low, high, many):
    low, high = sorted((low, high))
    values = np.array(numbers * (1000 if many else 1), np.int16)
    kept = values[~is_padding(values, (-3.0, 3.0))]
    expected = np.percentile(kept if kept.size else values, [low, high], method="lower")
    assert stored_percentiles(Image(values, padding=(-3.0, 3.0)), low, high) == tuple(expected)


def test_percentiles_of_float_images():
    values = np.linspace(0, 1, 5001, dtype=np.float32)
    assert stored_percentiles(Image(values), 1, 99) == pytest.approx((0.01, 0.99))


@pytest.mark.parametrize(
    ("window", "sentence"),
    [
        (Window(0, 0), "Window Width is 0; PS3.3 C.11.2.1.2.1 wants at least 1 for LINEAR."),
        (Window(0, 0.5), "Window Width is 0.5"),
        (Window(0, 0, VoiLutFunction.LINEAR_EXACT), "wants more than 0 for LINEAR_EXACT"),
        (Window(0, -3, VoiLutFunction.SIGMOID), "Window Width is -3"),
    ],
)
def test_impossible_widths_are_refused(window, sentence):
    values = np.zeros(3)
    with pytest.raises(InputError, match=sentence):
        display(values, Image(values), window)


def test_colour_passes_and_16_bits_become_8():
    eight = np.array([[[1, 2, 3]]], np.uint8)
    assert (display(eight, Image(eight, Photometric.RGB)) == eight).all()
    sixteen = np.array([[[0, 32768, 65535]]], np.uint16)
    shown = display(sixteen, Image(sixteen, Photometric.RGB, bits_stored=16))
    assert shown.tolist() == [[[0, 128, 255]]]
