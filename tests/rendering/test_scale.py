"""The fixed scale against the vectors; the scale of maps without a unit."""

import json
from pathlib import Path

import numpy as np
import pytest

from camlucida.records import Geometry, SaliencyMap, Unit
from camlucida.rendering.scale import REGIONS, fixed_scale, fixed_scale_of_regions, rounded, scale_of

CASES = json.loads((Path(__file__).resolve().parents[1] / "vectors" / "scale.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["native_shape"]))
def test_vectors(case):
    assert fixed_scale(case["native_shape"]) == pytest.approx(case["scale"], rel=1e-12)


def test_it_never_falls_below_a_thousandth():
    assert fixed_scale((10_000, 10_000, 10)) == 1e-3


@pytest.mark.parametrize(
    ("value", "nearest"), [(0.99, 1), (1.4, 1), (1.45, 2), (2.4, 2), (2.5, 3), (3.9, 5), (7.0, 5), (7.2, 10)]
)
def test_rounding_is_in_ratio(value, nearest):
    assert rounded(value) == nearest
    assert rounded(value / 1000) == pytest.approx(nearest / 1000)


def saliency_map(unit, values, method="grad-cam"):
    values = np.array(values, np.float32)
    geometry = Geometry(values.shape[1:], (8, 8), np.eye(3))
    n = (0.0,) * len(values)
    return SaliencyMap(("a", "b")[: len(values)], values, n, n, n, method, "layer", geometry, unit)


def test_logits_have_the_scale_of_the_grid_whatever_the_map():
    hot = saliency_map(Unit.LOGIT, [np.full((7, 7), 30.0)])
    assert scale_of(hot, 0) == fixed_scale((7, 7)) == 1.0


def test_a_map_without_a_unit_has_the_scale_of_its_peak():
    two = saliency_map(Unit.RELATIVE, [[[0.0, 3.0]], [[-9.0, 2.0]]])
    assert (scale_of(two, 0), scale_of(two, 1)) == (3.0, 2.0)
    assert scale_of(saliency_map(Unit.RELATIVE, [[[0.0, -3.0]]]), 0) == 1.0


def test_one_pixel_does_not_outshine_a_fine_map_and_a_coarse_one_has_its_peak():
    fine = np.arange(1, 10_001, dtype=np.float32).reshape(100, 100)
    fine[0, 0] = 1e9
    below = sorted(fine.ravel())[: -(10_000 // 100)]  # all but the brightest hundredth
    assert scale_of(saliency_map(Unit.RELATIVE, [fine]), 0) == below[-1] == 9_901
    coarse = np.arange(49, dtype=np.float32).reshape(7, 7)
    assert scale_of(saliency_map(Unit.RELATIVE, [coarse]), 0) == 48
    few = np.zeros((100, 100), np.float32)
    few[3, 5] = 2.0  # a map may be empty but for a pixel
    assert scale_of(saliency_map(Unit.RELATIVE, [few]), 0) == 2.0


def test_what_is_spread_over_regions_is_as_bright_as_the_same_logits_in_cells():
    """64 regions on 128 x 128 pixels are shown as 8 x 8 cells are: full colour for the same logits."""
    assert 256 * fixed_scale_of_regions((128, 128), 64) == pytest.approx(0.5, rel=0.1)
    assert fixed_scale_of_regions((5, 5), 64) == fixed_scale((5, 5))  # no more regions than cells
    pixels = np.ones((128, 128), np.float32)
    assert scale_of(saliency_map(Unit.LOGIT, [pixels], "lime"), 0) == fixed_scale_of_regions((128, 128), 48)
    assert scale_of(saliency_map(Unit.LOGIT, [pixels], "gradient"), 0) == fixed_scale((128, 128))
    assert fixed_scale_of_regions((512, 512), 48) < 1e-3  # a region's pixels hold little each


def test_the_regions_are_those_of_the_methods():
    from camlucida.saliency.methods import occlusion  # noqa: PLC0415 - rendering itself knows nothing of torch
    from camlucida.saliency.superpixels import REGIONS as SUPERPIXELS  # noqa: PLC0415

    assert set(REGIONS) == {"lime", "kernelshap", "occlusion"}
    assert REGIONS["lime"] == REGIONS["kernelshap"] == SUPERPIXELS
    assert REGIONS["occlusion"] == occlusion.STEPS**2
