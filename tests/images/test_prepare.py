"""From an image to a network's input and back: intensities written out again, planted points found again."""

import time

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from camlucida.errors import InvalidModelCard, MissingGeometry, UnsuitableImage
from camlucida.images.prepare import Fit, Intensity, Preparation, prepare
from camlucida.records import Image, Photometric, Window
from camlucida.rendering.upsample import to_pixel_grid

# --- the way back -------------------------------------------------------------------------------------------


@st.composite
def cases(draw):
    """An image's shape and spacing, and how it is fitted: any size, fit and anisotropy, 2D and 3D."""
    axes = draw(st.sampled_from([2, 3]))
    shape = tuple(draw(st.integers(1, 40)) for _ in range(axes))
    size = tuple(draw(st.integers(1, 33)) for _ in range(axes))
    spacing = tuple(draw(st.sampled_from([0.5, 0.7, 1.0, 3.0])) for _ in range(axes))
    fit = draw(st.sampled_from(list(Fit)))
    wanted = None if fit is Fit.STRETCH else draw(st.sampled_from([None, (1.5,) * axes]))
    top = max(shape) - 1 or 1
    preparation = Preparation(axes, 1, size, fit, "range", 0, top, spacing=wanted)
    return shape, spacing, preparation


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases(), st.data())
def test_every_input_cell_says_where_it_came_from(case, data):
    """Each pixel holds its own coordinate along an axis; so must each input cell, by the way back."""
    shape, spacing, preparation = case
    axis = data.draw(st.integers(0, len(shape) - 1))
    ramp = np.indices(shape)[axis].astype(np.float32)
    prepared = prepare(Image(ramp, spacing=spacing), preparation)
    cells = np.indices(preparation.size).reshape(len(shape), -1).T
    pixels = prepared.geometry(preparation.size).cell_to_pixel(cells)
    reach = np.maximum(1, np.abs(np.diag(prepared.input_to_pixel)[:-1]))  # of the antialiasing
    inner = ((pixels >= reach) & (pixels <= np.array(shape) - 1 - reach)).all(axis=1)
    seen = prepared.values.ravel() * preparation.high
    # A triangle of a broken width on whole pixels is off its centre by up to a twelfth of a pixel.
    tolerance = 2e-3 if reach.max() == 1 else 0.1
    np.testing.assert_allclose(seen[inner], pixels[inner, axis], atol=tolerance)
    outside = ((pixels < -0.51) | (pixels > np.array(shape) - 0.49)).any(axis=1)
    assert not seen[outside].any()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_fields(case):
    """Stretch and pad see the whole image, crop fills the whole input; all are centred."""
    shape, spacing, preparation = case
    prepared = prepare(Image(np.zeros(shape, np.float32), spacing=spacing), preparation)
    geometry = prepared.geometry(preparation.size)
    low = geometry.cell_to_pixel([[-0.5] * len(shape)])[0]
    high = geometry.cell_to_pixel([[n - 0.5 for n in preparation.size]])[0]
    np.testing.assert_allclose(low + high, np.array(shape) - 1, atol=1e-9)
    field, whole = high - low, np.array(shape)
    if preparation.spacing:
        mm = field / preparation.size * spacing
        np.testing.assert_allclose(mm, preparation.spacing)
    elif preparation.fit is Fit.STRETCH:
        np.testing.assert_allclose(field, whole)
    elif preparation.fit is Fit.PAD:
        assert (field >= whole - 1e-9).all()
        assert np.isclose(field, whole).any()
    else:
        assert (field <= whole + 1e-9).all()
        assert np.isclose(field, whole).any()


TO_PATIENT = np.array([[0, 0, 0.6, -90.0], [0, 0.6, 0, -40.0], [-2.5, 0, 0, 300.0], [0, 0, 0, 1.0]])

PLANTED = [
    ((301, 207), (47, 160), (32, 32), Fit.STRETCH, None),
    ((301, 207), (47, 160), (32, 32), Fit.PAD, None),
    ((301, 207), (190, 60), (32, 32), Fit.CROP, None),
    ((99, 250), (60, 130), (40, 24), Fit.CROP, None),
    ((31, 95, 77), (8, 70, 20), (16, 24, 24), Fit.STRETCH, None),
    ((31, 95, 77), (14, 70, 20), (16, 24, 24), Fit.PAD, None),
    ((31, 95, 77), (16, 60, 25), (16, 24, 24), Fit.CROP, None),
    ((31, 95, 77), (18, 50, 30), (40, 24, 24), Fit.CROP, (2.0, 1.5, 1.5)),
]


