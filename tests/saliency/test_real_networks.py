"""What is met in other people's networks: the result is right, or a sentence says why there is none."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import camlucida
from camlucida.errors import NoTargetLayer, UnsuitableImage, UnsupportedNetwork
from camlucida.models.head import prove
from camlucida.models.target_layer import find_cut
from camlucida.records import HeadKind
from example_networks import Dense, Residual, images, make


class Split(nn.Module):
    """A backbone whose output goes through `between` before it is pooled."""

    def __init__(self, between=lambda body, x: body(x)):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.fc = nn.Linear(8, 4)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.between(self.body, x).mean((2, 3)))


X = torch.randn(1, 3, 16, 18, generator=torch.Generator().manual_seed(1))


def under_no_grad(body, x):
    with torch.no_grad():
        return body(x)


def under_inference_mode(body, x):
    with torch.inference_mode():
        features = body(x)
    return features.clone()


@pytest.mark.parametrize("between", [under_no_grad, lambda body, x: body(x).detach()])
def test_a_frozen_backbone_is_explained_as_if_it_were_not(between):
    plain, frozen = camlucida.explain(Split(), X), camlucida.explain(Split(between), X)
    assert np.array_equal(plain.values, frozen.values)


def scaled_by_numpy(body, x):
    features = body(x)
    largest = features.detach().numpy().max(), np.asarray(features.detach()).max()
    return features / float(sum(largest))


@pytest.mark.parametrize("method", ["grad-cam", "gradient", "shapleycam"])
def test_a_network_that_looks_at_its_values_by_numpy_is_explained(method):
    def scaled_by_torch(body, x):
        features = body(x)
        return features / (2 * features.detach().max())

    by_numpy, by_torch = (
        camlucida.explain(Split(between), X, method=method).values
        for between in (scaled_by_numpy, scaled_by_torch)
    )
    assert np.abs(by_numpy).max() > 0
    if method == "grad-cam":
        assert by_numpy == pytest.approx(by_torch, abs=1e-6)


# torch's own warning at a reentrant checkpoint that sees no gradients, which is what is tried here.
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize(
    "between", [under_inference_mode, lambda body, x: checkpoint(body, x, use_reentrant=True)]
)
def test_gradients_that_cannot_come_back_are_said(between):
    with pytest.raises((NoTargetLayer, UnsupportedNetwork), match="checkpoint"):
        camlucida.explain(Split(between), X)
    with pytest.raises(NoTargetLayer, match=r"No gradient comes from the output back to “body\.1”"):
        camlucida.explain(Split(between), X, target_layer="body.1")


def test_a_layer_that_the_output_does_not_use_is_said():
    network = Split(lambda body, x: (body.aside(x), body[0](x))[1])
    network.body.aside = nn.Conv2d(3, 4, 3)
    with pytest.raises(NoTargetLayer, match=r"“body\.aside”: the output does not use it"):
        camlucida.explain(network, X, target_layer="body.aside")


def test_a_checkpointed_part_runs_again_in_evaluation_mode():
    network = Split(lambda body, x: checkpoint(body, x, use_reentrant=False)).train()
    mean = network.body[1].running_mean.clone()
    result = camlucida.explain(network, X, method="hirescam", target_layer="body.0")
    plain = camlucida.explain(Split(), X, method="hirescam", target_layer="body.0")
    assert np.array_equal(result.values, plain.values)
    assert torch.equal(network.body[1].running_mean, mean)


# torch warns the hook's owner that the backward pass ends at the module's output, as it does at a cut.
@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_hooks_that_add_functions_only_where_a_graph_is_built_do_not_shift_the_cut():
    network = Split()
    network.body.register_full_backward_hook(lambda *_: None)
    network.body.register_forward_hook(lambda _m, _i, output: output * 1.0)
    assert np.array_equal(camlucida.explain(network, X).values, camlucida.explain(Split(), X).values)


def test_a_head_with_the_statistics_of_its_batch_is_given_no_other_rows():
    torch.manual_seed(0)
    network = Split(lambda body, x: nn.functional.batch_norm(body(x), None, None, training=True) ** 2)
    result = camlucida.explain(network, X, target_layer="body")
    assert not find_cut(network, X, "body").stackable
    assert result.logits == pytest.approx(network.eval()(X)[0].detach().numpy(), abs=1e-6)


def test_pooling_that_is_learned_later_is_seen_to_be_no_mean_any_more():
    def attend(body, x):
        features = body(x)
        weights = (features * network.weight).sum(1).flatten(1).softmax(1)
        return (features.flatten(2) * weights[:, None]).sum(2)[:, :, None, None]

    network = Split(attend)
    network.weight = nn.Parameter(torch.zeros(8, 1, 1))
    camlucida.explain(network, X, target_layer="body")
    with torch.no_grad():
        network.weight.normal_(0, 3)
    result = camlucida.explain(network, X, target_layer="body")
    assert result.logits == pytest.approx(network.eval()(X)[0].detach().numpy(), abs=1e-6)


class HandWritten(nn.Module):
    """A transformer without torch's attention."""

    def __init__(self, attention):
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.fc, self.attention = nn.Conv2d(3, 16, 8, 8), nn.Linear(16, 3), attention

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        return self.fc((tokens + self.attention(tokens))[:, 0])


def by_hand(tokens):
    return (tokens @ tokens.transpose(1, 2)).softmax(-1) @ tokens


