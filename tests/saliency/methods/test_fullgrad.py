"""FullGrad: the decomposition adds up, in full, before anything is scaled; then what its paper does to it."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from camlucida.models.target_layer import find_cut
from camlucida.saliency.contrast import Contrast
from camlucida.saliency.full_gradient import full_gradients
from camlucida.saliency.methods import METHODS
from camlucida.saliency.methods.fullgrad import _psi
from camlucida.saliency.recording import Recording
from example_networks import Deep, Dense, Flat, Residual, Sigmoid, Skip, Volume, images, make


class Everything(nn.Module):
    """Biases of every affine kind: convolutions (one used twice), norms with and without weights, dense."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 6, 3, 2, 1)
        self.plain = nn.BatchNorm2d(6, affine=False)
        self.twice = nn.Conv2d(6, 6, 3, 1, 1)
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.up = nn.ConvTranspose2d(6, 4, 2, 2)
        self.hidden = nn.Linear(4, 7)
        self.last = nn.Linear(7, 3)
        for norm in (self.plain, self.norm):
            nn.init.uniform_(norm.running_mean, -0.5, 0.5)
            nn.init.uniform_(norm.running_var, 0.5, 2)
        nn.init.uniform_(self.norm.weight, -1, 1)
        nn.init.uniform_(self.norm.bias, -1, 1)

    def forward(self, x):
        x = self.relu(self.plain(self.first(x)))
        x = self.relu(self.norm(self.twice(self.relu(self.twice(x)))))
        x = functional.max_pool2d(self.up(x), 2)
        return self.last(self.relu(self.hidden(functional.leaky_relu(x).mean((2, 3)))))


def parts_of(network, inputs, findings=None, contrast=None):
    network, inputs = network.double(), inputs.double()
    recording = Recording(network, inputs, find_cut(network, inputs), findings, contrast=contrast)
    return recording, list(full_gradients(recording))


