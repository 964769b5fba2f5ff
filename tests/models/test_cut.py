import pytest
import torch
from torch import nn
from torch._dynamo import eval_frame

from camlucida.errors import NoTargetLayer, UnsupportedNetwork
from camlucida.models.cut import as_it_was, run
from camlucida.models.target_layer import find_cut
from example_networks import Dense, Residual, images, make


def state_of(network):
    """All that a stranger's visit could change."""
    return (
        [module.training for module in network.modules()],
        [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules()],
        [None if parameter.grad is None else parameter.grad.clone() for parameter in network.parameters()],
        [buffer.clone() for buffer in network.buffers()],
        [parameter.requires_grad for parameter in network.parameters()],
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
    )


def in_training(kind):
    """A network in the middle of training: gradients there, one part frozen, modes mixed."""
    network = make(kind)
    network(images(kind)).sum().backward()
    network.train()
    next(network.children()).eval()
    next(network.parameters()).requires_grad_(requires_grad=False)
    return network


def same(before, after):
    flat = [
        torch.equal(b, a) if isinstance(b, torch.Tensor) else b == a
        for left, right in zip(before, after, strict=True)
        for b, a in (zip(left, right, strict=True) if isinstance(left, list) else [(left, right)])
    ]
    return all(flat)


@pytest.mark.parametrize("kind", [Residual, Dense])
def test_leaves_the_network_as_it_was(kind):
    network = in_training(kind)
    before = state_of(network)
    cut = find_cut(network, images(kind))
    run(network, images(kind), cut, lambda tensor: tensor.detach().requires_grad_().clone())
    assert same(before, state_of(network))


def test_leaves_the_network_as_it_was_after_an_error():
    network = in_training(Dense)
    cut = find_cut(network, images(Dense))
    before = state_of(network)

    def fails(_):
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        run(network, images(Dense), cut, fails)
    with pytest.raises(RuntimeError):
        find_cut(network, torch.randn(1, 7, 8, 8))
    assert same(before, state_of(network))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_gives_gradients_whatever_mode_the_caller_is_in(mode):
    network = make(Residual)
    with mode():
        inputs = images(Residual)
        leaves = []

        def at_cut(tensor):
            leaves.append(tensor.detach().requires_grad_())
            return leaves[0].clone()

        output = run(network, inputs, find_cut(network, inputs), at_cut)
        with torch.inference_mode(mode=False), torch.enable_grad():
            (gradient,) = torch.autograd.grad(output.logits[0, 0], leaves[0])
    assert gradient.abs().sum() > 0


def test_the_part_before_the_cut_has_no_graph():
    network, seen = make(Residual), []
    network.first.register_forward_hook(lambda _m, _i, output: seen.append(output.requires_grad))
    inputs = images(Residual)
    cut = find_cut(network, inputs)
    seen.clear()
    run(network, inputs, cut, lambda tensor: tensor.detach().requires_grad_().clone())
    assert seen == [False]


def test_a_cut_that_is_not_passed_is_said():
    network = make(Dense)
    cut = find_cut(network, images(Dense))
    other = make(Residual)
    with pytest.raises((NoTargetLayer, AttributeError)):
        run(other, images(Residual), cut, lambda tensor: tensor)


class Returns(nn.Module):
    def __init__(self, wrap):
        super().__init__()
        self.body, self.wrap = make(Dense), wrap

    def forward(self, x):
        return self.wrap(self.body(x))


@pytest.mark.parametrize(
    ("wrap", "message"),
    [
        (lambda y: {"scores": y}, "a dict with the keys scores, not a tensor of logits"),
        (lambda y: (y, 1), "a tuple, not a tensor"),
        (lambda y: y[:, :, None, None], r"shape \(1, 4, 1, 1\), not \(batch, finding\)"),
    ],
)
def test_says_how_to_point_at_the_logits(wrap, message):
    with pytest.raises(UnsupportedNetwork, match=message):
        find_cut(Returns(wrap), images(Dense))


def test_an_adapter_points_at_the_logits():
    network = Returns(lambda y: {"scores": (y, "x")})
    inputs = images(Dense)

    def logits(output):
        return output["scores"][0]

    cut = find_cut(network, inputs, logits=logits)
    output = run(network, inputs, cut, lambda tensor: tensor, logits)
    torch.testing.assert_close(output.logits, network.body(inputs))


def test_probabilities_without_a_known_function_are_noticed():
    network = Returns(lambda y: (y - y.min()) / (y.max() - y.min()))
    inputs = images(Dense)
    assert run(network, inputs, find_cut(network, inputs), lambda tensor: tensor).looks_like_probabilities


def test_threads_that_overlap_leave_torchs_stance_on_compiling_as_it_was():
    network = make(Residual)
    first, second = as_it_was(network), as_it_was(make(Residual))
    before = eval_frame._stance
    first.__enter__()
    second.__enter__()
    assert eval_frame._stance.stance == "force_eager"
    first.__exit__(None, None, None)  # not in the order of a stack, as threads end
    assert eval_frame._stance.stance == "force_eager"
    second.__exit__(None, None, None)
    assert eval_frame._stance == before
