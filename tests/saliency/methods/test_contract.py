"""What every method owes, whatever its mathematics; new methods are tested here by being registered.

A method that does not take every network says so in `needs`, and refuses the others with a sentence.
"""

from contextlib import suppress
from functools import cache
from itertools import pairwise

import pytest
import torch
from torch import nn

from camlucida.errors import UnsupportedNetwork
from camlucida.models.target_layer import find_cut
from camlucida.records import Unit
from camlucida.saliency.contrast import Contrast
from camlucida.saliency.method import Grid
from camlucida.saliency.methods import METHODS, find_method
from camlucida.saliency.recording import Recording
from example_networks import Deep, Dense, Flat, Residual, Skip, Transformer, Volume, images, make

ROUNDING = 1e-6  # of a logit in float32, absolute
NETWORKS = [Residual, Dense, Flat, Deep, Skip, Volume]

TAKES = {"cam": (Residual, Dense, Volume), "attention rollout": (Transformer,)}
"""What choosy methods are tried on; of others that have `needs`, tests leave out the networks they refuse."""


def kinds(key):
    return TAKES.get(key, NETWORKS)


def suited(key, kind=Residual):
    """This kind of network, or the first that the method takes."""
    return kind if kind in kinds(key) else kinds(key)[0]


def pairs(keys):
    return pytest.mark.parametrize(("key", "kind"), [(key, kind) for key in keys for kind in kinds(key)])


every_method = pytest.mark.parametrize("key", METHODS)
every_network = pairs(METHODS)


def record(key, network, inputs, findings=None):
    contrast = Contrast() if METHODS[key].contrastive else None
    return Recording(network, inputs, find_cut(network, inputs), findings, contrast=contrast)


def compute(key, recording, progress=None):
    """The maps; a network that the method says it does not take is none of the test's business."""
    method = METHODS[key]
    try:
        return method.compute(recording, variant=method.variants[0], progress=progress)
    except UnsupportedNetwork:
        if not method.needs:
            raise
        pytest.skip(f"{method.name} needs {method.needs}")


def tolerance(maps):
    """Values that are differences of logits are no better than these."""
    return max(ROUNDING, 1e-5 * float(maps.abs().max()))


def maps_of(key, network, inputs, findings=None):
    return compute(key, record(key, network, inputs, findings))


@cache
def two_maps(key, kind):
    """Of two images, once for all tests that only look at them."""
    network, inputs = make(kind), images(kind, 2)
    recording = record(key, network, inputs)
    return recording, compute(key, recording)


@every_network
def test_gives_finite_maps_of_all_findings_on_its_grid(key, kind):
    recording, maps = two_maps(key, kind)
    grid = recording.cut.grid if METHODS[key].grid is Grid.CELLS else recording.images.shape[2:]
    assert maps.shape == (2, len(recording.findings), *grid)
    assert maps.dtype == torch.float32
    assert not maps.requires_grad
    assert torch.isfinite(maps).all()
    assert (maps.flatten(1).abs().sum(dim=1) > 0).all()


@every_network
def test_a_batch_gives_what_each_image_gives_alone(key, kind):
    _, together = two_maps(key, kind)
    network = make(kind)
    alone = torch.cat([maps_of(key, network, one[None]) for one in images(kind, 2)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=tolerance(together))


@every_method
def test_the_same_input_gives_the_same_bits(key):
    network, inputs = make(suited(key)), images(suited(key))
    assert torch.equal(maps_of(key, network, inputs), maps_of(key, network, inputs))


@every_method
def test_some_findings_are_the_same_as_those_among_all(key):
    network, inputs = make(suited(key)), images(suited(key))
    every = maps_of(key, network, inputs)
    two = (every.shape[1] - 1, 0)
    some = maps_of(key, network, inputs, two)
    torch.testing.assert_close(some, every[:, two], rtol=1e-4, atol=tolerance(every))


@every_method
@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_the_callers_grad_mode_and_frozen_weights_do_not_matter(key, mode):
    network, inputs = make(suited(key)), images(suited(key))
    expected = maps_of(key, network, inputs)
    network.requires_grad_(requires_grad=False)
    with mode():
        maps = maps_of(key, network, inputs.clone())
        assert not torch.is_grad_enabled()
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=tolerance(expected))


