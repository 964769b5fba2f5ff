import pytest

from camlucida.models.head import LINEAR_WITHIN, prove
from camlucida.models.target_layer import find_cut
from camlucida.records import HeadKind
from example_networks import Deep, Dense, Flat, Residual, Sigmoid, Skip, Volume, images, make


def proof_of(kind, layer=None):
    network = make(kind)
    inputs = [images(kind, seed=seed) for seed in range(3)]
    return network, prove(network, find_cut(network, inputs[0], layer), inputs)


@pytest.mark.parametrize("kind", [Residual, Dense, Volume])
def test_mean_pooling_and_a_linear_layer_is_faithful_by_theorem(kind):
    _, proof = proof_of(kind)
    assert proof.kind is HeadKind.LINEAR
    assert proof.deviation < 1e-5
    assert proof.faithful("grad-cam")
    assert proof.faithful("hirescam")
    assert not proof.faithful("grad-cam++")


def test_a_flatten_head_is_linear_but_grad_cam_is_not_faithful_on_it():
    _, proof = proof_of(Flat)
    assert proof.kind is HeadKind.LINEAR
    assert proof.faithful("hirescam")
    assert not proof.faithful("grad-cam")
    assert proof.deviation_pooled > 1e-3


def test_a_deep_head_is_not_linear():
    _, proof = proof_of(Deep)
    assert proof.kind is HeadKind.NONLINEAR
    assert proof.deviation > LINEAR_WITHIN
    assert not proof.faithful("hirescam")


def test_layers_with_relu_after_them_are_not_linear_although_gradients_add_up_there():
    """A ReLU network without biases is piecewise linear: sum(g·A) fits, and yet the head is not linear."""
    _, proof = proof_of(Residual, "third")
    assert proof.kind is HeadKind.NONLINEAR


def test_the_bias_is_the_last_layers_own():
    network, proof = proof_of(Dense)
    assert proof.bias == pytest.approx(network.classifier.bias.tolist())


def test_a_head_that_reads_earlier_tensors_is_affine_in_its_own():
    _, proof = proof_of(Skip)
    assert proof.kind is HeadKind.LINEAR
    assert proof.deviation < 1e-5


def test_a_sigmoid_after_the_head_does_not_count():
    _, proof = proof_of(Sigmoid)
    assert proof.kind is HeadKind.LINEAR
    assert proof.inputs == 3
