"""Transformers as people write them by hand: the tokens are found, mapped to their places, and put back."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import camlucida
from camlucida.errors import NoTargetLayer
from camlucida.models.layout import Layout, Order
from camlucida.models.target_layer import find_cut
from camlucida.saliency.recording import Recording
from other_networks import image, network

WIDTH = 12
X = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(1))  # patches of 8: 4 × 6 tokens


class Patches(nn.Module):
    """Tokens of 8 × 8 pixels: `tokens` are made, `between` works on them, `read` makes logits of them."""

    def __init__(self, between, read=lambda tokens: tokens.mean(1), *, conv=True):
        super().__init__()
        self.embed = nn.Conv2d(3, WIDTH, 8, 8) if conv else nn.Linear(3 * 8 * 8, WIDTH)
        self.between, self.read, self.fc = between, read, nn.Linear(WIDTH, 3)

    def tokens(self, x: Tensor) -> Tensor:
        if isinstance(self.embed, nn.Conv2d):
            return self.embed(x).flatten(2).transpose(1, 2)
        cells = x.reshape(len(x), 3, 4, 8, 6, 8).permute(0, 2, 4, 1, 3, 5)
        return self.embed(cells.reshape(len(x), 24, -1))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.read(self.between(self.tokens(x))))


class Encoder(nn.Module):
    """torch's own encoder, which goes another way where it may (its fast path), or has the sequence first."""

    def __init__(self, *, batch_first=True, norm_first=True):
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            WIDTH, 2, 16, batch_first=batch_first, norm_first=norm_first, dropout=0.0
        )
        self.layers = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.batch_first = batch_first

    def forward(self, tokens: Tensor) -> Tensor:
        if self.batch_first:
            return self.layers(tokens)
        return self.layers(tokens.transpose(0, 1))


class ClassToken(nn.Module):
    """Joins a class token and encodes."""

    def __init__(self, *, after=False, registers=0):
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.registers = nn.Parameter(torch.randn(1, registers, WIDTH)) if registers else None
        self.encoder, self.after = Encoder(), after

    def forward(self, tokens: Tensor) -> Tensor:
        token = self.token.expand(len(tokens), -1, -1)
        joined = torch.cat([tokens, token] if self.after else [token, tokens], dim=1)
        if self.registers is not None:  # as DINOv2 does it: taken apart, joined again with more
            more = self.registers.expand(len(tokens), -1, -1)
            joined = torch.cat([joined[:, :1], more, joined[:, 1:]], dim=1)
        return self.encoder(joined)


def build(make):
    torch.manual_seed(0)
    made = make()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.3) if parameter.ndim > 1 else nn.init.normal_(parameter, 0.5, 0.2)
    return made.eval()


def asked_by_the_class_token(tokens):
    """Nothing goes past this attention, so the head takes any rows, those of a batch too."""
    return functional.scaled_dot_product_attention(tokens[:, :1], tokens, tokens)[:, 0]


HEAD_READS_CLASS = {"read": lambda tokens: tokens[:, 0]}
KINDS = {
    "mean of tokens": (lambda: Patches(Encoder()), Order.TOKENS, 0),
    "norm after": (lambda: Patches(Encoder(norm_first=False)), Order.TOKENS, 0),
    "no convolution": (lambda: Patches(Encoder(), conv=False), Order.TOKENS, 0),
    "sequence first": (
        lambda: Patches(Encoder(batch_first=False), lambda tokens: tokens.mean(0)),
        Order.TOKENS_FIRST,
        0,
    ),
    "class token": (lambda: Patches(ClassToken(), **HEAD_READS_CLASS), Order.TOKENS, 1),
    "class token asks at the end": (
        lambda: Patches(nn.Sequential(ClassToken(), nn.LayerNorm(WIDTH)), asked_by_the_class_token),
        Order.TOKENS,
        1,
    ),
    "registers": (lambda: Patches(ClassToken(registers=4), **HEAD_READS_CLASS), Order.TOKENS, 5),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_tokens_are_found(kind):
    made, order, prefix = KINDS[kind]
    cut = find_cut(build(made), X[:1])
    assert (cut.grid, cut.layout) == ((4, 6), Layout(order, (4, 6), prefix))


@pytest.mark.parametrize("kind", KINDS)
def test_several_images_are_told_what_each_is_told_alone(kind):
    made = build(KINDS[kind][0])
    together = Recording(made, X, find_cut(made, X))
    alone = [Recording(made, one[None], find_cut(made, one[None])) for one in X]
    for name in ("logits", "bias", "activations", "gradients"):
        each = torch.cat([getattr(one, name) for one in alone])
        torch.testing.assert_close(getattr(together, name), each, rtol=1e-4, atol=1e-5)


def test_where_a_patch_lies_is_where_its_evidence_is():
    """Without attention each token knows its own patch only, so a change in one patch changes one cell."""
    made = build(lambda: Patches(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU())))
    changed = X[:1].clone()
    changed[:, :, 8:16, 32:40] += 1
    difference = camlucida.explain(made, changed, method="hirescam").values
    difference -= camlucida.explain(made, X[:1], method="hirescam").values
    assert [tuple(cell) for cell in np.argwhere(np.abs(difference).max(axis=0) > 1e-6)] == [(1, 4)]


