import pytest
import torch
from torch import nn

from camlucida.errors import NoTargetLayer
from camlucida.models.cut import run
from camlucida.models.layout import Order
from camlucida.models.target_layer import find_cut
from example_networks import (
    SHAPES,
    Deep,
    Dense,
    Flat,
    Residual,
    Sigmoid,
    Skip,
    Softmax,
    Transformer,
    Volume,
    images,
    make,
)


@pytest.mark.parametrize(
    ("kind", "name", "grid", "stackable"),
    [
        (Residual, "relu", (9, 12), True),
        (Dense, "features.3 → relu", (8, 6), True),
        (Flat, "conv → relu", (6, 7), True),
        (Deep, "body", (8, 8), True),
        (Skip, "late → relu", (6, 6), False),
        (Volume, "body", (4, 5, 5), True),
        (Sigmoid, "body.features.3 → relu", (8, 6), True),
    ],
)
def test_finds_the_last_layer_that_knows_where_things_are(kind, name, grid, stackable):
    cut = find_cut(make(kind), images(kind))
    assert (cut.name, cut.grid, cut.stackable) == (name, grid, stackable)


@pytest.mark.parametrize("kind", SHAPES)
def test_running_with_the_cut_gives_what_the_network_gives(kind):
    network, inputs = make(kind), images(kind, 2)
    output = run(network, inputs, find_cut(network, inputs), lambda tensor: tensor)
    plain = network(inputs)
    if output.activation == "sigmoid":
        plain = torch.logit(plain)[:, None]
    if output.activation == "softmax":
        plain, output_logits = plain.log(), output.logits.log_softmax(dim=1)
    else:
        output_logits = output.logits
    torch.testing.assert_close(output_logits, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("kind", "activation"), [(Sigmoid, "sigmoid"), (Softmax, "softmax"), (Dense, None)])
def test_looks_through_a_final_probability(kind, activation):
    network, inputs = make(kind), images(kind)
    assert run(network, inputs, find_cut(network, inputs), lambda tensor: tensor).activation == activation


@pytest.mark.parametrize("kind", [Residual, Dense, Flat, Deep, Volume, Skip])
def test_the_activations_are_those_that_the_output_depends_on(kind):
    """With zeros at the cut only the bias is left; zeros anywhere else would leave something of the image."""
    network, inputs = make(kind), images(kind, 2)
    cut = find_cut(network, inputs)
    silent = run(network, inputs, cut, torch.zeros_like).logits
    if cut.stackable:
        torch.testing.assert_close(silent[0], silent[1])
    else:
        assert not torch.allclose(silent[0], silent[1])


def test_a_named_layer_is_taken_at_its_last_use():
    network, inputs = make(Residual), images(Residual)
    cut = find_cut(network, inputs, "relu")
    assert (cut.module, cut.exit, cut.grid) == ("relu", 3, (9, 12))
    assert find_cut(network, inputs, "first").grid == (17, 24)


def test_the_name_that_was_given_finds_the_same_cut_again():
    network, inputs = make(Dense), images(Dense)
    cut = find_cut(network, inputs)
    assert find_cut(network, inputs, cut.name) == cut


def test_an_inner_name_of_the_same_output_finds_it():
    network, inputs = make(Deep), images(Deep)
    assert find_cut(network, inputs, "body.3").grid == find_cut(network, inputs, "body").grid


def test_names_near_ones_for_a_layer_that_is_not_there():
    with pytest.raises(NoTargetLayer, match=r"no layer “featurse\.2”; near to it are: .*features\.2"):
        find_cut(make(Dense), images(Dense), "featurse.2")


def test_says_that_a_named_layer_has_no_extent():
    with pytest.raises(NoTargetLayer, match="“fc” returns no tensor with spatial extent"):
        find_cut(make(Residual), images(Residual), "fc")


def test_refuses_a_network_of_dense_layers():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 2))
    with pytest.raises(NoTargetLayer, match="only dense layers"):
        find_cut(network, torch.randn(1, 1, 8, 8))


def test_refuses_a_head_that_is_zero():
    network = make(Dense)
    nn.init.zeros_(network.classifier.weight)
    with pytest.raises(NoTargetLayer, match="not trained yet"):
        find_cut(network, images(Dense))


def test_a_mean_of_tokens_is_split_after_the_last_attention():
    cut = find_cut(make(Transformer), torch.randn(1, 1, 32, 32))
    assert (cut.name, cut.grid) == ("patches → scaled_dot_product_attention", (4, 4))
    assert (cut.layout.order, cut.layout.prefix, cut.pooled) == (Order.TOKENS, 0, True)


# torch's own exporter uses what it has itself deprecated; nothing of ours is on that path.
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
def test_an_exported_graph_is_split_as_the_network_was(tmp_path):
    network, inputs = make(Dense), images(Dense)
    file = tmp_path / "network.pt2"
    torch.export.save(torch.export.export(network, (inputs,)), file)
    exported = torch.export.unflatten(torch.export.load(file))
    cut = find_cut(exported, inputs)
    assert cut.grid == (8, 6)
    silent = run(exported, inputs, cut, torch.zeros_like).logits
    torch.testing.assert_close(silent[0], network.classifier.bias)
