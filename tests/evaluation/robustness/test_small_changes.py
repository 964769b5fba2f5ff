from collections import Counter

import numpy as np
import pytest

from camlucida.evaluation.robustness.small_changes import Family, small_changes
from camlucida.records import Image, Photometric


@pytest.fixture(scope="module")
def smooth():
    """Waves that interpolation hardly changes, 12 bits."""
    row, column = np.indices((100, 150))
    values = 2000 + 1200 * np.sin(row / 15) * np.cos(column / 20)
    return Image(values.astype(np.uint16), bits_stored=12)


@pytest.fixture(scope="module")
def changed(smooth):
    return list(small_changes(smooth))


def test_twelve_changes_of_five_families(changed):
    counts = Counter(one.family for one in changed)
    assert counts == {family: 4 if family is Family.WINDOW else 2 for family in Family}


def test_every_change_changes_something_but_neither_type_nor_shape(smooth, changed):
    for one in changed:
        assert one.image.values.dtype == smooth.values.dtype
        assert one.image.space == smooth.space
        assert not np.array_equal(one.image.values, smooth.values), one.family


@pytest.mark.parametrize("family", [Family.SHIFT, Family.TURN])
def test_what_a_pixel_showed_is_found_where_the_matrix_says(smooth, changed, family):
    for one in changed:
        if one.family is not family:
            continue
        for place in [(20, 30), (50, 75), (80, 120)]:
            row, column, _ = one.moved @ [*place, 1]
            near = one.image.values[round(row), round(column)]
            assert abs(int(near) - int(smooth.values[place])) < 130  # half a pixel of the waves
            if family is Family.SHIFT:
                assert near == smooth.values[place]
                assert [round(row) - place[0], round(column) - place[1]] in ([2, 3], [-2, -3])


def test_a_window_s_ends_cut_off_and_brightness_moves(smooth, changed):
    narrow, wide, dark, bright = (one.image.values for one in changed if one.family is Family.WINDOW)
    low, high = (np.percentile(smooth.values, part, method="lower") for part in (0.5, 99.5))
    assert (narrow.min(), narrow.max()) == (low, high)
    assert (narrow == high).mean() > (smooth.values >= high).mean() + 0.02
    assert wide.std() == pytest.approx(smooth.values.std() / 1.2, rel=0.01)
    assert bright.mean() > smooth.values.mean() + 100 > dark.mean() + 200


def test_noise_is_two_per_cent_of_the_range(smooth, changed):
    first, second = (one.image.values.astype(float) for one in changed if one.family is Family.NOISE)
    low, high = np.percentile(smooth.values, [0.5, 99.5])
    assert (first - smooth.values).std() == pytest.approx(0.02 * (high - low), rel=0.05)
    assert not np.array_equal(first, second)


def test_less_quality_is_further_from_the_image(smooth, changed):
    better, worse = (one.image.values.astype(float) for one in changed if one.family is Family.COMPRESSION)
    assert 0 < np.abs(better - smooth.values).mean() < np.abs(worse - smooth.values).mean() < 40


def test_padding_stays_padding():
    values = np.random.default_rng(0).integers(100, 200, (40, 40)).astype(np.int16)
    values[:5] = -2000
    image = Image(values, padding=(-2000, -2000))
    for one in small_changes(image):
        assert (one.image.values[:5] == -2000).all(), one.family


@pytest.mark.parametrize(
    ("shape", "photometric"), [((30, 40, 3), Photometric.RGB), ((4, 30, 40), Photometric.MONOCHROME2)]
)
def test_colour_and_volumes_too(shape, photometric):
    values = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    image = Image(values, photometric=photometric)
    for one in small_changes(image):
        assert one.image.values.shape == shape
        assert one.moved.shape == (len(image.space) + 1,) * 2
    shifted = next(one for one in small_changes(image) if one.family is Family.SHIFT).image.values
    slices = () if image.colour else (slice(None),)
    where = (*slices, slice(1, None), slice(1, None))
    before = (*slices, slice(-1), slice(-1))
    np.testing.assert_array_equal(shifted[where], values[before])


def test_an_image_of_one_value_stays_as_it_is():
    image = Image(np.full((20, 20), 7, np.uint8))
    assert all((one.image.values == 7).all() for one in small_changes(image))
