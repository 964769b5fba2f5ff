import gc
import weakref

import pytest
import torch
from torch import nn

from camlucida.errors import UnsuitableRuntime
from camlucida.models.cut import run
from camlucida.models.split import split
from camlucida.models.target_layer import find_cut
from example_networks import Deep, Dense, Flat, Residual, Sigmoid, Skip, Softmax, Volume, images, make


def parts(kind):
    network, inputs = make(kind), images(kind)
    cut = find_cut(network, inputs)
    return network, inputs, cut, split(network, inputs, cut)


@pytest.mark.parametrize("kind", [Residual, Dense, Flat, Deep, Volume, Sigmoid, Softmax])
def test_trunk_and_head_give_what_the_whole_network_gives(kind):
    network, inputs, cut, both = parts(kind)
    seen = []
    whole = run(network, inputs, cut, lambda tensor: seen.append(tensor.clone()) or tensor)
    activations = both.trunk(inputs)
    torch.testing.assert_close(activations, seen[0])
    means = activations.flatten(2).mean(2).reshape(1, -1, *[1] * len(cut.grid))
    torch.testing.assert_close(both.head(means if cut.pooled else activations), whole.logits.detach())
    assert both.activation == whole.activation


@pytest.mark.parametrize("kind", [Residual, Flat, Sigmoid])
def test_the_head_takes_any_number_of_rows_and_has_gradients(kind):
    _, _, _, both = parts(kind)
    rows = torch.randn(7, *both.rows.shape[1:]).requires_grad_()
    together = both.head(rows)
    assert len(together) == 7
    torch.testing.assert_close(together, torch.cat([both.head(row[None]) for row in rows]))
    (gradient,) = torch.autograd.grad(together.sum(), rows)
    assert gradient.abs().sum() > 0


def test_the_trunk_holds_nothing_of_the_head():
    _, _, _, both = parts(Dense)
    assert "classifier" not in both.trunk.code
    assert "features" not in both.head.code


class ReadsTheImage(nn.Module):
    """Its head takes more rows all the same: the image's brightness is the same for all of them."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, 2, 1)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3))) + x.mean()


def test_a_head_that_reads_an_earlier_layer_is_refused_with_the_way_out():
    network, inputs = make(Skip), images(Skip)
    with pytest.raises(UnsuitableRuntime, match=r"as a U-Net does.*runtime=\"eager\""):
        split(network, inputs, find_cut(network, inputs))


def test_a_head_that_reads_the_image_is_found_out_in_the_graph():
    network, inputs = make(ReadsTheImage), torch.rand(1, 1, 16, 16)
    cut = find_cut(network, inputs)
    assert cut.stackable
    with pytest.raises(UnsuitableRuntime, match="reads the image"):
        split(network, inputs, cut)


class DependsOnValues(nn.Module):
    """What torch.export cannot trace: the way through it depends on the image."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, 2, 1)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        x = self.conv(x).relu()
        if x.mean() > 100:
            x = x * 2
        return self.fc(x.mean((2, 3)))


def test_a_network_that_cannot_be_traced_is_refused_with_the_reason():
    network, inputs = make(DependsOnValues), torch.rand(1, 1, 16, 16)
    with pytest.raises(UnsuitableRuntime, match=r"torch\.export cannot trace.*runtime=\"eager\""):
        split(network, inputs, find_cut(network, inputs))


@pytest.mark.parametrize("kind", [Residual, Skip, DependsOnValues])
def test_the_network_is_left_as_it_was(kind):
    inputs = torch.rand(1, 1, 16, 16) if kind is DependsOnValues else images(kind)
    network = make(kind)
    cut = find_cut(network, inputs)
    network.train()
    before = {
        name: (id(tensor), tensor.clone()) for name, tensor in network.state_dict(keep_vars=True).items()
    }
    if kind is Residual:
        split(network, inputs, cut)
    else:
        with pytest.raises(UnsuitableRuntime):
            split(network, inputs, cut)
    after = network.state_dict(keep_vars=True)
    assert all(
        id(after[name]) == place and torch.equal(after[name], old) for name, (place, old) in before.items()
    )
    assert all(module.training for module in network.modules())
    assert not any(module._forward_hooks for module in network.modules())
    assert torch.is_grad_enabled()


def test_a_split_does_not_hold_its_network():
    network, _, _, both = parts(Dense)
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None
    assert both.head(both.rows).shape == (3, 4)
