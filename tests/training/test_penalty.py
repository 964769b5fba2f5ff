"""Penalties against their formulas, written out in loops, and against finite differences."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from camlucida.errors import InputError
from camlucida.training import LiveEvidence, region_penalty, right_reasons
from example_networks import Deep, Dense, Flat, Residual

SIZE = {"Flat": (24, 28)}


class Pooled(nn.Module):
    """A convolution, ReLU, mean, one linear layer: small enough to do by hand."""

    def __init__(self, channels=3, findings=2):
        super().__init__()
        self.conv = nn.Conv2d(1, channels, 4, 4)
        self.fc = nn.Linear(channels, findings)

    def forward(self, x):
        return self.fc(functional.relu(self.conv(x)).mean((2, 3)))


def images_for(network, batch=3):
    torch.manual_seed(1)
    channels = next(network.parameters()).shape[1]
    return torch.rand(batch, channels, *SIZE.get(type(network).__name__, (32, 32)))


@pytest.mark.parametrize("make", [Pooled, Residual, Dense, Flat])
def test_the_maps_of_a_linear_head_add_up_to_the_logits_in_training_mode(make):
    torch.manual_seed(0)
    network = make()
    images = images_for(network)
    evidence = LiveEvidence(network, images)
    network.train()
    logits, maps = evidence(images)
    head = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    assert network.training
    assert torch.allclose(maps.flatten(2).sum(2) + head.bias, logits, atol=1e-5)


def test_a_pooled_linear_head_needs_no_backward_pass_and_others_do():
    torch.manual_seed(0)
    for make, plain in ((Pooled, True), (Dense, True), (Residual, True), (Flat, False), (Deep, False)):
        network = make()
        assert (LiveEvidence(network, images_for(network)).linear is not None) is plain


def test_both_forms_are_the_same_map_with_the_same_gradients():
    torch.manual_seed(0)
    network = Pooled()
    images = images_for(network)
    region = torch.zeros(3, 32, 32)
    region[:, :9, :9] = 1
    found = []
    for linear in (True, False):
        evidence = LiveEvidence(network, images)
        if not linear:
            evidence.linear = None
        _, maps = evidence(images)
        penalty = region_penalty(maps, region, images)
        found.append((maps.detach(), *torch.autograd.grad(penalty, (network.conv.weight, network.fc.weight))))
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_the_penalty_is_its_formula_written_out():
    torch.manual_seed(0)
    network = Pooled().double()
    images = images_for(network).double()
    masks = [torch.zeros(32, 32), None, torch.zeros(32, 32)]
    masks[0][:6, :10] = 1
    masks[2][20:, 13] = 1
    _, maps = LiveEvidence(network, images)(images)
    activations = functional.relu(network.conv(images))
    total = 0.0
    weight = network.fc.weight.detach()
    activations = activations.detach()
    for number in (0, 2):
        for finding in range(2):
            for row in range(8):
                for column in range(8):
                    inside = masks[number][4 * row : 4 * row + 4, 4 * column : 4 * column + 4].sum() / 16
                    cell = sum(weight[finding, k] * activations[number, k, row, column] for k in range(3))
                    total += float(inside * abs(cell) / 64)
    assert region_penalty(maps, masks, images).item() == pytest.approx(total / 4, rel=1e-6)


@pytest.mark.parametrize("make", [Pooled, Deep])
def test_the_gradients_of_the_penalty_are_those_of_finite_differences(make):
    torch.manual_seed(3)
    network = make().double().eval()
    images = images_for(network).double()
    evidence = LiveEvidence(network, images)
    mask = torch.zeros(3, 32, 32)
    mask[:, 5:20, 5:20] = 1

    def penalty():
        return region_penalty(evidence(images)[1], mask, images)

    parameters = list(network.parameters())
    gradients = torch.autograd.grad(penalty(), parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        slow, kept = [], parameter.flatten()[0].item()
        for step in (1e-6, -1e-6):
            parameter.data.view(-1)[0] = kept + step
            slow.append(penalty().item())
        parameter.data.view(-1)[0] = kept
        fast = 0.0 if gradient is None else gradient.flatten()[0].item()
        assert fast == pytest.approx((slow[0] - slow[1]) / 2e-6, abs=1e-6)


def test_with_overhang_every_cell_that_sees_the_region_counts_in_full():
    maps = torch.ones(1, 1, 8, 8)
    images, mask = torch.zeros(1, 1, 32, 32), torch.zeros(1, 32, 32)
    mask[0, 12, 12] = 1  # one pixel, in the corner of cell (3, 3)
    assert float(region_penalty(maps, mask, images)) == pytest.approx(1 / 16)
    assert float(region_penalty(maps, mask, images, overhang=1)) == 4  # cells 2 and 3 along each axis
    assert float(region_penalty(maps, mask, images, overhang=(0, 1))) == 2
    assert float(region_penalty(maps, mask, images, overhang=5)) == 16  # 7 to 17: cells 1 to 4


def test_evidence_for_does_not_pay_for_evidence_against():
    maps = torch.tensor([[[[3.0, -3.0]]]])
    images = torch.zeros(1, 1, 2, 4)
    assert float(region_penalty(maps, torch.ones(1, 2, 4), images)) == 6


def test_a_batch_without_regions_costs_nothing_and_moves_nothing():
    network = Pooled()
    images = images_for(network)
    _, maps = LiveEvidence(network, images)(images)
    penalty = region_penalty(maps, [None, None, None], images)
    torch.autograd.backward(penalty)
    assert float(penalty.detach()) == 0
    assert not network.fc.weight.grad.any()


def test_regions_of_volumes_and_of_each_finding():
    maps = torch.ones(2, 2, 2, 2, 2)
    images, masks = torch.zeros(2, 1, 4, 4, 4), torch.zeros(2, 2, 4, 4, 4)
    masks[0, 1, :2, :2, :2] = 1
    assert float(region_penalty(maps, masks, images)) == 1


def test_a_frozen_trunk_still_gives_gradients_to_the_head():
    network = Pooled()
    network.conv.requires_grad_(requires_grad=False)
    images = images_for(network)
    _, maps = LiveEvidence(network, images)(images)
    torch.autograd.backward(region_penalty(maps, torch.ones(3, 32, 32), images))
    assert network.fc.weight.grad.any()
    assert network.conv.weight.grad is None


def test_right_reasons_of_a_logistic_regression_in_closed_form():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(6, 1))
    images = torch.randn(2, 1, 2, 3, requires_grad=True)
    mask = torch.tensor([[[1.0, 0, 0], [0, 0, 1]], [[0, 0, 0], [0, 0, 0]]])
    logits = network(images)
    # d/dx of log p + log(1 - p) is (1 - 2p) w.
    p = torch.sigmoid(logits[0]).item()
    w = network[1].weight[0].reshape(2, 3)
    expected = ((1 - 2 * p) ** 2 * (w[0, 0] ** 2 + w[1, 2] ** 2)).item()
    assert right_reasons(logits, images, mask).item() == pytest.approx(expected, rel=1e-5)


def test_right_reasons_of_softmax_is_the_papers_sum():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(6, 3))
    images = torch.randn(2, 1, 2, 3, requires_grad=True)
    logits = network(images)
    total = 0.0
    for n in range(2):
        p, w = torch.softmax(logits[n], 0).detach(), network[1].weight.detach()
        # d log p_k / dx = w_k - sum_j p_j w_j
        slope = sum(w[k] - sum(p[j] * w[j] for j in range(3)) for k in range(3))
        total += float((slope**2).sum())
    assert right_reasons(logits, images, torch.ones(2, 2, 3), softmax=True).item() == pytest.approx(total / 2)


def test_what_does_not_fit_is_refused_with_its_shape():
    maps, images = torch.ones(2, 3, 4, 4), torch.zeros(2, 1, 16, 16)
    with pytest.raises(InputError, match=r"\(2, 1, 8, 8\)"):
        region_penalty(maps, torch.ones(2, 8, 8), images)
    with pytest.raises(InputError, match="regions for 2 findings and maps of 3"):
        region_penalty(maps, torch.ones(2, 2, 16, 16), images)
    with pytest.raises(InputError, match="different shapes"):
        region_penalty(maps, [torch.ones(16, 16), torch.ones(8, 8)], images)
    with pytest.raises(InputError, match="requires_grad_"):
        right_reasons(torch.zeros(2, 1), images, torch.ones(2, 16, 16))