@pytest.mark.parametrize(("shape", "at", "size", "fit", "spacing"), PLANTED)
def test_a_planted_point_lands_within_half_a_voxel(shape, at, size, fit, spacing):
    """A spot is planted, the input is taken for a native grid, and the map is carried back to the image."""
    mm = (2.5, 0.6, 0.6)[-len(shape) :]
    preparation = Preparation(len(shape), 1, size, fit, "range", 0, 1, spacing=spacing)
    empty = Image(np.zeros(shape, np.float32), spacing=mm)
    steps = prepare(empty, preparation).geometry(size).cell_size_pixels()
    wide = 1.5 * np.maximum(1, steps).reshape(-1, *[1] * len(shape))
    grid = np.indices(shape)
    spot = np.exp(-(((grid - np.reshape(at, wide.shape)) / wide) ** 2).sum(axis=0) / 2)
    image = Image(spot.astype(np.float32), spacing=mm, pixel_to_patient=TO_PATIENT)
    prepared = prepare(image, preparation)
    geometry = prepared.geometry(size)

    strongest = np.unravel_index(prepared.values[0].argmax(), size)
    close = (np.abs(np.indices(size) - np.reshape(strongest, wide.shape)) <= 4).all(axis=0)
    weights = prepared.values[0] * close
    cell = (np.indices(size) * weights).sum(axis=tuple(range(1, len(size) + 1))) / weights.sum()
    assert np.abs(geometry.cell_to_pixel([cell])[0] - at).max() < 0.5
    place = TO_PATIENT @ [*[0] * (3 - len(at)), *at, 1]
    off_mm = np.abs(geometry.cell_to_patient([cell])[0] - place[:3])
    assert (off_mm < 0.5 * np.array([0.6, 0.6, 2.5])).all()

    shown = to_pixel_grid(prepared.values[0], geometry)
    near = (np.abs(grid - np.reshape(at, wide.shape)) <= 4 * wide).all(axis=0)
    centroid = [(axis * shown * near).sum() / (shown * near).sum() for axis in grid]
    assert np.abs(np.array(centroid) - at).max() < 0.5


def test_a_coarser_native_grid_covers_the_same_field():
    prepared = prepare(Image(np.zeros((300, 200), np.uint8)), Preparation(2, 1, (64, 64), "pad"))
    fine, coarse = prepared.geometry((64, 64)), prepared.geometry((2, 4))
    for corner in (-0.5, 0.5):
        np.testing.assert_allclose(
            fine.cell_to_pixel([[31.5 + 64 * corner, 31.5 + 64 * corner]]),
            coarse.cell_to_pixel([[0.5 + 2 * corner, 1.5 + 4 * corner]]),
        )
    assert coarse.cell_size_pixels() == (150.0, 75.0)
    assert coarse.pixel_shape == (300, 200)


# --- intensities --------------------------------------------------------------------------------------------

STORED = np.array([[0, 1000], [2000, 4095]], np.uint16)


def values_of(image, **given):
    size = given.pop("size", (2, 2))
    return prepare(image, Preparation(2, given.pop("channels", 1), size, **given)).values


def test_full_is_the_stored_range():
    image = Image(STORED, bits_stored=12, slope=3.0, intercept=-7.0)
    np.testing.assert_allclose(values_of(image)[0], STORED / 4095, rtol=1e-6)


def test_full_of_signed_values():
    image = Image(np.array([[-2048, 0], [1, 2047]], np.int16), bits_stored=12)
    np.testing.assert_allclose(values_of(image)[0].ravel(), [0, 2048 / 4095, 2049 / 4095, 1], rtol=1e-6)


def test_full_of_decimal_values_is_refused():
    with pytest.raises(UnsuitableImage, match="decimal values; a model for it needs intensity “range”"):
        values_of(Image(STORED.astype(np.float32)))


def test_range_is_in_modality_values():
    image = Image(STORED, slope=0.5, intercept=-1000.0)  # -1000, -500, 0, 1047.5
    result = values_of(image, intensity="range", low=-750, high=250)
    np.testing.assert_allclose(result.ravel(), [0, 0.25, 0.75, 1], rtol=1e-6)


def test_window_is_the_models_own_whatever_the_file_says():
    image = Image(STORED, intercept=-1000.0)
    asked = {"intensity": "window", "window_center": 500, "window_width": 2000}
    result = values_of(image, **asked)
    np.testing.assert_allclose(result.ravel(), [0, 0.25, 0.75, 1], rtol=1e-6)
    other = Image(STORED, intercept=-1000.0, windows=(Window(0, 1), Window(7, 9)))
    assert values_of(other, **asked).tobytes() == result.tobytes()


