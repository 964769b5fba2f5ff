"""The papers written again, slowly: loops over cells and channels, and gradients by finite differences."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from camlucida.errors import UnsupportedNetwork
from camlucida.models.head import head_logits
from camlucida.models.target_layer import find_cut
from camlucida.saliency.methods import METHODS
from camlucida.saliency.recording import Recording
from example_networks import Deep, Dense, Flat, images, make


def recorded(kind, key, variant=None):
    network, inputs = make(kind).double(), images(kind).double()
    cut = find_cut(network, inputs)
    recording = Recording(network, inputs, cut)
    maps = METHODS[key].compute(recording, variant=variant or METHODS[key].variants[0], progress=None)[0]
    return network, inputs, cut, recording.activations.detach()[0], maps


def slow_gradient(network, inputs, cut, activations, finding, channel, i, j, step=1e-5):
    """dy/dA of one cell by central differences through the head."""
    up, down = activations.clone(), activations.clone()
    up[channel, i, j] += step
    down[channel, i, j] -= step
    scores = head_logits(network, cut, inputs, torch.stack([up, down]))[:, finding]
    return float(scores[0] - scores[1]) / (2 * step)


def slow_gradients(network, inputs, cut, activations, finding):
    gradients = torch.zeros_like(activations)
    for channel in range(activations.shape[0]):
        for i in range(activations.shape[1]):
            for j in range(activations.shape[2]):
                gradients[channel, i, j] = slow_gradient(
                    network, inputs, cut, activations, finding, channel, i, j
                )
    return gradients


def slow_grad_cam(activations, gradients):
    channels, rows, columns = activations.shape
    result = torch.zeros(rows, columns, dtype=activations.dtype)
    for k in range(channels):
        weight = sum(float(gradients[k, i, j]) for i in range(rows) for j in range(columns)) / (
            rows * columns
        )
        for i in range(rows):
            for j in range(columns):
                result[i, j] += weight * activations[k, i, j]
    return result


def slow_grad_cam_plus_plus(activations, gradients):
    """Equation 19 as printed, with its denominator, for exp(S): its derivatives are powers of g."""
    channels, rows, columns = activations.shape
    result = torch.zeros(rows, columns, dtype=activations.dtype)
    for k in range(channels):
        total = sum(float(activations[k, a, b]) for a in range(rows) for b in range(columns))
        weight = 0.0
        for i in range(rows):
            for j in range(columns):
                g = float(gradients[k, i, j])
                if g <= 0:
                    continue  # ReLU(g) = 0
                weight += g**2 / (2 * g**2 + total * g**3) * g
        for i in range(rows):
            for j in range(columns):
                result[i, j] += weight * activations[k, i, j]
    return result


def slow_hirescam(activations, gradients):
    result = torch.zeros(activations.shape[1:], dtype=activations.dtype)
    for k in range(activations.shape[0]):
        for i in range(activations.shape[1]):
            for j in range(activations.shape[2]):
                result[i, j] += gradients[k, i, j] * activations[k, i, j]
    return result


def slow_layercam(activations, gradients):
    result = torch.zeros(activations.shape[1:], dtype=activations.dtype)
    for k in range(activations.shape[0]):
        for i in range(activations.shape[1]):
            for j in range(activations.shape[2]):
                result[i, j] += max(float(gradients[k, i, j]), 0.0) * activations[k, i, j]
    return result


def slow_counterfactual(activations, gradients):
    return slow_grad_cam(activations, -gradients)


def slow_xgrad_cam(activations, gradients):
    """Equation 8 as printed, for channels whose sum is not 0."""
    channels, rows, columns = activations.shape
    result = torch.zeros(rows, columns, dtype=activations.dtype)
    for k in range(channels):
        total = sum(float(activations[k, i, j]) for i in range(rows) for j in range(columns))
        if total == 0:
            continue
        weight = 0.0
        for i in range(rows):
            for j in range(columns):
                weight += float(activations[k, i, j]) / total * float(gradients[k, i, j])
        for i in range(rows):
            for j in range(columns):
                result[i, j] += weight * activations[k, i, j]
    return result


SLOW = {
    "grad-cam": slow_grad_cam,
    "counterfactual grad-cam": slow_counterfactual,
    "xgrad-cam": slow_xgrad_cam,
    "grad-cam++": slow_grad_cam_plus_plus,
    "hirescam": slow_hirescam,
    "layercam": slow_layercam,
}


@pytest.mark.parametrize("key", SLOW)
@pytest.mark.parametrize("kind", [Dense, Flat, Deep])
def test_gradient_methods_are_what_their_papers_say(key, kind):
    network, inputs, cut, activations, maps = recorded(kind, key)
    for finding in range(2):
        gradients = slow_gradients(network, inputs, cut, activations, finding)
        torch.testing.assert_close(maps[finding], SLOW[key](activations, gradients), rtol=1e-5, atol=1e-7)


class TwoCells(nn.Module):
    """One channel, two cells, flatten and weights [4, -1]: the case on which the methods part."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1, bias=False)
        self.fc = nn.Linear(2, 1, bias=False)
        with torch.no_grad():
            self.conv.weight.fill_(1)
            self.fc.weight.copy_(torch.tensor([[4.0, -1.0]]))

    def forward(self, x):
        return self.fc(functional.relu(self.conv(x)).flatten(1))


