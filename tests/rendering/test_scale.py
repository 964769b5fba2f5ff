"""The fixed scale against the vectors; the scale of maps without a unit."""

import json
from pathlib import Path

import numpy as np
import pytest

from camlucida.records import Geometry, SaliencyMap, Unit
from camlucida.rendering.scale import fixed_scale, rounded, scale_of

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


def saliency_map(unit, values):
    values = np.array(values, np.float32)
    geometry = Geometry(values.shape[1:], (8, 8), np.eye(3))
    n = (0.0,) * len(values)
    return SaliencyMap(("a", "b")[: len(values)], values, n, n, n, "grad-cam", "layer", geometry, unit)


def test_logits_have_the_scale_of_the_grid_whatever_the_map():
    hot = saliency_map(Unit.LOGIT, [np.full((7, 7), 30.0)])
    assert scale_of(hot, 0) == fixed_scale((7, 7)) == 1.0


def test_a_map_without_a_unit_has_the_scale_of_its_peak():
    two = saliency_map(Unit.RELATIVE, [[[0.0, 3.0]], [[-9.0, 2.0]]])
    assert (scale_of(two, 0), scale_of(two, 1)) == (3.0, 2.0)
    assert scale_of(saliency_map(Unit.RELATIVE, [[[0.0, -3.0]]]), 0) == 1.0