@pytest.mark.parametrize("intensity", ["full", "percentile"])
def test_the_files_window_never_changes_the_input(intensity):
    bounds = {"low": 1, "high": 99} if intensity == "percentile" else {}
    plain = values_of(Image(STORED, bits_stored=12), intensity=intensity, **bounds)
    windowed = values_of(
        Image(STORED, bits_stored=12, windows=(Window(0, 1),)), intensity=intensity, **bounds
    )
    assert plain.tobytes() == windowed.tobytes()


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_percentiles_leave_padding_out(dtype):
    values = np.concatenate([np.full(900, -2000), np.arange(101)]).astype(dtype).reshape(13, 77)
    image = Image(values, padding=(-2000.0, -2000.0), slope=2.0)
    result = values_of(image, intensity="percentile", low=10, high=90, size=(13, 77)).ravel()
    assert result[0] == 0
    np.testing.assert_allclose(result[900:], np.clip((np.arange(101) - 10) / 80, 0, 1), atol=1e-6)


def test_a_constant_image_is_black_not_nan():
    image = Image(np.full((4, 4), 77, np.uint8))
    assert not values_of(image, intensity="percentile", low=1, high=99).any()


def test_monochrome1_is_inverted_before_normalisation_and_padding_stays_black():
    image = Image(STORED, Photometric.MONOCHROME1, bits_stored=12, padding=(0.0, 0.0))
    result = values_of(image, mean=(0.5,), std=(0.25,))
    expected = np.array([0, 1 - 1000 / 4095, 1 - 2000 / 4095, 0])
    np.testing.assert_allclose(result.ravel(), (expected - 0.5) / 0.25, atol=1e-6)


def test_large_images_take_the_table_and_give_the_same():
    rng = np.random.default_rng(0)
    small = rng.integers(-1000, 3000, (30, 40)).astype(np.int16)
    large = np.tile(small, (4, 4))
    given = {"intensity": "range", "low": -500, "high": 2000}
    one = values_of(Image(small), size=(30, 40), **given)
    many = values_of(Image(large), size=(120, 160), **given)
    assert np.tile(one, (1, 4, 4)).tobytes() == many.tobytes()


# --- channels -----------------------------------------------------------------------------------------------


def test_grey_is_repeated_and_normalised_channel_by_channel():
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    result = values_of(Image(STORED, bits_stored=12), channels=3, mean=mean, std=std)
    assert result.shape == (3, 2, 2)
    for channel in range(3):
        np.testing.assert_allclose(result[channel], (STORED / 4095 - mean[channel]) / std[channel], rtol=1e-5)


COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [10, 20, 30]]], np.uint8)


def test_colour_stays_colour_for_a_network_of_three_channels():
    result = values_of(Image(COLOURS, Photometric.RGB), channels=3)
    np.testing.assert_allclose(result, np.moveaxis(COLOURS, -1, 0) / 255, rtol=1e-6)


def test_colour_becomes_luminance_for_a_network_of_one_channel():
    result = values_of(Image(COLOURS, Photometric.RGB))
    expected = [0.299, 0.587, 0.114, (0.299 * 10 + 0.587 * 20 + 0.114 * 30) / 255]
    np.testing.assert_allclose(result.ravel(), expected, rtol=1e-5)


def test_a_volume_three_columns_wide_is_no_colour_image():
    result = prepare(Image(np.ones((4, 5, 3), np.uint8)), Preparation(3, 3, (4, 5, 3)))
    assert result.values.shape == (3, 4, 5, 3)


# --- shape --------------------------------------------------------------------------------------------------


def test_shrinking_is_antialiased_as_pillow_does():
    values = np.random.default_rng(1).integers(0, 256, (500, 333)).astype(np.uint8)
    result = values_of(Image(values), size=(64, 48))[0]
    floats = PIL.Image.fromarray(values.astype(np.float32) / 255)
    expected = np.asarray(floats.resize((48, 64), PIL.Image.Resampling.BILINEAR))
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_pad_puts_black_around_the_image():
    image = Image(np.full((10, 20), 255, np.uint8))
    result = values_of(image, size=(20, 20), fit="pad", mean=(0.5,))[0]
    assert result[5:15].tolist() == np.full((10, 20), 0.5).tolist()
    assert result[:5].tolist() == result[15:].tolist() == np.full((5, 20), -0.5).tolist()


def test_crop_takes_the_centre():
    image = Image(np.arange(20, dtype=np.uint8)[np.newaxis].repeat(10, axis=0), bits_stored=8)
    result = values_of(image, size=(10, 10), fit="crop")[0]
    np.testing.assert_allclose(result[0] * 255, np.arange(5, 15), rtol=1e-5)


