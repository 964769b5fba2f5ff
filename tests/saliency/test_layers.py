"""The sweep: one explanation for each layer that could carry the maps, early to late."""

import numpy as np
import pytest
import torch
from torch import nn

import camlucida
from camlucida.errors import UnknownMethod
from camlucida.models.load import load_model
from camlucida.models.target_layer import candidates, find_cut
from camlucida.records import Image
from camlucida.rendering.layer_sheet import FAINT, full_colour
from camlucida.rendering.scale import fixed_scale
from camlucida.saliency.layers import NAMED, sweep
from example_models import small_network, write_model
from example_networks import Dense, Residual, Volume, images, make


@pytest.mark.parametrize("kind", [Residual, Dense, Volume])
def test_there_is_one_row_for_each_grid_from_fine_to_coarse(kind):
    network, image = make(kind), images(kind)
    rows = sweep(network, image, method="hirescam")
    grids = [row.values.shape[1:] for row in rows.rows]
    assert len(grids) == len(set(grids)) >= 2
    assert [np.prod(grid) for grid in grids] == sorted(map(np.prod, grids), reverse=True)
    assert rows.chosen == len(grids) - 1
    assert rows.rows[-1].target_layer == camlucida.explain(network, image).target_layer


def test_each_row_is_the_map_at_the_tensor_that_it_names():
    """A shared ReLU is called at both grids: the first row is its first call, not its last."""
    network, image = make(Residual), images(Residual)
    first, last = sweep(network, image).rows
    assert first.target_layer != last.target_layer
    tensor = torch.relu(network.norm(network.first(image))).detach().requires_grad_()
    second = torch.relu(network.second(tensor))
    logits = network.fc(torch.relu(network.third(second) + second).mean((2, 3)))
    for finding in range(5):
        (gradient,) = torch.autograd.grad(logits[0, finding], tensor, retain_graph=True)
        weights = gradient.mean((2, 3), keepdim=True)
        expected = (weights * tensor).sum(1)[0].detach().numpy()
        np.testing.assert_allclose(first.values[finding], expected, atol=1e-6)


def test_a_candidate_is_complete_and_the_last_is_the_one_that_is_found():
    network, image = make(Residual), images(Residual)
    cuts = candidates(network, image)
    assert cuts[-1] == find_cut(network, image)
    assert all(cut.findings == 5 for cut in cuts)
    assert [cut.pooled for cut in cuts] == [False, True]


def test_where_there_is_one_grid_modules_in_between_are_compared():
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 5, 3, padding=1)]
    for _ in range(8):
        layers += [nn.ReLU(), nn.Conv2d(5, 5, 3, padding=1)]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2)).eval()
    rows = sweep(network, torch.rand(1, 12, 12)).rows
    assert len(rows) == 4
    assert rows[-1].target_layer == "16"
    numbers = [int(row.target_layer) for row in rows]
    assert numbers == sorted(numbers)
    assert all(row.values.shape[1:] == (12, 12) for row in rows)


def test_a_layer_that_the_card_names_is_the_chosen_row(tmp_path):
    network = small_network()
    model = load_model(write_model(tmp_path / "model", network, target_layer="stages.0.first"))
    image = Image(np.arange(64 * 48, dtype=np.uint8).reshape(64, 48))
    rows = sweep(model, image)
    assert rows.rows[rows.chosen].target_layer == "stages.0.first"
    assert rows.why == NAMED
    assert [row.target_layer for row in rows.rows][-1] == "stages"


def test_the_sheet_has_a_row_of_tiles_for_each_layer_and_a_column_for_each_finding():
    rows = sweep(make(Residual), images(Residual))
    one, three = rows.picture(), rows.picture([0, 1, 2])
    assert one.height > 2 * 150
    assert three.width > one.width + 2 * 200


def test_a_volume_is_drawn_at_one_slice():
    assert sweep(make(Volume), images(Volume)).picture().mode == "RGB"


def test_a_faint_map_is_not_lifted_to_full_colour():
    explanation = sweep(make(Residual), images(Residual)).rows[-1].explanation
    values = explanation.saliency_map.values
    least = FAINT * fixed_scale(values.shape[1:])
    values *= 1e-6 / np.abs(values).max()
    assert full_colour(explanation.saliency_map, 0) == pytest.approx(least, rel=0.5)


def test_a_method_of_pixels_has_no_layers_to_compare():
    with pytest.raises(UnknownMethod, match="compare layers with a class activation map"):
        sweep(make(Residual), images(Residual), method="gradient")
