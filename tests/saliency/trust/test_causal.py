import numpy as np
import pytest
import torch

import camlucida
from camlucida.models.load import load_folder
from camlucida.saliency.trust import causal
from camlucida.saliency.trust.infill import filled
from example_models import write_model
from planted_networks import Elsewhere, Marker, as_image, marked


def explained(network, *checks):
    return camlucida.explain(network.eval(), torch.from_numpy(marked())[None], checks=checks)


def test_a_planted_shortcut_is_found_by_its_place_and_by_its_effect(tmp_path):
    folder = write_model(
        tmp_path / "model",
        Marker(),
        architecture=f"{Marker.__module__}:Marker",
        architecture_arguments=None,
        findings=[{"name": "Shortcut"}],
        input={"modality": [], "size": [64, 64], "mean": [0.0], "std": [1.0]},
    )
    result = camlucida.explain(load_folder(folder), as_image(marked()), checks="causal")
    (finding,) = result.explanation.trust.findings
    assert finding.corner_share == pytest.approx(1)
    assert finding.outside_share > 0.95
    assert finding.causal.effect > 0.9 * result.logits[0]
    assert finding.causal.as_strong == 0
    assert finding.causal.z > 10
    assert "of the evidence lies outside the body: look for a shortcut." in finding.statement
    assert "more than removing others does" in finding.statement


def test_a_map_that_points_where_the_network_does_not_look_has_a_weak_z():
    (finding,) = explained(Elsewhere(), "causal").explanation.trust.findings
    assert finding.causal.z < 2
    assert "do not rely on the place" in finding.statement


def test_effect_and_z_are_those_of_plain_inferences_one_by_one():
    network, image = Marker().eval(), torch.from_numpy(marked())[None, None]
    (finding,) = explained(network, "causal").explanation.trust.findings
    region = causal.on_input(causal.hottest(explained(network).values[0]), (64, 64))
    others = list(causal.elsewhere(region, causal.REGIONS))

    def effect(mask):
        with torch.no_grad():
            without = filled(image, torch.from_numpy(mask[None, None]).float())
            return float(network(image) - network(without))

    effects = [effect(mask) for mask in others]
    mean = sum(effects) / len(effects)
    sd = (sum((one - mean) ** 2 for one in effects) / (len(effects) - 1)) ** 0.5
    assert finding.causal.effect == pytest.approx(effect(region), abs=1e-3)
    assert finding.causal.random_mean == pytest.approx(mean, abs=1e-3)
    assert finding.causal.random_sd == pytest.approx(sd, abs=1e-3)
    assert finding.causal.z == pytest.approx((effect(region) - mean) / max(sd, 0.01), rel=1e-2)
    assert finding.causal.area == region.mean()


def test_the_hottest_cells_hold_half_of_the_support_and_are_few():
    values = np.zeros((8, 8), np.float32)
    values[2, 3], values[2, 4], values[5, 5], values[7, 7] = 4, 3, 2, -9
    assert set(zip(*np.nonzero(causal.hottest(values)), strict=True)) == {(2, 3), (2, 4)}
    flat = np.ones((10, 10), np.float32)
    assert causal.hottest(flat).sum() == 20  # a fifth of the grid at most
    assert not causal.hottest(-flat).any()


def test_a_fine_map_is_judged_by_regions_with_an_extent():
    values = np.random.default_rng(0).random((64, 48)).astype(np.float32)
    assert causal.hottest(values).shape == (16, 16)
    assert causal.hottest(np.zeros((20, 64, 64), np.float32)).shape == (16, 16, 16)


def test_the_region_on_the_input_is_the_cells_and_half_a_cell_around():
    cells = np.zeros((4, 4), np.bool_)
    cells[1, 2] = True
    region = causal.on_input(cells, (16, 16))
    assert set(zip(*np.nonzero(region), strict=True)) == {(r, c) for r in range(2, 10) for c in range(6, 14)}


def test_other_regions_have_the_same_size_and_are_the_same_each_time():
    region = np.zeros((20, 30), np.bool_)
    region[3:8, 4:10] = True
    others = list(causal.elsewhere(region, 24))
    assert [one.sum() for one in others] == [region.sum()] * 24
    assert max((one & region).sum() for one in others) < 0.2 * region.sum()
    assert all(np.array_equal(*pair) for pair in zip(others, causal.elsewhere(region, 24), strict=True))


@pytest.mark.parametrize("shape", [(1, 2, 33, 20), (1, 1, 9, 17, 16)])
def test_a_region_is_filled_from_what_surrounds_it_and_nothing_else_changes(shape):
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    regions = torch.zeros(2, 1, *shape[2:])
    regions[0, 0, ..., 4:9, 5:11] = 1
    regions[1, 0, ..., :2, :2] = 1
    result = filled(image, regions)
    outside = ~regions.bool().expand_as(result)
    assert torch.equal(result[outside], image.expand_as(result)[outside])
    assert result.min() >= image.min()
    assert result.max() <= image.max()
    assert not torch.equal(result[0, :, ..., 4:9, 5:11], image[0, :, ..., 4:9, 5:11])


def test_a_constant_surrounding_fills_with_its_value_whatever_was_inside():
    image = torch.full((1, 1, 21, 18), 3.0)
    image[..., 5:9, 5:9] = 1000
    regions = torch.zeros(1, 1, 21, 18)
    regions[..., 5:9, 5:9] = 1
    assert torch.allclose(filled(image, regions), torch.full_like(image, 3.0), atol=1e-4)


def test_no_support_leaves_nothing_to_remove():
    network = Marker()
    torch.nn.init.constant_(network.fc.weight, -1000.0)
    (finding,) = explained(network, "causal").explanation.trust.findings
    assert finding.causal is None