def test_spacing_cuts_and_pads_around_the_centre():
    values = np.full((4, 8, 8), 255, np.uint8)
    image = Image(values, spacing=(2.0, 1.0, 1.0))
    preparation = Preparation(3, 1, (12, 4, 10), "crop", spacing=(1.0, 1.0, 1.0))
    result = prepare(image, preparation).values[0]
    assert (result.sum(axis=(1, 2)) > 0).tolist() == [False] * 2 + [True] * 8 + [False] * 2
    assert (result.sum(axis=(0, 1)) > 0).tolist() == [False] + [True] * 8 + [False]
    assert np.unique(result).tolist() == [0.0, 1.0]


def test_a_volume_without_spacing_cannot_be_resampled_to_mm():
    preparation = Preparation(3, 1, (4, 4, 4), "pad", spacing=(1.0, 1.0, 2.5))
    with pytest.raises(MissingGeometry, match=r"takes voxels of 1 × 1 × 2\.5 mm and the image does not say"):
        prepare(Image(np.zeros((4, 4, 4), np.uint8)), preparation)


def test_a_single_image_does_not_fit_a_model_of_volumes():
    with pytest.raises(UnsuitableImage, match="single image of 30 × 40 pixels; give it the folder"):
        prepare(Image(np.zeros((30, 40), np.uint8)), Preparation(3, 1, (4, 4, 4)))


def test_a_volume_does_not_fit_a_model_of_single_images():
    with pytest.raises(UnsuitableImage, match="this is a volume of 3 × 30 × 40 voxels; give it one"):
        prepare(Image(np.zeros((3, 30, 40), np.uint8)), Preparation(2, 1, (4, 4)))


# --- the card -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"space": 4}, "space is 4"),
        ({"channels": 2}, "channels is 2"),
        ({"size": (8,)}, r"size is \[8\]"),
        ({"size": (8, 0)}, r"size is \[8, 0\]"),
        ({"fit": "squeeze"}, "fit is “squeeze”; it is one of stretch, pad, crop"),
        ({"intensity": "auto"}, "intensity is “auto”"),
        ({"intensity": "range", "low": 3}, "needs low and high"),
        ({"intensity": "range", "low": 3, "high": 3}, "low below high"),
        ({"intensity": "percentile", "low": -1, "high": 101}, "not within 0 to 100"),
        ({"intensity": "window", "window_center": 40}, "window_width above 0"),
        ({"mean": (0.1, 0.2)}, "mean has 2 numbers for 1 channels"),
        ({"std": (0.0,)}, "std is"),
        ({"spacing": (1.0,), "fit": "pad"}, "needs 2 sizes in mm"),
        ({"spacing": (1.0, 1.0)}, "fit is pad or crop then"),
    ],
)
def test_contradictions_are_refused(given, sentence):
    with pytest.raises(InvalidModelCard, match=sentence):
        Preparation(**{"space": 2, "channels": 1, "size": (8, 8), **given})


def test_the_digest_changes_with_everything_that_matters_and_with_nothing_else():
    base = {"space": 2, "channels": 1, "size": (8, 8)}
    different = [
        {},
        {"channels": 3},
        {"size": (8, 9)},
        {"fit": "pad"},
        {"intensity": "percentile", "low": 1, "high": 99},
        {"intensity": "range", "low": 1, "high": 99},
        {"mean": (0.5,)},
        {"std": (0.5,)},
        {"fit": "pad", "spacing": (1.0, 1.0)},
    ]
    digests = [Preparation(**{**base, **change}).digest for change in different]
    assert len(set(digests)) == len(different)
    assert Preparation(2, 1, [8, 8], Fit.STRETCH, Intensity.FULL).digest == digests[0]


def test_the_same_input_gives_the_same_bits():
    values = np.random.default_rng(2).integers(0, 4096, (301, 199)).astype(np.uint16)
    preparation = Preparation(2, 3, (64, 64), "pad", "percentile", 1, 99)
    first = prepare(Image(values), preparation).values
    again = prepare(Image(np.asfortranarray(values)), preparation).values
    assert first.dtype == np.float32
    assert first.tobytes() == again.tobytes()


@pytest.mark.slow
def test_a_large_radiograph_is_prepared_in_a_fraction_of_a_second():
    """Measured on two cores: 50 ms. The bound is wide, for machines that do other things as well."""
    values = np.random.default_rng(3).integers(0, 4096, (3000, 2500)).astype(np.uint16)
    preparation = Preparation(2, 1, (224, 224), "pad")
    seconds = []
    for _ in range(3):
        start = time.process_time()
        prepare(Image(values, bits_stored=12), preparation)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.4
