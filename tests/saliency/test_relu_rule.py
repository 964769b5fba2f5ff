"""Guided backpropagation and deconvolution, by hand and beside Captum, for every way to call a ReLU."""

import captum.attr
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import camlucida
from camlucida.errors import UnsupportedNetwork
from camlucida.models.target_layer import find_cut
from camlucida.saliency.methods import METHODS
from camlucida.saliency.recording import Recording
from camlucida.saliency.relu_rule import NO_RELU
from example_networks import Deep, images, make


class Modules(nn.Module):
    """Each ReLU a module of its own: the one case that Captum's hooks are made for."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(1, 4, 3, 2, 1), nn.Conv2d(4, 5, 3, 1, 1), nn.Conv2d(5, 6, 3, 1, 1)
        self.first, self.second, self.third = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.fc = nn.Linear(6 * 30, 2)

    def relu_1(self, x):
        return self.first(x)

    def relu_2(self, x):
        return self.second(x)

    def relu_3(self, x):
        return self.third(x)

    def forward(self, x):
        x = self.relu_1(self.a(x))
        x = self.relu_2(self.b(x)) + 0.5 * x[:, :1]  # a branch, as in a residual network
        return self.fc(self.relu_3(self.c(x)).flatten(1))


class Functions(Modules):
    """The same network, each ReLU called by another name."""

    def relu_1(self, x):
        return functional.relu(x)

    def relu_2(self, x):
        return x.clamp(min=0)

    def relu_3(self, x):
        return torch.relu(x)


class InPlace(Modules):
    """In place: as a module, as a function by position, as a method."""

    def __init__(self):
        super().__init__()
        self.first = nn.ReLU(inplace=True)

    def relu_2(self, x):
        functional.relu(x, True)
        return x

    def relu_3(self, x):
        x.relu_()
        return x


class Shared(Modules):
    """One module for all of them, in place, as torchvision's ResNet has it."""

    def __init__(self):
        super().__init__()
        self.first = nn.ReLU(inplace=True)

    relu_2 = relu_3 = Modules.relu_1


class Mixed(Modules):
    """A function, a method in place on a view, and a module."""

    def relu_1(self, x):
        return functional.relu(input=x)

    def relu_2(self, x):
        for half in (x[:, :2], x[:, 2:]):
            half.clamp_(0)
        return x


class Checkpointed(Modules):
    """Runs forward again in the backward pass, where no rule can reach."""

    def relu_1(self, x):
        return checkpoint(functional.relu, x, use_reentrant=False)


KINDS = [Modules, Functions, InPlace, Shared, Mixed]
every_kind = pytest.mark.parametrize("kind", KINDS)
SPACE = (12, 10)


def by_hand(network, image, finding, *, deconvolution):
    """The backward pass written out, convolution by convolution, for a network of the class Modules."""
    with torch.no_grad():
        a = network.a(image)
        b_in = a.clamp(min=0)
        b = network.b(b_in)
        c_in = b.clamp(min=0) + 0.5 * b_in[:, :1]
        c = network.c(c_in)

        def rule(above, before):
            back = torch.zeros_like(above)
            for place in torch.nonzero(above > 0).tolist():
                if deconvolution or before[tuple(place)] > 0:
                    back[tuple(place)] = above[tuple(place)]
            return back

        r = network.fc.weight[finding].reshape(c.shape)
        r = functional.conv_transpose2d(rule(r, c), network.c.weight, padding=1)
        around = 0.5 * r.sum(1)  # the branch passes by the second ReLU
        r = functional.conv_transpose2d(rule(r, b), network.b.weight, padding=1)
        r[:, 0] += around
        odd = (1, 1)  # what the stride of 2 left over
        return functional.conv_transpose2d(rule(r, a), network.a.weight, None, 2, 1, odd)


def maps_of(key, network, inputs):
    method = METHODS[key]
    recording = Recording(network, inputs, find_cut(network, inputs))
    return method.compute(recording, variant=method.variants[0], progress=None)


def example(kind):
    generator = torch.Generator().manual_seed(2)
    return make(kind).double(), torch.randn(1, 1, *SPACE, generator=generator, dtype=torch.float64)


@every_kind
@pytest.mark.parametrize(
    ("key", "deconvolution"), [("guided backpropagation", False), ("deconvolution", True)]
)
def test_the_rule_is_what_the_paper_says_by_whichever_name_relu_is_called(kind, key, deconvolution):
    network, inputs = example(kind)
    maps = maps_of(key, network, inputs)
    for finding in range(2):
        slow = by_hand(network, inputs, finding, deconvolution=deconvolution)
        torch.testing.assert_close(maps[0, finding], slow[0].sum(0))


