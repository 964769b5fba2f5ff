"""Artefacts pasted in and taken out: what is covered is known pixel by pixel, all else stays bit for bit."""

import numpy as np
import PIL.Image
import pytest

from camlucida.errors import InputError, MissingGeometry
from camlucida.examples.phantom.artefacts import DRAWINGS
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.images.artefact import (
    Artefact,
    cut_out,
    filled_in,
    phantom_artefact,
    read_artefact,
    write_artefact,
)
from camlucida.records import Image, Photometric


def image_of(film, **fields):
    return Image(film.values, bits_stored=12, spacing=(film.spacing, film.spacing), **fields)


@pytest.fixture(scope="module")
def film():
    return image_of(radiograph(3, rows=200))


def test_pasting_is_written_again_pixel_by_pixel():
    """Two pixels of the patch fall on each pixel of the image, along each axis."""
    values = np.arange(24, dtype=np.uint16).reshape(4, 6) * 100
    alpha = np.zeros((4, 4), np.float32)
    alpha[:2, :2] = 1
    alpha[2:, 2:] = 0.5
    brightness = np.ones((4, 4), np.float32)
    brightness[2:, 2:] = 0.25
    pasted = Artefact("it", alpha, brightness, (0.25, 0.5, 0.75, 5 / 6)).paste(Image(values, bits_stored=12))
    low, high = 0, 2300
    # The triangle over two patch pixels reaches half a pixel beyond either side: (1 3 3 1) / 8.
    kernel = np.array([1, 3, 3, 1]) / 8
    padded_alpha, padded_paint = (np.pad(plane, 8) for plane in (alpha, alpha * brightness))
    for row in range(4):
        for column in range(6):
            top, left = 2 * row - 2 + 8, 2 * column - 6 + 8
            weights = np.outer(kernel, kernel)
            part = slice(top - 1, top + 3), slice(left - 1, left + 3)
            covered, paint = (weights * padded_alpha[part]).sum(), (weights * padded_paint[part]).sum()
            wanted = values[row, column] * (1 - covered) + low * covered + (high - low) * paint
            assert pasted.values[row, column] == pytest.approx(wanted, abs=0.51)


def test_the_corner_tag_is_the_one_that_the_phantom_draws():
    plain, tagged = (radiograph(10, rows=430, marker=marker) for marker in (False, True))
    artefact = phantom_artefact("corner tag")
    pasted = artefact.paste(image_of(plain)).values.astype(float)
    region = artefact.region(plain.values.shape)
    drawn = tagged.values.astype(float) - plain.values
    assert np.corrcoef(drawn[region], (pasted - plain.values)[region])[0, 1] > 0.98
    assert not drawn[~region].any()


@pytest.mark.parametrize("name", DRAWINGS)
def test_what_is_not_covered_stays_bit_for_bit(film, name):
    artefact = phantom_artefact(name)
    pasted, region = artefact.paste(film), artefact.region(film.space, film.spacing)
    assert pasted.values.dtype == film.values.dtype
    assert (pasted.values[region] != film.values[region]).mean() > 0.5
    # Below what counts as covered, a grey level in fifty at the most.
    assert np.abs(pasted.values[~region].astype(float) - film.values[~region]).max() <= 0.02 * 4095
    removed = artefact.remove(pasted)
    np.testing.assert_array_equal(removed.values[~region], pasted.values[~region])


@pytest.mark.parametrize("name", ["corner tag", "side letter", "drain", "electrodes"])
def test_taking_out_brings_the_film_nearer_to_what_it_was(film, name):
    artefact = phantom_artefact(name)
    pasted = artefact.paste(film)
    region = artefact.region(film.space)
    before, after = (
        np.abs(one.values[region].astype(float) - film.values[region]).mean()
        for one in (pasted, artefact.remove(pasted))
    )
    assert after < 0.35 * before