def test_what_a_class_token_knows_already_is_in_the_bias():
    made = build(KINDS["class token"][0])
    recording = Recording(made, X, find_cut(made, X))
    assert recording.cut.keeps_tokens
    assert not torch.allclose(recording.bias[0], recording.bias[1], atol=1e-3)


def test_a_class_token_behind_the_others_is_not_taken_for_a_patch():
    made = build(lambda: Patches(ClassToken(after=True), lambda tokens: tokens[:, -1]))
    with pytest.raises(NoTargetLayer, match=r"come 3 layers of attention whose tokens lie in an order"):
        find_cut(made, X[:1])


def test_a_layer_of_which_only_the_class_token_is_read_is_refused():
    with pytest.raises(NoTargetLayer, match=r"Of “norm” the output reads only the tokens that have no place"):
        camlucida.explain(network("timm vit_tiny_patch16_224"), image("timm vit_tiny_patch16_224"),
                          target_layer="norm")  # fmt: skip


def test_a_head_that_is_zero_is_said_not_drawn():
    made = build(KINDS["class token"][0])
    nn.init.zeros_(made.fc.weight)
    with pytest.raises(NoTargetLayer, match="its last layer is zero"):
        camlucida.explain(made, X[:1])


def test_the_reason_is_told():
    cut = find_cut(network("timm vit_tiny_patch16_224"), image("timm vit_tiny_patch16_224"))
    assert f"{cut.name}: {cut.why}" == (
        "blocks.2.norm1: the last tensor with spatial extent (4×4 tokens, 1 class token kept) that the "
        "logits depend on"
    )


class AttentionPooling(nn.Module):
    """A CNN whose cells are weighted by an attention map before they are added up, in several ways."""

    def __init__(self, way):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, WIDTH, 8, 8), nn.ReLU())
        self.score, self.value = nn.Conv2d(WIDTH, 1, 1), nn.Conv2d(WIDTH, WIDTH, 1)
        self.query = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
        self.fc, self.way = nn.Linear(WIDTH, 3), way

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.way(self, self.body(x)))


def weighted_by_einsum(self, features):
    weights = self.score(features).flatten(2).softmax(2).reshape(len(features), *features.shape[2:])
    return torch.einsum("bchw,bhw->bc", self.value(features), weights)


def weighted_by_matmul(self, features):
    weights = self.score(features).flatten(2).softmax(2)
    return (self.value(features).flatten(2) @ weights.transpose(1, 2)).squeeze(2)


def asked_by_a_query(self, features):
    tokens = features.flatten(2).transpose(1, 2)
    return self.attention(self.query.expand(len(features), -1, -1), tokens, tokens)[0][:, 0]


def asked_by_the_mean(_self, features):
    """As CLIP pools: the mean is a token too, and what it knows of the image must not be left out."""
    tokens = features.flatten(2).transpose(1, 2)
    tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], dim=1)
    return functional.scaled_dot_product_attention(tokens[:, :1], tokens, tokens)[:, 0]


@pytest.mark.parametrize("way", [weighted_by_einsum, weighted_by_matmul, asked_by_a_query, asked_by_the_mean])
def test_attention_pooling_is_explained_by_the_features_not_by_the_attention_map(way):
    cut = find_cut(build(lambda: AttentionPooling(way)), X[:1])
    assert (cut.name, cut.channels, cut.grid) == ("body", WIDTH, (4, 6))


@pytest.mark.parametrize("order", list(Order))
def test_a_layout_puts_back_what_it_shows(order):
    shapes = {
        Order.CHANNELS_FIRST: (2, 5, 3, 4),
        Order.CHANNELS_LAST: (2, 3, 4, 5),
        Order.TOKENS: (2, 14, 5),
        Order.TOKENS_LAST: (2, 5, 14),
        Order.TOKENS_FIRST: (14, 2, 5),
    }
    tensor = torch.randn(shapes[order])
    layout = Layout(order, (3, 4), 2 if "tokens" in order else 0)
    shown = layout.show(tensor)
    assert shown.shape == (2, 5, 3, 4)
    assert torch.equal(layout.put_back(shown, tensor), tensor)
    twice = layout.put_back(torch.cat([shown, shown]), tensor)
    batch = 1 if order is Order.TOKENS_FIRST else 0
    assert torch.equal(twice, torch.cat([tensor, tensor], dim=batch))
