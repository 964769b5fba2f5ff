"""The layer whose weights are CAM's is told from others of its size; where there is none, none is found."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from camlucida.models.linear_head import biases, find_linear, weights
from camlucida.models.target_layer import find_cut
from example_networks import Deep, Flat, Residual


class Decoy(nn.Module):
    """Two linear layers of one size, the first never used; the last is a convolution of size 1."""

    def __init__(self, *, bias):
        super().__init__()
        self.decoy = nn.Linear(4, 2)
        self.body = nn.Conv2d(1, 4, 3, 2, 1)
        self.last = nn.Conv2d(4, 2, 1, bias=bias)

    def forward(self, x):
        return torch.sigmoid(self.last(functional.relu(self.body(x)).mean((2, 3), keepdim=True)).flatten(1))


@pytest.mark.parametrize("bias", [True, False])
def test_the_layer_that_makes_the_logits_is_found_behind_a_sigmoid(bias):
    torch.manual_seed(0)
    network, images = Decoy(bias=bias), torch.rand(2, 1, 16, 16)
    layer = find_linear(network, find_cut(network, images), images)
    assert layer is network.last
    assert weights(layer).shape == (2, 4)
    assert bool(biases(layer).any()) is bias


def test_a_head_of_two_layers_or_of_all_cells_has_none():
    for network, images in ((Deep(), torch.rand(2, 1, 16, 16)), (Flat(), torch.rand(2, 1, 24, 28))):
        assert find_linear(network, find_cut(network, images), images) is None


def test_its_weights_take_gradients():
    network, images = Residual(), torch.rand(2, 3, 32, 32)
    layer = find_linear(network, find_cut(network, images), images)
    torch.autograd.backward(weights(layer).sum())
    assert (network.fc.weight.grad == 1).all()