class Flattened(nn.Module):
    """A 3D network that sees a volume of depth 1 exactly as a 2D network sees its slice."""

    def __init__(self, flat):
        super().__init__()
        self.conv = nn.Conv3d(1, 6, (1, 3, 3), (1, 2, 2), (0, 1, 1))
        self.fc = flat.fc
        with torch.no_grad():
            self.conv.weight.copy_(flat.conv.weight[:, :, None])
            self.conv.bias.copy_(flat.conv.bias)

    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3, 4)))


class Slice(nn.Module):
    """The 2D network of it."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, 2, 1)
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3)))


REGIONS_OF_THEIR_OWN = {"occlusion", "lime", "kernelshap"}
"""Their windows and superpixels are chosen for the number of axes."""


@pytest.mark.parametrize(
    "key", [key for key in METHODS if key not in {*REGIONS_OF_THEIR_OWN, "attention rollout"}]
)
def test_two_axes_are_three_axes_of_depth_one(key):
    flat, inputs = make(Slice), torch.randn(1, 1, 12, 10, generator=torch.Generator().manual_seed(1))
    volume = maps_of(key, Flattened(flat).eval(), inputs[:, :, None])
    plane = maps_of(key, flat, inputs)
    torch.testing.assert_close(volume[:, :, 0], plane, rtol=1e-4, atol=tolerance(plane))


OF_THE_ACTIVATIONS = [
    key for key, method in METHODS.items() if method.grid is Grid.CELLS and key != "attention rollout"
]


@pytest.mark.parametrize("key", OF_THE_ACTIVATIONS)
def test_a_silent_layer_gives_zeros_not_nan(key):
    recording = record(key, make(Dense), images(Dense))
    recording.activations = torch.zeros_like(recording.activations)
    recording.gradients = torch.randn(1, 4, *recording.activations.shape[1:])
    maps = compute(key, recording)
    torch.testing.assert_close(maps, torch.zeros_like(maps), rtol=0, atol=1e-6)


@pytest.mark.parametrize("key", [key for key, method in METHODS.items() if method.grid is Grid.PIXELS])
def test_a_black_image_gives_no_nan(key):
    maps = maps_of(key, make(Dense), torch.zeros_like(images(Dense)))
    assert torch.isfinite(maps).all()


def assert_as_it_was(network, before):
    still, *others = network.children()
    assert network.training
    assert not still.training
    assert all(module.training for other in others for module in other.modules())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, network.buffers(), strict=True))
    assert not any(module._forward_hooks for module in network.modules())
    assert not any(module._forward_pre_hooks for module in network.modules())
    assert not any(module._backward_hooks for module in network.modules())
    assert torch.is_grad_enabled()


@pytest.fixture
def network_in_training(key):
    network = make(suited(key)).train()
    next(network.children()).eval()
    return network, [buffer.clone() for buffer in network.buffers()]


@every_method
def test_the_network_is_left_as_it_was(key, network_in_training):
    network, before = network_in_training
    maps_of(key, network, images(suited(key)))
    assert_as_it_was(network, before)


class Stopped(BaseException):
    """As an interruption from the keyboard."""


@every_method
def test_nothing_is_left_behind_by_an_interruption(key, network_in_training):
    network, before = network_in_training

    def stop(_done, _total):
        raise Stopped

    with suppress(Stopped):
        compute(key, record(key, network, images(suited(key))), progress=stop)
    assert_as_it_was(network, before)


@every_method
def test_progress_goes_on_over_all_images_and_comes_to_its_end(key):
    steps, kind = [], suited(key, Dense)
    compute(key, record(key, make(kind), images(kind, 2)), progress=lambda *step: steps.append(step))
    if not steps:
        assert METHODS[key].passes.startswith(("one ", "none"))
        return
    assert all(0 < done <= total for done, total in steps)
    assert len({total for _, total in steps}) == 1
    assert steps[-1][0] == steps[-1][1]
    assert all(before[0] < after[0] for before, after in pairwise(steps))


LINEAR = (Residual, Dense, Volume, Flat, Skip)
POOLED = (Residual, Dense, Volume, Skip)
THEOREM = {
    "hirescam": LINEAR,  # Draelos and Carin, section 3
    "xgrad-cam": LINEAR,  # Respond-CAM's sum-to-score property
    "recipro-cam": LINEAR,  # each mask's weights add up to one cell's
    "grad-cam": POOLED,
    "finer-cam": POOLED,
    "shapleycam": POOLED,
    "cam": (Residual, Dense, Volume),
}
"""Heads for which a method's map adds up to the logit, exactly."""


