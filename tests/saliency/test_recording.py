import pytest
import torch

from camlucida.models.target_layer import find_cut
from camlucida.saliency.recording import Recording
from example_networks import Deep, Dense, Flat, Residual, Sigmoid, Skip, Softmax, Volume, images, make


def full_autograd(network, inputs, module):
    """The whole network with a graph: the slow and certain way to the same gradients."""
    kept = []
    handle = module.register_forward_hook(lambda _m, _i, output: kept.append(output) or output.clone())
    logits = network(inputs.clone().requires_grad_())
    handle.remove()
    tensor = kept[-1]
    rows = [
        torch.autograd.grad(logits[:, f].sum(), tensor, retain_graph=True)[0] for f in range(logits.shape[1])
    ]
    return tensor.detach(), logits.detach(), torch.stack(rows, 1)


@pytest.mark.parametrize(
    ("kind", "module"), [(Residual, "relu"), (Deep, "body"), (Volume, "body"), (Residual, "norm")]
)
def test_gradients_are_those_of_the_whole_network(kind, module):
    network, inputs = make(kind), images(kind, 2)
    recording = Recording(network, inputs, find_cut(network, inputs, module))
    activations, logits, gradients = full_autograd(network, inputs, network.get_submodule(module))
    torch.testing.assert_close(recording.activations.detach(), activations)
    torch.testing.assert_close(recording.logits, logits)
    torch.testing.assert_close(recording.gradients, gradients)


def test_the_densenet_map_belongs_to_the_tensor_after_its_last_relu():
    network, inputs = make(Dense), images(Dense)
    recording = Recording(network, inputs, find_cut(network, inputs))
    torch.testing.assert_close(recording.activations.detach(), network.features(inputs).relu())
    expected = network.classifier.weight / recording.activations[0, 0].numel()
    torch.testing.assert_close(recording.gradients[0, :, :, 0, 0], expected.detach())


def test_the_logit_is_differentiated_not_the_probability():
    """At a logit of about 40 the sigmoid's gradient is exactly 0 in float32; the map must not be."""
    network, inputs = make(Sigmoid), images(Sigmoid)
    with torch.no_grad():
        network.last.bias.fill_(40)
    assert network(inputs).tolist() == [1.0]
    recording = Recording(network, inputs, find_cut(network, inputs))
    assert float(recording.logits) > 30
    assert recording.gradients.abs().max() > 1e-3


def test_the_logits_before_a_softmax_are_used():
    network, inputs = make(Softmax), images(Softmax)
    recording = Recording(network, inputs, find_cut(network, inputs))
    torch.testing.assert_close(recording.logits, network.body(inputs).detach())


@pytest.mark.parametrize("kind", [Residual, Flat, Skip, Deep])
def test_the_bias_is_what_a_silent_layer_gives(kind):
    network, inputs = make(kind), images(kind, 2)
    recording = Recording(network, inputs, find_cut(network, inputs))
    if kind is Skip:
        early = network.early(inputs).relu().mean((2, 3))
        expected = network.fc(torch.cat([early, torch.zeros_like(early)], 1))
    elif kind is Deep:
        expected = network.head(torch.zeros(2, 6))
    else:
        expected = network.fc.bias.expand(2, -1)
    torch.testing.assert_close(recording.bias, expected.detach())


@pytest.mark.parametrize("kind", [Residual, Sigmoid, Softmax])
def test_rescoring_the_same_images_gives_the_same_logits(kind):
    network, inputs = make(kind), images(kind, 2)
    recording = Recording(network, inputs, find_cut(network, inputs))
    rescored = recording.rescore(inputs)
    torch.testing.assert_close(rescored, recording.logits)
    assert not rescored.requires_grad


def test_frozen_parameters_inference_mode_and_half_precision():
    network = make(Residual).requires_grad_(requires_grad=False)
    with torch.inference_mode():
        inputs = images(Residual)
        recording = Recording(network, inputs, find_cut(network, inputs))
        assert recording.gradients.abs().sum() > 0
    low = make(Residual).bfloat16()
    inputs = images(Residual).bfloat16()
    recording = Recording(low, inputs, find_cut(low, inputs))
    assert recording.gradients.dtype == torch.bfloat16
    assert torch.isfinite(recording.gradients).all()


def test_a_head_without_a_batching_rule_is_done_one_by_one():
    class NoRule(torch.autograd.Function):
        @staticmethod
        def forward(_ctx, x):
            return x * 2

        @staticmethod
        def backward(_ctx, gradient):
            return torch.from_numpy(gradient.numpy() * 2)

    network = make(Residual)
    network.fc.register_forward_hook(lambda _m, _i, output: NoRule.apply(output))
    inputs = images(Residual)
    recording = Recording(network, inputs, find_cut(network, inputs))
    doubled = recording.gradients
    plain = make(Residual)
    torch.testing.assert_close(doubled, 2 * Recording(plain, inputs, find_cut(plain, inputs)).gradients)