def test_an_artefact_looks_the_same_at_every_resolution():
    artefact = phantom_artefact("device")
    small, large = (artefact.planes((size, size))[1] for size in (64, 256))
    np.testing.assert_allclose(large.reshape(64, 4, 64, 4).mean((1, 3)), small, atol=0.12)
    assert small.mean() == pytest.approx(large.mean(), rel=0.02)


def test_white_is_white_in_monochrome1_too(film):
    artefact = phantom_artefact("side letter")
    inverted = Image(4095 - film.values, Photometric.MONOCHROME1, bits_stored=12)
    np.testing.assert_allclose(
        4095 - artefact.paste(inverted).values.astype(float), artefact.paste(film).values, atol=1
    )


def test_padding_is_not_taken_for_the_darkest_pixel():
    values = np.full((8, 8), 1000, np.int16)
    values[:2] = -2000
    values[2] = 400
    black = Artefact("shutter", np.ones((4, 8), np.float32), np.zeros((4, 8), np.float32), (0.5, 0, 1, 1))
    pasted = black.paste(Image(values, padding=(-2000, -2000))).values
    assert (pasted[5:] == 400).all()


def test_a_volume_has_it_on_every_slice_and_a_colour_picture_in_every_channel():
    patch = np.ones((8, 8), np.float32)
    artefact = Artefact("square", patch, patch, (0, 0, 0.25, 0.25))
    random = np.random.default_rng(0)
    volume = Image(random.integers(0, 200, (3, 16, 16)).astype(np.uint8))
    colour = Image(random.integers(0, 200, (16, 16, 3)).astype(np.uint8), Photometric.RGB)
    assert (artefact.paste(volume).values[:, :3, :3] == volume.values.max()).all()
    assert (artefact.paste(colour).values[:3, :3] == colour.values.max()).all()
    np.testing.assert_array_equal(artefact.remove(volume).values[:, 8:, 8:], volume.values[:, 8:, 8:])


def test_a_box_in_mm_needs_a_spacing_and_keeps_its_size():
    patch = np.ones((4, 4), np.float32)
    artefact = Artefact("coin", patch, patch, (10, 20, 30, 40), in_mm=True)
    for spacing in (0.5, 1.0, 2.0):
        size = int(100 / spacing)
        covered = artefact.planes((size, size), (spacing, spacing))[1].sum() * spacing**2
        assert covered == pytest.approx(400, rel=0.02)
    with pytest.raises(MissingGeometry, match="“coin” is in mm, and the image has no spacing"):
        artefact.planes((100, 100))


def test_moved(film):
    artefact = phantom_artefact("side letter")
    there = artefact.moved(0.5, 0.25).region(film.space)
    moved = np.argwhere(there).mean(0) - np.argwhere(artefact.region(film.space)).mean(0)
    assert moved == pytest.approx([0.5 * film.space[0], 0.25 * film.space[1]], abs=1)


def test_filling_in_continues_what_is_around():
    flat = np.full((33, 20), 7.0, np.float32)
    hole = np.ones(flat.shape, bool)
    hole[10:20, 5:15] = False
    np.testing.assert_allclose(filled_in(flat, hole), 7, rtol=1e-5)
    ramp = np.tile(np.arange(40, dtype=np.float32), (40, 1))
    known = np.ones(ramp.shape, bool)
    known[15:25, 15:25] = False
    filled = filled_in(ramp, known)
    assert np.abs(filled - ramp).max() < 6
    assert filled[known].tolist() == ramp[known].tolist()
    assert filled_in(ramp, np.zeros(ramp.shape, bool)).max() == 0  # nothing is known


def test_a_drawing_on_a_transparent_layer_is_an_artefact(tmp_path, film):
    layer = np.zeros((100, 88, 4), np.uint8)
    layer[10:20, 60:80] = (255, 255, 255, 255)
    PIL.Image.fromarray(layer).save(tmp_path / "sticker.png")
    artefact = read_artefact(tmp_path / "sticker.png")
    assert artefact.name == "sticker"
    assert artefact.box == pytest.approx((0.1, 60 / 88, 0.2, 80 / 88))
    pasted = artefact.paste(film).values
    assert (pasted[24:36, 130:150] == film.values.max()).all()


