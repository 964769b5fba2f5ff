"""Findings lie where their masks say: on their side, in their lung, and they change the film there."""

import numpy as np
import pytest

from camlucida.examples.phantom.anatomy import draw_anatomy
from camlucida.examples.phantom.lesions import DRAW, dome_height, lung_field
from camlucida.examples.phantom.shapes import Grid


@pytest.mark.parametrize("name", DRAW)
@pytest.mark.parametrize("side", [-1, 1])
def test_a_finding_lies_in_its_lung_and_changes_the_film_there(name, side):
    grid = Grid.of(430, 380, 215)
    for seed in range(6):
        anatomy = draw_anatomy(seed)
        field = lung_field(grid, anatomy.lungs[0 if side < 0 else 1])
        lesion = DRAW[name](grid, field, anatomy, np.random.default_rng(seed))
        x = np.broadcast_to(grid.x, grid.shape)[lesion.mask]
        assert x.size * grid.spacing**2 > 150  # mm²
        assert (np.sign(x) == side).mean() > 0.9
        assert (field.outline[lesion.mask] < 3).all()
        changed = lesion.density if lesion.fluid is None else lesion.fluid
        assert np.abs(changed[lesion.mask]).mean() > 4 * np.abs(changed[~lesion.mask]).mean()


def test_air_lies_outside_the_shrunken_lung_and_fluid_at_its_bottom():
    grid = Grid.of(430, 380, 215)
    anatomy = draw_anatomy(1)
    field = lung_field(grid, anatomy.lungs[1])
    air = DRAW["Pneumothorax"](grid, field, anatomy, np.random.default_rng(2)).mask
    water = DRAW["Effusion"](grid, field, anatomy, np.random.default_rng(2)).mask
    lung = field.distance < 0
    assert np.nonzero(air)[0].mean() < np.nonzero(lung)[0].mean() < np.nonzero(water)[0].mean()
    assert np.nonzero(air)[1].max() >= np.nonzero(lung)[1].max() - 1


def test_the_diaphragm_falls_to_the_costophrenic_angle():
    lung = draw_anatomy(3).lungs[0]
    middle = lung.dome[0]
    heights = dome_height(lung, np.float32([[middle, middle - 30, middle - 60]]))[0]
    assert heights[0] == pytest.approx(lung.dome[1])
    assert heights[0] < heights[1] < heights[2]
