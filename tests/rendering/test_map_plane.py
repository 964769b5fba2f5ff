import numpy as np
import pytest

from camlucida.records import Geometry
from camlucida.records.geometry import resizing, scaling
from camlucida.rendering.map_plane import MOST_CELLS, map_plane
from camlucida.rendering.upsample import on_grid, to_pixel_grid

FLIPPED = np.array([[-5.0, 0, 39], [0, 4, 1.5], [0, 0, 1]])  # rows run upwards


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("to_pixel", [resizing((61, 47), (8, 7)), FLIPPED])
def test_a_plane_of_few_cells_is_the_map_itself(to_pixel):
    values = random((8, 7))
    plane = map_plane(values, Geometry((8, 7), (61, 47), to_pixel))
    assert plane.slice is None
    np.testing.assert_allclose(plane.values, values, atol=1e-6)
    np.testing.assert_allclose(plane.cell_to_pixel, to_pixel)


def test_exchanged_axes_are_set_right():
    values = random((7, 8))
    to_pixel = np.array([[0, 7.0, 3.0], [6.0, 0, 2.5], [0, 0, 1]])
    plane = map_plane(values, Geometry((7, 8), (60, 48), to_pixel))
    np.testing.assert_allclose(plane.values, values.T, atol=1e-6)
    np.testing.assert_allclose(plane.cell_to_pixel, [[7, 0, 3], [0, 6, 2.5], [0, 0, 1]])


def test_of_a_volume_it_is_the_slice_with_most_supporting_evidence():
    values = -np.abs(random((4, 6, 5)))
    values[2] *= -1
    geometry = Geometry((4, 6, 5), (40, 60, 50), scaling((10, 10, 10), (4.5, 4.5, 4.5)))
    plane = map_plane(values, geometry)
    assert plane.slice == 24  # between the pixels 24 and 25 lies the cell's centre
    whole = to_pixel_grid(values, geometry)[plane.slice]
    again = on_grid(plane.values, Geometry((6, 5), (60, 50), plane.cell_to_pixel), np.eye(3), (60, 50))
    np.testing.assert_allclose(again, whole, atol=1e-5)


def test_many_cells_are_averaged_to_fewer_over_the_same_field():
    cells = (200, 100)
    values = np.ones(cells, np.float32) * np.linspace(0, 1, 200, dtype=np.float32)[:, np.newaxis]
    geometry = Geometry(cells, (400, 300), resizing((400, 300), cells))
    plane = map_plane(values, geometry)
    assert plane.values.shape == (MOST_CELLS, MOST_CELLS)
    assert plane.values.mean() == pytest.approx(0.5, abs=1e-3)
    edges = plane.cell_to_pixel @ [[-0.5, 63.5], [-0.5, 63.5], [1, 1]]
    np.testing.assert_allclose(edges[:2], [[-0.5, 399.5], [-0.5, 299.5]])