def two_cells(key, cells=(1.0, 3.0), variant=""):
    network, inputs = TwoCells().eval(), torch.tensor([[[list(cells)]]])
    recording = Recording(network, inputs, find_cut(network, inputs))
    return recording, METHODS[key].compute(recording, variant=variant, progress=None).flatten()


GOLDEN = {
    "grad-cam": [1.5, 4.5],
    "counterfactual grad-cam": [-1.5, -4.5],
    "grad-cam++": [4 / 18, 12 / 18],
    "xgrad-cam": [0.25, 0.75],
    "ablation-cam": [1.0, 3.0],
    "hirescam": [4.0, -3.0],
    "layercam": [4.0, 0.0],
    "shapleycam": [1.5, 4.5],
    "recipro-cam": [4.0, -3.0],
    "eigen-cam": [1.0, 3.0],
}
"""A = [1, 3] and weights [4, -1]: one weight for the channel paints the cell that argued against."""


@pytest.mark.parametrize(("key", "expected"), GOLDEN.items())
def test_the_golden_case_of_two_cells(key, expected):
    recording, maps = two_cells(key, variant="cell" if key == "recipro-cam" else "")
    assert float(recording.logits) == 1.0
    torch.testing.assert_close(maps, torch.tensor(expected))


def test_cam_refuses_the_golden_case():
    with pytest.raises(UnsupportedNetwork, match="sees only the mean of each channel; after “conv → relu”"):
        two_cells("cam")


@pytest.mark.parametrize("faint", [1e-12, 1e-20])
def test_xgrad_cam_weighs_a_faint_channel_as_a_strong_one(faint):
    """An epsilon would make its map fainter than its activations are."""
    _, maps = two_cells("xgrad-cam", (1 * faint, 3 * faint))
    torch.testing.assert_close(maps / faint, torch.tensor([0.25, 0.75]))


class Opposed(nn.Module):
    """Two channels of which one adds up to exactly 0."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Identity()
        self.fc = nn.Linear(4, 1, bias=False)
        with torch.no_grad():
            self.fc.weight.copy_(torch.tensor([[4.0, -1.0, 2.0, 3.0]]))

    def forward(self, x):
        return self.fc(self.layer(x * 1.0).flatten(1))


def test_xgrad_cam_leaves_out_a_channel_that_adds_up_to_nothing():
    network, inputs = Opposed().eval(), torch.tensor([[[[1.0, 3.0]], [[2.0, -2.0]]]])
    recording = Recording(network, inputs, find_cut(network, inputs, "layer"))
    maps = METHODS["xgrad-cam"].compute(recording, variant="", progress=None)
    torch.testing.assert_close(maps.flatten(), torch.tensor([0.25, 0.75]))


def slow_curvature(network, inputs, cut, activations, finding, step=1e-4):
    """H·A by central differences of slow gradients along A."""
    ahead, behind = (
        slow_gradients(network, inputs, cut, activations * (1 + sign * step), finding) for sign in (1, -1)
    )
    return (ahead - behind) / (2 * step)


def test_shapleycam_is_what_its_paper_says():
    network, inputs, cut, activations, maps = recorded(Deep, "shapleycam")
    for finding in range(2):
        gradients = slow_gradients(network, inputs, cut, activations, finding)
        curvature = slow_curvature(network, inputs, cut, activations, finding)
        slow = slow_grad_cam(activations, gradients - curvature / 2)
        torch.testing.assert_close(maps[finding], slow, rtol=1e-4, atol=1e-7)


def test_shapleycam_comes_nearer_to_the_logit_than_grad_cam_where_the_head_bends():
    left = {}
    for key in ("grad-cam", "shapleycam"):
        network, inputs = make(Deep), images(Deep, 4)
        recording = Recording(network, inputs, find_cut(network, inputs))
        maps = METHODS[key].compute(recording, variant="", progress=None)
        left[key] = float((recording.logits - recording.bias - maps.flatten(2).sum(2)).abs().max())
    assert left["shapleycam"] < left["grad-cam"] / 20


@pytest.mark.parametrize("kind", [Dense, Flat])
def test_shapleycam_is_grad_cam_for_linear_heads(kind):
    *_, shapley = recorded(kind, "shapleycam")
    *_, plain = recorded(kind, "grad-cam")
    torch.testing.assert_close(shapley, plain)


def test_grad_cam_plus_plus_survives_what_overflows_an_exponential():
    recording, maps = two_cells("grad-cam++", (60.0, 3.0))
    assert float(recording.logits) == 237.0
    assert torch.isfinite(maps).all()
    assert (maps > 0).all()
