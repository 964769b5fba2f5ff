import pytest
import torch
from torch import nn

from camlucida.errors import UnsupportedNetwork
from camlucida.evaluation.sanity.cascade import randomising, steps
from example_networks import Dense, Residual, images, make


def state(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def ordered(network, image):
    return steps(network, lambda: network(image))


def test_layers_go_from_the_logits_down_in_the_order_in_which_they_ran():
    names = [step.layers for step in ordered(make(Residual), images(Residual))]
    assert names == [("fc",), ("third",), ("second",), ("norm",), ("first",)]


def test_many_layers_go_in_ten_steps_and_each_goes_once():
    network = nn.Sequential(*(nn.Conv2d(1, 1, 1) for _ in range(35)), nn.Flatten(), nn.Linear(4, 2))
    every = ordered(network, torch.ones(1, 1, 2, 2))
    assert len(every) == 10
    assert every[0].layers == ("36",)
    assert [layer for step in every[1:] for layer in step.layers] == [str(n) for n in range(34, -1, -1)]
    assert {len(step.layers) for step in every[1:]} <= {3, 4}
    assert every[1].name == "34 … 31"


def test_each_step_forgets_its_layers_and_leaves_those_below():
    network = make(Residual)
    before = state(network)
    with randomising(network, seed=0) as forget:
        for step in ordered(network, images(Residual)):
            forget(step)
            changed = {
                name.rpartition(".")[0]
                for name, tensor in network.state_dict().items()
                if not torch.equal(tensor, before[name])
            }
            assert step.layers[0] in changed
            if step.layers == ("third",):
                assert changed == {"fc", "third"}


@pytest.mark.parametrize("kind", [Residual, Dense])
def test_the_network_is_afterwards_what_it_was_bit_for_bit_also_after_an_error(kind):
    network = make(kind)
    before, random = state(network), torch.get_rng_state()

    def interrupted():
        with randomising(network, seed=0) as forget:
            for step in ordered(network, images(kind)):
                forget(step)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_weights_without_a_beginning_get_noise_of_their_own_spread():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.linspace(-3, 3, 1000))

        def forward(self, x):
            return x * self.weight.sum()

    network = Own()
    with randomising(network, seed=0) as forget:
        for step in ordered(network, torch.ones(1)):
            forget(step)
        spread = float(network.weight.detach().std())
    assert spread == pytest.approx(float(torch.linspace(-3, 3, 1000).std()), rel=0.1)


def test_a_network_without_weights_is_refused():
    with pytest.raises(UnsupportedNetwork, match="no layer with weights"):
        ordered(nn.ReLU(), torch.ones(1))