def residual(recording, maps):
    values = torch.einsum("bf,btf->bt", recording.logits - recording.bias, recording.targets)
    return float((values - maps.flatten(2).sum(dim=2)).abs().max())


@pytest.mark.parametrize(("key", "kind"), [(key, kind) for key, kinds in THEOREM.items() for kind in kinds])
def test_maps_in_logits_with_a_theorem_add_up(key, kind):
    recording, maps = two_maps(key, kind)
    assert METHODS[key].unit is Unit.LOGIT
    assert residual(recording, maps) < 1e-5


@pairs([key for key, method in METHODS.items() if method.unit is Unit.RELATIVE])
def test_maps_that_do_not_add_up_are_not_said_to_be_logits(key, kind):
    assert residual(*two_maps(key, kind)) > 1e-4


@every_method
def test_findings_have_maps_of_their_own_unless_the_method_says_otherwise(key):
    _, maps = two_maps(key, suited(key))
    same = all(torch.equal(maps[:, 0], maps[:, other]) for other in range(1, maps.shape[1]))
    assert same == METHODS[key].class_agnostic
    assert same == METHODS[key].caution.startswith("Explains no finding")


@every_method
def test_says_what_it_is(key):
    method = METHODS[key]
    assert key == method.name.lower()
    for words in (method.paper, method.passes):
        assert words
        assert words == words.strip()
    for sentence in filter(None, (method.caution,)):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
    assert not method.needs.endswith(".")
    assert method.unit is Unit.LOGIT or method.caution


@every_method
def test_takes_every_network_or_says_what_it_needs(key):
    method, taken = METHODS[key], []
    for kind in [*NETWORKS, Transformer]:
        network = make(kind)
        inputs = images(kind)
        layer = "patches" if kind is Transformer else None
        cut = find_cut(network, inputs, layer)
        contrast = Contrast() if method.contrastive else None
        recording = Recording(network, inputs, cut, contrast=contrast)
        try:
            method.compute(recording, variant=method.variants[0], progress=None)
            taken.append(kind)
        except UnsupportedNetwork as refusal:
            sentence = str(refusal)
            assert method.needs
            assert method.name.casefold() in sentence.casefold()
            assert sentence.endswith(".")
    assert taken
    if not method.needs:
        assert len(taken) == len(NETWORKS) + 1


@every_method
def test_is_found_by_its_name_and_by_those_of_its_aliases(key):
    for name in (METHODS[key].name, *METHODS[key].aliases):
        assert find_method(name.replace("-", " "))[0] == key


@pytest.mark.parametrize("name", ["Grad-CAM++", "gradcam++", "GRAD CAM++", "grad_cam++"])
def test_spelling_does_not_matter(name):
    assert find_method(name)[0] == "grad-cam++"