EXAMPLES = {kind: images(kind, 2) for kind in (Residual, Dense, Flat, Skip, Volume, Sigmoid)}
EXAMPLES[Everything] = torch.randn(2, 2, 13, 18, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("kind", EXAMPLES)
def test_input_and_bias_gradients_add_up_to_the_logit(kind):
    """x · dy/dx + sum of b · dy/dz = y (proposition 1), in networks of ReLUs."""
    torch.manual_seed(0)
    network = kind().eval() if kind is Everything else make(kind)
    recording, parts = parts_of(network, EXAMPLES[kind])
    for target, one in enumerate(parts):
        total = one.of_input.flatten(1).sum(1) + sum(part.flatten(1).sum(1) for part in one.of_biases)
        torch.testing.assert_close(total, recording.logits[:, target], rtol=0, atol=1e-10)
        torch.testing.assert_close(one.missing, torch.zeros_like(total), rtol=0, atol=1e-10)
        assert one.missing_share < 1e-9


def test_a_contrast_is_taken_apart_too():
    recording, parts = parts_of(make(Residual), images(Residual), (0, 3), Contrast(other=2, strength=0.6))
    for finding, one in zip((0, 3), parts, strict=True):
        total = one.of_input.sum() + sum(part.sum() for part in one.of_biases)
        expected = recording.logits[0, finding] - 0.6 * recording.logits[0, 2]
        torch.testing.assert_close(total, expected)


def test_the_input_part_is_what_finite_differences_say():
    recording, (first, *_) = parts_of(make(Dense), images(Dense))
    image, step = recording.images[0, 0], 1e-6
    for row, column in [(0, 0), (7, 11), (20, 3), (31, 23)]:
        ahead, behind = image.clone(), image.clone()
        ahead[row, column] += step
        behind[row, column] -= step
        with torch.no_grad():
            up, down = recording.network(torch.stack([ahead, behind])[:, None])[:, 0]
        slow = float(image[row, column]) * float(up - down) / (2 * step)
        assert float(first.of_input[0, 0, row, column]) == pytest.approx(slow, abs=1e-8)


def test_a_layers_part_is_what_a_change_of_its_bias_does():
    recording, (first, *_) = parts_of(make(Dense), images(Dense))
    conv, step = recording.network.features[2], 1e-6
    part = first.of_biases[1]  # after that of the first convolution
    for channel in range(12):
        with torch.no_grad():
            conv.bias[channel] += step
            up = recording.network(recording.images)[0, 0]
            conv.bias[channel] -= 2 * step
            down = recording.network(recording.images)[0, 0]
            conv.bias[channel] += step
        slow = float(conv.bias[channel].detach()) * float(up - down) / (2 * step)
        assert float(part[0, channel].sum()) == pytest.approx(slow, abs=1e-8)


def slow_psi(part, space):
    """Absolute value, min-max over the layer, each channel upsampled by itself, added up."""
    size = part.abs()
    low, high = float(size.min()), float(size.max())
    result = torch.zeros(space, dtype=part.dtype)
    mode = "bilinear" if len(space) == 2 else "trilinear"
    for channel in size:
        scaled = (channel - low) / (high - low)
        result += functional.interpolate(scaled[None, None], space, mode=mode)[0, 0]
    return result


@pytest.mark.parametrize("kind", [Dense, Volume])
def test_the_map_is_what_the_paper_makes_of_the_parts(kind):
    recording, parts = parts_of(make(kind), images(kind))
    maps = METHODS["fullgrad"].compute(recording, variant="", progress=None)
    space = recording.images.shape[2:]
    for target, one in enumerate(parts):
        placed = [part for part in one.of_biases if part.ndim == recording.images.ndim]
        assert len(placed) == (3 if kind is Dense else 2)  # the dense layer has no place
        slow = sum(slow_psi(part[0], space) for part in (one.of_input, *placed))
        torch.testing.assert_close(maps[0, target], slow)


def test_a_part_that_is_the_same_everywhere_shows_nothing():
    assert torch.equal(_psi(torch.full((1, 2, 3, 3), 0.7), torch.Size((6, 6))), torch.zeros(1, 6, 6))


class Loose(nn.Module):
    """A bias that belongs to no layer, and most of the logit comes from it."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, 2, 1)
        self.offset = nn.Parameter(torch.full((3, 1, 1), 5.0))
        self.fc = nn.Linear(3, 2)

    def forward(self, x):
        return self.fc((self.conv(x) + self.offset).relu().mean((2, 3)))


@pytest.mark.parametrize(("kind", "shape"), [(Loose, (1, 1, 12, 12)), (Deep, (1, 1, 31, 29))])
def test_what_it_cannot_see_is_said(kind, shape):
    network, inputs = make(kind), torch.randn(shape)
    recording = Recording(network, inputs, find_cut(network, inputs))
    METHODS["fullgrad"].compute(recording, variant="", progress=None)
    (remark,) = recording.remarks
    assert remark.startswith("FullGrad misses ")
    assert "biases that belong to no layer" in remark


def test_a_complete_map_says_nothing():
    network, inputs = make(Residual), images(Residual)
    recording = Recording(network, inputs, find_cut(network, inputs))
    METHODS["fullgrad"].compute(recording, variant="", progress=None)
    assert recording.remarks == []


class ChannelsLast(nn.Module):
    """A norm and a dense layer on (batch, row, column, channel), as Swin has them."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 5, 3, 2, 1, bias=False)
        self.dense = nn.Linear(5, 4)
        self.fc = nn.Linear(4, 2, bias=False)

    def forward(self, x):
        x = self.dense(self.conv(x).permute(0, 2, 3, 1)).relu()
        return self.fc(x.permute(0, 3, 1, 2).mean((2, 3)))


def test_biases_along_the_last_axis_have_their_place_too():
    _, parts = parts_of(make(ChannelsLast), torch.randn(1, 1, 12, 16))
    (part,) = parts[0].of_biases
    assert part.shape == (1, 4, 6, 8)
    assert parts[0].missing_share < 1e-9
