"""Lead letters look the same at every resolution."""

import numpy as np

from camlucida.examples.phantom.lettering import frame, letters
from camlucida.examples.phantom.shapes import Grid


def test_a_letter_covers_its_dots_at_any_resolution():
    # L is a column of 7 dots and 4 more at its foot; a dot of 14 mm / 7 is 4 square mm.
    for rows in (50, 173, 400):
        grid = Grid.of(100, 80, rows)
        area = letters(grid, "L", -20, -20, 14).sum() * grid.spacing**2
        np.testing.assert_allclose(area, 11 * 4, rtol=0.03)


def test_a_frame_is_hollow():
    grid = Grid.of(100, 80, 100)
    density = frame(grid, -20, -30, 20, 30, 2)
    assert density.max() == 1
    assert density[50, 40] == 0
    np.testing.assert_allclose(density.sum() * grid.spacing**2, 40 * 60 - 36 * 56, rtol=0.01)