@pytest.mark.parametrize("attention", [by_hand, nn.MultiheadAttention(16, 2, batch_first=True)])
def test_a_transformer_is_explained_by_the_tokens_that_its_attention_is_given(attention):
    call = (lambda t: attention(t, t, t)[0]) if isinstance(attention, nn.Module) else attention
    network, inputs = HandWritten(call), torch.randn(1, 3, 32, 32)
    cut = find_cut(network, inputs)
    assert (cut.name, cut.grid) == ("patches", (4, 4))
    assert camlucida.explain(network, inputs).values.any()


def test_an_axis_that_is_not_shrunk_does_not_hide_the_last_layer_of_a_volume():
    network = nn.Sequential(
        *[layer for _ in range(5) for layer in (nn.Conv3d(1, 1, 3, (1, 2, 2), 1), nn.ELU())],
        nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(1, 2),
    )  # fmt: skip
    assert find_cut(network, torch.randn(1, 1, 16, 96, 96)).grid == (16, 3, 3)


def test_faint_activations_do_not_make_a_bent_head_linear():
    torch.manual_seed(0)
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 16), nn.Hardswish(), nn.Linear(16, 3))
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), *head)
    with torch.no_grad():
        network[0].weight.mul_(1e-9)
        network[0].bias.mul_(1e-9)
    assert prove(network, find_cut(network, X), [X]).kind is HeadKind.NONLINEAR


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_a_number_is_refused_not_called_unsupported(value):
    inputs = images(Dense).index_fill(3, torch.tensor([2]), value)
    with pytest.raises(UnsuitableImage, match="not finite"):
        camlucida.explain(make(Dense), inputs)
    network = make(Dense)
    with torch.no_grad():
        network.classifier.bias[0] = value
    with pytest.raises(UnsupportedNetwork, match=r"logits .* not finite .* in torch.float32"):
        camlucida.explain(network, images(Dense), target_layer="features.3")


def test_what_is_left_to_chance_in_evaluation_mode_is_refused():
    network = Split(lambda body, x: nn.functional.dropout(body(x), 0.5, training=True))
    with pytest.raises(UnsupportedNetwork, match=r"says two things .* functional\.dropout without training"):
        camlucida.explain(network, X)


def test_dropout_that_evaluation_switches_off_is_no_chance():
    network = Split(lambda body, x: nn.functional.dropout(body(x), 0.5, training=network.training)).train()
    assert np.array_equal(camlucida.explain(network, X).values, camlucida.explain(Split(), X).values)


def test_mixed_precision_around_explains_what_the_network_says_there():
    with torch.autocast("cpu", torch.bfloat16):
        result = camlucida.explain(make(Residual), images(Residual))
        logits = make(Residual)(images(Residual))[0]
    assert logits.dtype == torch.bfloat16
    assert np.allclose(result.logits, logits.detach().float().numpy(), atol=0.02)
    assert np.allclose(result.values, camlucida.explain(make(Residual), images(Residual)).values, atol=0.05)


def test_channels_last_in_memory_is_the_same_map():
    network, inputs = make(Residual), images(Residual)
    plain = camlucida.explain(network, inputs, method="hirescam")
    last = network.to(memory_format=torch.channels_last), inputs.to(memory_format=torch.channels_last)
    other = camlucida.explain(*last, method="hirescam")
    assert np.allclose(other.values, plain.values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_modes_around_do_not_matter_and_are_left_as_they_were(around):
    plain = camlucida.explain(make(Residual), images(Residual))
    network = make(Residual).requires_grad_(requires_grad=False)
    with around():
        result = camlucida.explain(network, images(Residual))
        assert not torch.is_grad_enabled()
    assert np.array_equal(result.values, plain.values)


def test_an_answer_in_a_dict_is_pointed_at():
    class Answers(Split):
        def forward(self, x):
            return {"findings": super().forward(x), "quality": x.mean()}

    with pytest.raises(UnsupportedNetwork, match=r"returns a dict with the keys findings, quality"):
        camlucida.explain(Answers(), X)
    result = camlucida.explain(Answers(), X, logits=lambda output: output["findings"])
    assert np.array_equal(result.values, camlucida.explain(Split(), X).values)


def test_half_precision_goes_all_the_way():
    result = camlucida.explain(make(Residual).bfloat16(), images(Residual).bfloat16())
    assert np.allclose(result.values, camlucida.explain(make(Residual), images(Residual)).values, atol=0.05)
    assert result.explanation.provenance.precision == "bfloat16"


@pytest.mark.parametrize("number", [np.int64(2), torch.tensor(2)])
def test_a_finding_may_be_numbered_by_numpy_or_torch(number):
    assert camlucida.explain(make(Residual), images(Residual), finding=number).findings == ("output 2",)


def test_an_input_that_the_network_does_not_take_is_one_sentence():
    with pytest.raises(
        UnsuitableImage, match=r"fails on an input of shape \(1, 2, 16, 18\), torch.float32: "
    ):
        camlucida.explain(Split(), X[:, :2])
    with pytest.raises(UnsuitableImage, match=r"torch\.float64: "):
        camlucida.explain(Split(), X.double())


def test_weights_made_in_inference_mode_are_refused():
    with torch.inference_mode():
        network = make(Residual)
    with pytest.raises(UnsupportedNetwork, match=r"weights were made inside torch.inference_mode"):
        camlucida.explain(network, images(Residual))


def test_wrappers_are_taken_off():
    network, inputs = make(Residual), images(Residual)
    wrapped = nn.DataParallel(torch.compile(network, backend="eager"))
    assert camlucida.explain(wrapped, inputs).target_layer == camlucida.explain(network, inputs).target_layer
