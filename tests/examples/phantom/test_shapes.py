"""Soft shapes: distances in mm, and the same picture at every resolution."""

import numpy as np
import pytest

from camlucida.examples.phantom.shapes import Grid, capsule, clouds, ellipse, soft


@pytest.fixture
def grid():
    return Grid.of(100, 80, 50)


def test_a_grid_covers_the_film_with_square_pixels(grid):
    assert grid.shape == (50, 40)
    assert grid.spacing == 2
    np.testing.assert_allclose([grid.y[0, 0], grid.y[-1, 0]], [-49, 49])
    np.testing.assert_allclose([grid.x[0, 0], grid.x[0, -1]], [-39, 39])


def test_a_circle_tells_the_distance_to_its_edge(grid):
    distance = ellipse(grid, (4, -6), (20, 20))
    for row in range(0, 50, 7):
        for column in range(0, 40, 7):
            x, y = grid.x[0, column] - 4, grid.y[row, 0] + 6
            assert distance[row, column] == pytest.approx((x * x + y * y) ** 0.5 - 20, abs=1e-3)


def test_a_turned_ellipse_points_where_it_was_turned(grid):
    inside = ellipse(grid, (0, 0), (30, 8), np.pi / 2) < 0
    rows, columns = np.nonzero(inside)
    assert np.ptp(rows) * 2 > 50
    assert np.ptp(columns) * 2 < 20


def test_a_capsule_tells_the_distance_to_a_segment(grid):
    distance, along = capsule(grid, (-10, 0), (10, 0))
    assert distance[25, 20] == pytest.approx(1, abs=1e-4)  # 1 mm below the segment
    assert distance[25, 39] == pytest.approx(np.hypot(29, 1), abs=1e-3)
    assert (along[25, 0], along[25, 39]) == (0, 1)


def test_an_edge_is_half_at_distance_zero_and_never_overflows():
    edge = soft(np.float32([-1e9, 0, 1e9]), 1.0)
    np.testing.assert_allclose(edge, [1, 0.5, 0], atol=1e-6)


def test_clouds_do_not_depend_on_the_resolution():
    coarse, fine = clouds(Grid.of(100, 80, 25), 3, 40, 20), clouds(Grid.of(100, 80, 100), 3, 40, 20)
    averaged = fine.reshape(25, 4, 20, 4).mean((1, 3))
    np.testing.assert_allclose(averaged, coarse, atol=0.05)


def test_a_window_is_the_part_of_the_grid_between_its_corners(grid):
    window = grid.window(-10, -20, 10, 0)
    plane = grid.empty()
    window.of(plane)[...] = 1
    assert window.grid.shape == window.of(plane).shape == (10, 10)
    assert plane.sum() == 100
    assert (np.abs(window.grid.x) <= 10).all()
