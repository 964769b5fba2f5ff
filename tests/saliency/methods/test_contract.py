"""What every method owes, whatever its mathematics; new methods are tested here by being registered."""

import pytest
import torch
from torch import nn

from camlucida.models.target_layer import find_cut
from camlucida.records import Unit
from camlucida.saliency.methods import METHODS, find_method
from camlucida.saliency.recording import Recording
from example_networks import Deep, Dense, Flat, Residual, Skip, Volume, images, make

NETWORKS = [Residual, Dense, Flat, Deep, Skip, Volume]

every_method = pytest.mark.parametrize("key", METHODS)
every_network = pytest.mark.parametrize("kind", NETWORKS)


def maps_of(key, network, inputs, findings=None):
    method = METHODS[key]
    recording = Recording(network, inputs, find_cut(network, inputs), findings)
    return method.compute(recording, variant=method.variants[0], progress=None)


@every_method
@every_network
def test_gives_finite_signed_maps_on_the_native_grid(key, kind):
    network, inputs = make(kind), images(kind, 2)
    maps = maps_of(key, network, inputs)
    findings = len(make(kind)(inputs)[0])
    assert maps.shape == (2, findings, *find_cut(network, inputs).grid)
    assert torch.isfinite(maps).all()
    assert maps.abs().sum() > 0


@every_method
@every_network
def test_a_batch_gives_what_each_image_gives_alone(key, kind):
    network, inputs = make(kind), images(kind, 3)
    together = maps_of(key, network, inputs)
    alone = torch.cat([maps_of(key, network, one[None]) for one in inputs])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-6)


@every_method
def test_the_same_input_gives_the_same_bits(key):
    network, inputs = make(Residual), images(Residual)
    assert torch.equal(maps_of(key, network, inputs), maps_of(key, network, inputs))


@every_method
def test_some_findings_are_the_same_as_those_among_all(key):
    network, inputs = make(Residual), images(Residual)
    every, some = maps_of(key, network, inputs), maps_of(key, network, inputs, (3, 1))
    torch.testing.assert_close(some, every[:, [3, 1]])


class Flattened(nn.Module):
    """A 3D network that sees a volume of depth 1 exactly as a 2D network sees its slice."""

    def __init__(self, flat):
        super().__init__()
        self.conv = nn.Conv3d(1, 4, (1, 3, 3), (1, 4, 4), (0, 1, 1))
        self.fc = flat.fc
        with torch.no_grad():
            self.conv.weight.copy_(flat.conv.weight[:, :, None])
            self.conv.bias.copy_(flat.conv.bias)

    def forward(self, x):
        return self.fc(self.conv(x).relu().flatten(1))


@every_method
def test_two_axes_are_three_axes_of_depth_one(key):
    flat, inputs = make(Flat), images(Flat)
    volume = maps_of(key, Flattened(flat).eval(), inputs[:, :, None])
    torch.testing.assert_close(volume[:, :, 0], maps_of(key, flat, inputs))


@every_method
def test_a_silent_layer_gives_zeros_not_nan(key):
    network, inputs = make(Dense), images(Dense)
    recording = Recording(network, inputs, find_cut(network, inputs))
    recording.activations = torch.zeros_like(recording.activations)
    recording.gradients = torch.randn(1, 4, *recording.activations.shape[1:])
    method = METHODS[key]
    maps = method.compute(recording, variant=method.variants[0], progress=None)
    assert torch.equal(maps, torch.zeros_like(maps))


@every_method
def test_the_network_is_left_as_it_was(key):
    network, inputs = make(Residual).train(), images(Residual)
    network.norm.eval()
    before = [buffer.clone() for buffer in network.buffers()]
    maps_of(key, network, inputs)
    assert network.training
    assert not network.norm.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, network.buffers(), strict=True))
    assert not any(module._forward_hooks for module in network.modules())


@every_method
@every_network
def test_maps_in_logits_with_a_theorem_add_up(key, kind):
    """HiResCAM on linear heads, Grad-CAM where the head also pools by its mean: to 1e-4."""
    network, inputs = make(kind), images(kind, 2)
    covered = {"hirescam": (Residual, Dense, Volume, Flat, Skip), "grad-cam": (Residual, Dense, Volume, Skip)}
    recording = Recording(network, inputs, find_cut(network, inputs))
    method = METHODS[key]
    maps = method.compute(recording, variant=method.variants[0], progress=None)
    residual = (recording.logits - recording.bias - maps.flatten(2).sum(2)).abs().max()
    if kind in covered.get(key, ()):
        assert residual < 1e-4
    elif method.unit is Unit.RELATIVE:
        assert residual > 1e-4


@every_method
def test_names_paper_and_cost(key):
    method = METHODS[key]
    assert method.paper
    assert method.passes
    assert key == method.name.lower()


@pytest.mark.parametrize("name", ["Grad-CAM++", "gradcam++", "GRAD CAM++", "grad_cam++"])
def test_spelling_does_not_matter(name):
    assert find_method(name)[0] == "grad-cam++"
