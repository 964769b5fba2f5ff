import numpy as np
import pytest

from camlucida.records import Image, Photometric
from camlucida.rendering.thumbnail import thumbnail
from camlucida.rendering.window import display


def test_a_small_image_is_shown_as_it_is(make_image):
    image = make_image((61, 47))
    assert np.array_equal(thumbnail(image), display(image.values, image))


@pytest.mark.parametrize("shape", [(600, 300), (300, 600, 3)])
def test_a_large_one_keeps_its_proportion_and_its_mean(shape):
    values = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    image = Image(values, Photometric.RGB if len(shape) == 3 else Photometric.MONOCHROME2)
    small = thumbnail(image)
    assert small.shape[:2] == ((256, 128) if shape[0] == 600 else (128, 256))
    assert small.shape[2:] == shape[2:]
    assert small.mean() == pytest.approx(display(values, image).mean(), abs=1.0)


def test_of_a_volume_one_slice_in_the_window_of_the_whole(make_image):
    image = make_image((5, 40, 30))
    assert np.array_equal(thumbnail(image, 3), display(image.values[3], image))
