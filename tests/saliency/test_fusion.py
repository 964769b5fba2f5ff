"""Several target layers: LayerCAM's fusion, written again slowly from its paper (Jiang 2021, III-D)."""

import math

import numpy as np
import pytest
import torch

import camlucida
from camlucida.errors import UnknownMethod
from camlucida.saliency.fusion import CAUTION
from example_networks import Residual, Volume, images, make

LAYERS = ["norm", "relu"]  # 17×24 cells and 9×12


def slow_fusion(maps, grid):
    """Cell by cell: the largest, over layers, of tanh(2 · M / max M), interpolated between cell centres."""
    fused = np.zeros(grid)
    for row in range(grid[0]):
        for column in range(grid[1]):
            values = []
            for one in maps:
                peak = max(0.0, one.max())
                scaled = [[math.tanh(2 * max(v, 0) / peak) if peak else 0.0 for v in line] for line in one]
                y = (row + 0.5) * one.shape[0] / grid[0] - 0.5
                x = (column + 0.5) * one.shape[1] / grid[1] - 0.5
                values.append(bilinear(scaled, y, x))
            fused[row, column] = max(values)
    return fused


def bilinear(values, y, x):
    rows, columns = len(values), len(values[0])
    y, x = min(max(y, 0), rows - 1), min(max(x, 0), columns - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
    upper = values[top][left] * (1 - (x - left)) + values[top][right] * (x - left)
    lower = values[bottom][left] * (1 - (x - left)) + values[bottom][right] * (x - left)
    return upper * (1 - (y - top)) + lower * (y - top)


def test_the_paper_written_slowly():
    network, image = make(Residual), images(Residual)
    result = camlucida.explain(network, image, method="layercam", target_layer=LAYERS)
    parts = [camlucida.explain(network, image, method="layercam", target_layer=one).values for one in LAYERS]
    assert result.values.shape == (5, 17, 24)
    for finding in range(5):
        expected = slow_fusion([part[finding] for part in parts], (17, 24))
        np.testing.assert_allclose(result.values[finding], expected, atol=1e-5)


def test_the_record_says_what_it_is():
    result = camlucida.explain(make(Residual), images(Residual), method="layercam", target_layer=LAYERS)
    record = result.explanation
    assert record.saliency_map.unit == "relative"
    assert record.provenance.target_layer == record.saliency_map.target_layer == "norm + relu"
    assert CAUTION in record.trust.cautions
    assert record.trust.cautions.count(CAUTION) == 1
    total = result.values.reshape(5, -1).sum(axis=1) + result.bias + result.residual
    np.testing.assert_allclose(total, result.logits, rtol=1e-5, atol=1e-4)
    result.overlay(0)


def test_a_volume_and_one_finding():
    result = camlucida.explain(
        make(Volume), images(Volume), method="layercam", target_layer=["body.1", "body.3"], finding=2
    )
    assert result.values.shape == (1, 8, 9, 10)
    assert 0 <= result.values.min() < result.values.max() <= np.float32(math.tanh(2)) + 1e-6


def test_a_list_of_one_layer_is_that_layer():
    network, image = make(Residual), images(Residual)
    one = camlucida.explain(network, image, target_layer=["norm"])
    assert one.explanation.saliency_map.unit == "logit"
    np.testing.assert_array_equal(one.values, camlucida.explain(network, image, target_layer="norm").values)


@pytest.mark.parametrize("method", ["grad-cam", "hirescam", "score-cam"])
def test_other_methods_are_not_fused(method):
    with pytest.raises(UnknownMethod, match=r"fused for LayerCAM alone.*camlucida layers"):
        camlucida.explain(make(Residual), images(Residual), method=method, target_layer=LAYERS)


def test_a_map_without_support_adds_nothing():
    network, image = make(Residual), images(Residual)
    with torch.no_grad():
        network.fc.weight[0] = -network.fc.weight[0].abs()  # no cell argues for finding 0 at the last layer
    result = camlucida.explain(network, image, method="layercam", target_layer=LAYERS, finding=0)
    assert np.isfinite(result.values).all()