@pytest.mark.parametrize(
    ("key", "theirs"),
    [("guided backpropagation", "GuidedBackprop"), ("deconvolution", "Deconvolution")],
)
@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU")
def test_where_every_relu_is_a_module_it_is_captums(key, theirs):
    network, inputs = example(Modules)
    attribution = getattr(captum.attr, theirs)(network)
    for finding in range(2):
        expected = attribution.attribute(inputs.clone().requires_grad_(), target=finding)
        found = maps_of(key, network, inputs)[0, finding]
        assert float((found - expected[0].sum(0)).abs().max()) <= 1e-5


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU")
def test_captum_passes_by_a_relu_that_is_a_function():
    """Why its hooks are not used here; when this fails, they have learnt it."""
    network, inputs = example(Functions)
    theirs = captum.attr.GuidedBackprop(network).attribute(inputs.clone().requires_grad_(), target=0)
    ours = maps_of("guided backpropagation", network, inputs)[0, 0]
    assert float((ours - theirs[0].sum(0)).abs().max()) > 0.01


@every_kind
def test_the_network_computes_and_is_what_it_was_before(kind):
    network, inputs = example(kind)
    (expected,) = torch.autograd.grad(network(leaf := inputs.clone().requires_grad_())[0, 1], leaf)
    before = network(inputs).detach().clone()
    maps_of("guided backpropagation", network, inputs)
    assert torch.equal(network(inputs), before)
    assert not any(module._backward_hooks or module._forward_hooks for module in network.modules())
    (gradient,) = torch.autograd.grad(network(leaf := inputs.clone().requires_grad_())[0, 1], leaf)
    assert torch.equal(gradient, expected)


@pytest.mark.parametrize("key", ["guided backpropagation", "deconvolution", "guided grad-cam"])
def test_a_network_that_checkpoints_is_refused_not_explained_wrongly(key):
    network, inputs = example(Checkpointed)
    with pytest.raises(UnsupportedNetwork, match="switch the checkpointing off"):
        maps_of(key, network, inputs)
    assert maps_of("gradient", network, inputs).abs().sum() > 0  # afterwards, and by the network's own rule


def test_guided_grad_cam_is_grad_cam_upsampled_times_guided_backpropagation():
    network, inputs = example(Functions)
    cells = maps_of("grad-cam", network, inputs).clamp(min=0)
    guided = maps_of("guided backpropagation", network, inputs)
    found = maps_of("guided grad-cam", network, inputs)
    rows, columns = cells.shape[2:]
    for i in range(SPACE[0]):
        for j in range(SPACE[1]):
            # Half-pixel centres, by the two nearest cells along each axis.
            y = min(max((i + 0.5) * rows / SPACE[0] - 0.5, 0), rows - 1)
            x = min(max((j + 0.5) * columns / SPACE[1] - 0.5, 0), columns - 1)
            top, left = int(y), int(x)
            under, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
            dy, dx = y - top, x - left
            upper = (1 - dx) * cells[0, 1, top, left] + dx * cells[0, 1, top, right]
            lower = (1 - dx) * cells[0, 1, under, left] + dx * cells[0, 1, under, right]
            expected = ((1 - dy) * upper + dy * lower) * guided[0, 1, i, j]
            assert float(found[0, 1, i, j]) == pytest.approx(float(expected), abs=1e-9)


def test_a_network_without_relu_is_told_so():
    network, inputs = make(Deep), images(Deep)
    torch.testing.assert_close(
        maps_of("guided backpropagation", network, inputs), maps_of("gradient", network, inputs)
    )
    cautions = camlucida.explain(network, inputs, method="guided backpropagation").explanation.trust.cautions
    assert NO_RELU in cautions
    assert any("randomisation" in caution for caution in cautions)


@pytest.mark.parametrize("key", ["guided backpropagation", "guided grad-cam", "deconvolution"])
def test_edge_detectors_come_with_a_warning(key):
    assert "random" in METHODS[key].caution
    assert "Not for conclusions" in METHODS[key].caution


def test_a_clamp_at_other_bounds_is_no_relu():
    class Bounded(Modules):
        def relu_2(self, x):
            return x.clamp(0, 1).clamp(min=-1).clamp(max=0.5)

        def relu_1(self, x):
            return torch.tanh(x)

        relu_3 = relu_1

    network, inputs = example(Bounded)
    torch.testing.assert_close(
        maps_of("guided backpropagation", network, inputs), maps_of("gradient", network, inputs)
    )
