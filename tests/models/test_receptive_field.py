"""How far cells see: against receptive fields that are known by counting."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from camlucida.errors import UnsupportedNetwork
from camlucida.models.receptive_field import overhang
from camlucida.models.target_layer import find_cut


class Convolutions(nn.Module):
    """Convolutions (size, stride), ReLU, mean over space, one linear layer."""

    def __init__(self, *layers, space=2, shut=False):
        super().__init__()
        kind = {2: nn.Conv2d, 3: nn.Conv3d}[space]
        self.convolutions = nn.ModuleList(kind(1, 1, size, stride, size // 2) for size, stride in layers)
        self.fc, self.shut = nn.Linear(1, 1), shut

    def forward(self, x):
        for convolution in self.convolutions:
            with torch.set_grad_enabled(not self.shut):
                x = convolution(x)
        return self.fc(functional.softplus(x).flatten(2).mean(2))


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (((3, 1),), 1),
        (((3, 1), (3, 1)), 2),
        (((5, 1), (3, 1)), 3),
        # Stride 2, size 3: pixels 2c - 1 to 2c + 1, one beyond the tile 2c, 2c + 1.
        (((3, 2),), 1),
        # Twice: 4c - 3 to 4c + 3, tile 4c to 4c + 3.
        (((3, 2), (3, 2)), 3),
        (((1, 1),), 0),
    ],
)
def test_convolutions_see_as_far_as_one_counts(layers, expected):
    torch.manual_seed(0)
    network = Convolutions(*layers)
    images = torch.rand(2, 1, 32, 40)
    assert overhang(network, find_cut(network, images), images) == (expected, expected)


def test_a_volume_has_a_reach_along_each_axis():
    torch.manual_seed(0)
    network = Convolutions((3, 1), (3, 1), space=3)
    images = torch.rand(1, 1, 12, 16, 16)
    assert overhang(network, find_cut(network, images), images) == (2, 2, 2)


def test_a_share_of_the_gradients_lies_nearer_and_all_of_them_is_the_default():
    torch.manual_seed(0)
    network = Convolutions(*[(3, 1)] * 6)
    for convolution in network.convolutions:
        nn.init.constant_(convolution.weight, 1 / 9)  # six boxes: a bell, whose tails hold little
    images = torch.rand(1, 1, 40, 40)
    cut = find_cut(network, images)
    # The marginal of six boxes of three is the trinomial over 3^6: 141 in the middle, 126, 90, 50, 21, 6, 1.
    assert overhang(network, cut, images) == (6, 6)
    assert overhang(network, cut, images, share=(141 + 2 * (126 + 90)) / 729 - 1e-4) == (2, 2)
    assert overhang(network, cut, images, share=(141 + 2 * (126 + 90)) / 729 + 1e-4) == (3, 3)


def test_the_network_and_the_chances_are_left_as_found():
    network = Convolutions((3, 1)).train()
    images = torch.rand(1, 1, 16, 16)
    cut = find_cut(network, images)
    state = torch.get_rng_state()
    overhang(network, cut, images)
    assert network.training
    assert network.fc.weight.grad is None
    assert torch.equal(state, torch.get_rng_state())


def test_where_no_gradient_comes_back_it_says_so():
    network = Convolutions((3, 1))
    images = torch.rand(1, 1, 16, 16)
    cut = find_cut(network, images)
    network.shut = True
    with pytest.raises(UnsupportedNetwork, match="under no_grad"):
        overhang(network, cut, images)
