"""The papers written again, slowly: loops over cells and channels, and gradients by finite differences."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

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


SLOW = {
    "grad-cam": slow_grad_cam,
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


def slow_score_cam(network, inputs, activations, finding, *, softmax):
    baseline = float(network(torch.zeros_like(inputs))[0, finding])
    scores = []
    for channel in activations:
        low, high = float(channel.min()), float(channel.max())
        if high == low:
            scores.append(0.0)
            continue
        mask = functional.interpolate(channel[None, None], inputs.shape[2:], mode="bilinear")[0, 0]
        low, high = float(mask.min()), float(mask.max())
        scores.append(float(network(inputs * (mask - low) / (high - low))[0, finding]) - baseline)
    if softmax:
        total = sum(math.exp(score) for score in scores)
        scores = [math.exp(score) / total for score in scores]
    return sum(score * channel for score, channel in zip(scores, activations, strict=True))


@pytest.mark.parametrize("variant", ["increase", "softmax"])
@pytest.mark.parametrize("kind", [Dense, Deep])
def test_score_cam_is_what_its_paper_says(kind, variant):
    network, inputs, _, activations, maps = recorded(kind, "score-cam", variant)
    with torch.no_grad():
        for finding in range(2):
            slow = slow_score_cam(network, inputs, activations, finding, softmax=variant == "softmax")
            torch.testing.assert_close(maps[finding], slow, rtol=1e-6, atol=1e-9)


def test_score_cam_counts_its_channels():
    network, inputs = make(Dense), images(Dense)
    recording = Recording(network, inputs, find_cut(network, inputs))
    seen = []
    METHODS["score-cam"].compute(recording, variant="increase", progress=lambda *step: seen.append(step))
    assert seen[-1] == (12, 12)


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


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("grad-cam", [1.5, 4.5]),
        ("grad-cam++", [4 / 18, 12 / 18]),
        ("hirescam", [4.0, -3.0]),
        ("layercam", [4.0, 0.0]),
    ],
)
def test_the_golden_case_of_two_cells(key, expected):
    network, inputs = TwoCells().eval(), torch.tensor([[[[1.0, 3.0]]]])
    recording = Recording(network, inputs, find_cut(network, inputs))
    maps = METHODS[key].compute(recording, variant="", progress=None)
    assert float(recording.logits) == 1.0
    torch.testing.assert_close(maps.flatten(), torch.tensor(expected))


def test_grad_cam_plus_plus_survives_what_overflows_an_exponential():
    network, inputs = TwoCells().eval(), torch.tensor([[[[60.0, 3.0]]]])
    recording = Recording(network, inputs, find_cut(network, inputs))
    maps = METHODS["grad-cam++"].compute(recording, variant="", progress=None)
    assert float(recording.logits) == 237.0
    assert torch.isfinite(maps).all()
    assert (maps > 0).all()