def test_a_mask_can_be_taken_out_only(tmp_path, film):
    mask = np.zeros((50, 44), np.uint8)
    mask[:5] = 255
    PIL.Image.fromarray(mask).save(tmp_path / "top.png")
    artefact = read_artefact(tmp_path / "top.png")
    artefact.remove(film)
    with pytest.raises(InputError, match="“top” only the place is known"):
        artefact.paste(film)


def test_what_is_half_transparent_is_no_darker_for_it(tmp_path):
    drawn = np.zeros((20, 20, 2), np.uint8)
    drawn[4:8, 4:8] = 255, 128  # white glass, not grey paint
    PIL.Image.fromarray(drawn).save(tmp_path / "glass.png")
    image = Image(np.zeros((20, 20), np.uint8))
    image.values[0, 0] = 200
    pasted = read_artefact(tmp_path / "glass.png").paste(image).values
    np.testing.assert_allclose(pasted[4:8, 4:8], 200 * 128 / 255, atol=1)


def test_what_was_written_is_read_again(tmp_path, film):
    tag = phantom_artefact("corner tag")
    write_artefact(tag, tmp_path / "tag.png", (430, 380))
    again = read_artefact(tmp_path / "tag.png").paste(film).values.astype(float)
    assert np.abs(again - tag.paste(film).values).max() < 0.1 * np.ptp(film.values)


@pytest.mark.parametrize(
    ("name", "mode", "says"),
    [
        ("film.png", "L", "covers 100% of the image"),
        ("film.png", "RGBA", "covers 100%"),
        ("a.jpg", "L", "JPEG"),
    ],
)
def test_a_whole_picture_is_no_artefact(name, mode, says, tmp_path):
    PIL.Image.new(mode, (30, 20), "white").save(tmp_path / name)
    with pytest.raises(InputError, match=says):
        read_artefact(tmp_path / name)


def test_a_palette_with_transparency_is_a_patch(tmp_path):
    drawn = PIL.Image.new("P", (30, 20), 0)
    drawn.putpalette([0, 0, 0, 255, 255, 255])
    drawn.paste(1, (2, 3, 6, 8))
    drawn.save(tmp_path / "sticker.png", transparency=0)
    sticker = read_artefact(tmp_path / "sticker.png")
    assert sticker.box == pytest.approx((3 / 20, 2 / 30, 8 / 20, 6 / 30))
    assert sticker.brightness.min() == 1


def test_an_empty_drawing_is_refused(tmp_path):
    PIL.Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "empty.png")
    with pytest.raises(InputError, match="Nothing is drawn on the artefact “empty”"):
        read_artefact(tmp_path / "empty.png")
    with pytest.raises(InputError, match="no artefact “ring”; they can have: corner tag"):
        phantom_artefact("ring")
    with pytest.raises(InputError, match=r"in the box \(0.5, 0, 0.5, 1\), which is empty"):
        Artefact("line", np.ones((1, 1), np.float32), None, (0.5, 0, 0.5, 1))


def test_a_patch_of_one_film_goes_onto_another(film):
    tagged = phantom_artefact("corner tag").paste(film)
    artefact = cut_out(tagged, (0, 0, 30, 40), "tag")
    other = image_of(radiograph(5, rows=200))
    pasted = artefact.paste(other).values.astype(float)
    corner = tagged.values[:30, :40].astype(float)
    # White on one film is white on the other, whatever their exposure.
    wanted = (corner - tagged.values.min()) / np.ptp(tagged.values)
    found = (pasted[:30, :40] - other.values.min()) / np.ptp(other.values)
    np.testing.assert_allclose(found[1:29, 1:39], wanted[1:29, 1:39], atol=0.002)
    with pytest.raises(InputError, match="not inside the image of 200 × 177"):
        cut_out(film, (0, 0, 201, 5), "x")
