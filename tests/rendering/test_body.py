import numpy as np
import pytest

from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.records import Geometry, Image, Photometric
from camlucida.records.geometry import resizing, scaling
from camlucida.rendering.body import COLOURED, FILLED, NOTHING, body, outline


def disc(rows=120, columns=90, radius=35):
    """A bright disc with a dark hole in dark surroundings, a small marker in the corner, faint noise."""
    r, c = np.mgrid[:rows, :columns]
    distance = np.hypot(r - rows / 2, c - columns / 2)
    values = np.where(distance < radius, 2000, 0) - np.where(distance < radius / 3, 1990, 0)
    values[5:12, 5:9] = 4000
    noise = np.random.default_rng(0).integers(0, 40, values.shape)
    return (values + noise).astype(np.uint16), distance < radius


def on_pixels(found, shape):
    to_mask = np.linalg.inv(found.mask_to_pixel)
    places = np.indices(shape).reshape(len(shape), -1)
    at = np.rint(to_mask[:-1, :-1] @ places + to_mask[:-1, -1:]).astype(int)
    at = np.clip(at, 0, np.array(found.mask.shape)[:, None] - 1)
    return found.mask[tuple(at)].reshape(shape)


def test_the_body_is_what_is_bright_with_its_holes_and_without_markers():
    values, truth = disc()
    found = on_pixels(body(Image(values)), values.shape)
    assert (found != truth).mean() < 0.03
    assert not found[:14, :14].any()


def test_monochrome1_and_padding_make_no_difference():
    values, truth = disc()
    inverted = Image((4095 - values).astype(np.uint16), Photometric.MONOCHROME1)
    assert (on_pixels(body(inverted), values.shape) != truth).mean() < 0.03
    padded = values.astype(np.int32)
    padded[:, :8] = 9999
    found = on_pixels(body(Image(padded, padding=(9999, 9999))), values.shape)
    assert not found[:, :8].any()
    assert (found != truth).mean() < 0.03


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (Image(np.zeros((40, 40, 3), np.uint8), Photometric.RGB), COLOURED),
        (Image(np.random.default_rng(0).integers(900, 1000, (60, 60), np.uint16)), FILLED),
        (Image(np.zeros((60, 60), np.uint16)), NOTHING),
        (Image(np.full((60, 60), 5, np.uint16), padding=(5, 5)), NOTHING),
    ],
)
def test_where_no_body_is_told_it_says_why(image, why):
    found = body(image)
    assert found.mask is None
    assert found.why == why
    assert found.share_of_cells(Geometry((4, 4), image.space, resizing(image.space, (4, 4)))) is None
    assert not outline(found, np.eye(3), image.space).any()


@pytest.mark.parametrize("seed", range(4))
def test_on_phantom_films_lungs_are_body_and_the_marker_is_not(seed):
    film = radiograph(seed, ["Nodule"], rows=400, marker=True)
    found = on_pixels(body(Image(film.values)), film.values.shape)
    nodule = film.masks["Nodule"]
    assert (nodule & found).sum() / nodule.sum() > 0.95
    assert not found[10:40, 10:60].any()


def test_a_volume_has_a_body_slice_by_slice():
    ct = ct_volume(1, ["Nodule"], slices=24, rows=96)
    found = on_pixels(body(Image(ct.values)), ct.values.shape)
    nodule = ct.masks["Nodule"]
    assert (nodule & found).sum() / nodule.sum() > 0.95
    assert not found[:, :4, :4].any()
    assert 0.2 < found.mean() < 0.8


def test_the_share_of_a_cell_is_the_integral_of_what_it_spreads_over_the_body():
    """Slowly: each cell's evidence is spread linearly to its neighbours, and counted sample by sample."""
    values, _ = disc(64, 64, 20)
    image = Image(values)
    found = body(image)
    grid = (4, 4)
    share = found.share_of_cells(Geometry(grid, image.space, resizing(image.space, grid)))
    for cell in np.ndindex(grid):
        inside = whole = 0.0
        for sample in np.ndindex(found.mask.shape):
            at = [(s + 0.5) * 4 / 64 - 0.5 for s in sample]
            weight = np.prod([max(0.0, 1 - abs(c - a)) for c, a in zip(cell, at, strict=True)])
            inside, whole = inside + weight * found.mask[sample], whole + weight
        assert share[cell] == pytest.approx(inside / whole, abs=1e-5)


def test_what_lies_beyond_the_image_is_not_body():
    values, _ = disc(64, 64, 34)  # it fills most of the image
    image = Image(values)
    padded = Geometry((4, 8), image.space, scaling((16, 16), (7.5, -24.5)))  # two more cells on each side
    share = body(image).share_of_cells(padded)
    assert not share[:, :2].any()
    assert not share[:, 6:].any()
    assert share[1:3, 3:5].min() > 0.9


def test_the_outline_is_where_the_body_ends():
    values, truth = disc(90, 90, 30)
    edge = outline(body(Image(values)), np.eye(3), values.shape)
    assert edge.any()
    distance = np.hypot(*(np.argwhere(edge) - 45).T)
    assert np.abs(distance - 30).max() < 5
    assert truth[45, 45]
    assert not edge[45, 45]


def test_the_body_of_an_image_is_found_once():
    image = Image(disc()[0])
    assert body(image) is body(image)
